// Tensor: a dense row-major block of numbers in the memory of one backend.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <vector>

namespace kvscope::inference {

// The first six are computed with; the others only appear in files.
enum class DType {
  kFloat32,
  kBFloat16,
  kFloat16,
  kInt32,
  kUInt64,
  kUInt8,
  kFloat64,
  kInt64,
  kUInt32,
  kInt16,
  kUInt16,
  kInt8,
  kBool,
};

// Bytes of one element.
size_t DTypeSize(DType dtype);
// "float32", "bfloat16", ...
const char* DTypeName(DType dtype);

// A handle: copies share the memory, which is freed with the last of them. `data` is host memory on
// the `reference` and `cpu` backends and device memory on `cuda`; only a backend reads through it.
// Host memory that we allocate is aligned to 64 bytes, a view of a mapped file to its element size;
// such a view is read-only. Dimensions are listed outermost first.
class Tensor {
 public:
  Tensor() = default;
  Tensor(DType dtype, std::vector<int64_t> shape, std::shared_ptr<void> data);

  DType dtype() const { return dtype_; }
  const std::vector<int64_t>& shape() const { return shape_; }
  int64_t dim(int i) const { return shape_[i]; }
  int64_t size() const;       // number of elements
  size_t size_bytes() const;  // size() * DTypeSize(dtype())
  bool empty() const { return data_ == nullptr; }

  // Typed access; a CHECK refuses another dtype than the tensor's.
  float* f32() const;
  int32_t* i32() const;
  uint64_t* u64() const;
  void* data() const { return data_.get(); }

  // The same memory under another shape of at most as many elements (a prefix view).
  Tensor Reshaped(std::vector<int64_t> shape) const;
  // The same memory, entries [begin, begin + count) of the first dimension.
  Tensor Slice(int64_t begin, int64_t count) const;

 private:
  DType dtype_ = DType::kFloat32;
  std::vector<int64_t> shape_;
  std::shared_ptr<void> data_;
};

// Uninitialised, 64-byte aligned host memory. An impossible size is a bug: shapes of foreign files
// are checked before.
Tensor AllocateHost(DType dtype, std::vector<int64_t> shape);

// bfloat16 and float16 bits <-> float32. Narrowing rounds to nearest, ties to even; NaN stays NaN.
float BFloat16ToFloat(uint16_t bits);
uint16_t FloatToBFloat16(float value);
float Float16ToFloat(uint16_t bits);
uint16_t FloatToFloat16(float value);

// Widens (or narrows) `count` numbers of a host tensor's first elements to float32; the tensor is
// float32, bfloat16 or float16.
void CopyToFloat(const Tensor& from, int64_t count, float* to);

}  // namespace kvscope::inference
