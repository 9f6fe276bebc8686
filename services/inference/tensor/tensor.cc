#include "services/inference/tensor/tensor.h"

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include "services/inference/tensor/check.h"

namespace kvscope::inference {
namespace {

constexpr size_t kAlignment = 64;

int64_t ElementCount(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t dim : shape) {
    KVSCOPE_CHECK(dim >= 0, "negative dimension");
    KVSCOPE_CHECK(dim == 0 || count <= std::numeric_limits<int64_t>::max() / 16 / dim,
                  "tensor size overflows");
    count *= dim;
  }
  return count;
}

}  // namespace

void CheckFailed(const char* file, int line, const char* condition, const char* message) {
  std::fprintf(stderr, "%s:%d: check failed: %s (%s)\n", file, line, condition, message);
  std::fflush(stderr);
  std::abort();
}

size_t DTypeSize(DType dtype) {
  switch (dtype) {
    case DType::kUInt64:
    case DType::kInt64:
    case DType::kFloat64:
      return 8;
    case DType::kFloat32:
    case DType::kInt32:
    case DType::kUInt32:
      return 4;
    case DType::kBFloat16:
    case DType::kFloat16:
    case DType::kInt16:
    case DType::kUInt16:
      return 2;
    case DType::kUInt8:
    case DType::kInt8:
    case DType::kBool:
      return 1;
  }
  std::abort();
}

const char* DTypeName(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return "float32";
    case DType::kBFloat16:
      return "bfloat16";
    case DType::kFloat16:
      return "float16";
    case DType::kInt32:
      return "int32";
    case DType::kUInt64:
      return "uint64";
    case DType::kUInt8:
      return "uint8";
    case DType::kFloat64:
      return "float64";
    case DType::kInt64:
      return "int64";
    case DType::kUInt32:
      return "uint32";
    case DType::kInt16:
      return "int16";
    case DType::kUInt16:
      return "uint16";
    case DType::kInt8:
      return "int8";
    case DType::kBool:
      return "bool";
  }
  std::abort();
}

Tensor::Tensor(DType dtype, std::vector<int64_t> shape, std::shared_ptr<void> data)
    : dtype_(dtype), shape_(std::move(shape)), data_(std::move(data)) {
  ElementCount(shape_);
}

int64_t Tensor::size() const { return ElementCount(shape_); }

size_t Tensor::size_bytes() const { return static_cast<size_t>(size()) * DTypeSize(dtype_); }

float* Tensor::f32() const {
  KVSCOPE_CHECK(dtype_ == DType::kFloat32, "tensor is not float32");
  return static_cast<float*>(data_.get());
}

int32_t* Tensor::i32() const {
  KVSCOPE_CHECK(dtype_ == DType::kInt32, "tensor is not int32");
  return static_cast<int32_t*>(data_.get());
}

uint64_t* Tensor::u64() const {
  KVSCOPE_CHECK(dtype_ == DType::kUInt64, "tensor is not uint64");
  return static_cast<uint64_t*>(data_.get());
}

Tensor Tensor::Reshaped(std::vector<int64_t> shape) const {
  KVSCOPE_CHECK(ElementCount(shape) <= size(), "reshaped tensor is larger than its memory");
  return Tensor(dtype_, std::move(shape), data_);
}

Tensor Tensor::Slice(int64_t begin, int64_t count) const {
  KVSCOPE_CHECK(!shape_.empty() && begin >= 0 && count >= 0 && begin <= shape_[0] - count,
                "slice outside the tensor");
  std::vector<int64_t> shape = shape_;
  shape[0] = 1;
  const int64_t stride = ElementCount(shape);
  shape[0] = count;
  char* start = static_cast<char*>(data_.get()) + begin * stride * DTypeSize(dtype_);
  return Tensor(dtype_, std::move(shape), std::shared_ptr<void>(data_, start));
}

Tensor AllocateHost(DType dtype, std::vector<int64_t> shape) {
  const size_t bytes = static_cast<size_t>(ElementCount(shape)) * DTypeSize(dtype);
  // At least one line, so that an empty tensor is still a tensor.
  const size_t padded = (bytes / kAlignment + 1) * kAlignment;
  void* memory = std::aligned_alloc(kAlignment, padded);
  if (memory == nullptr) throw std::bad_alloc();
  return Tensor(dtype, std::move(shape), std::shared_ptr<void>(memory, std::free));
}

float BFloat16ToFloat(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

uint16_t FloatToBFloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>((bits >> 16) | 0x40);  // stays quiet NaN
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float Float16ToFloat(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1f;
  const uint32_t fraction = bits & 0x3ff;
  if (exponent == 0) {  // zero and subnormals: fraction · 2^-24, exact in float32
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  const uint32_t wide_exponent = exponent == 0x1f ? 0xff : exponent + (127 - 15);
  return std::bit_cast<float>(sign | (wide_exponent << 23) | (fraction << 13));
}

uint16_t FloatToFloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  if (std::isnan(value)) return static_cast<uint16_t>(sign | 0x7e00);
  const float magnitude = std::fabs(value);
  if (magnitude >= 65520.0f) return static_cast<uint16_t>(sign | 0x7c00);  // rounds to infinity
  if (magnitude < 0x1p-14f) {  // subnormal: a multiple of 2^-24, rounded by the float32 adder
    const float shifted = magnitude * 0x1p24f;
    return static_cast<uint16_t>(sign | static_cast<uint16_t>(std::nearbyint(shifted)));
  }
  const uint32_t absolute = bits & 0x7fffffff;
  const uint32_t rounded = absolute + 0xfff + ((absolute >> 13) & 1);
  return static_cast<uint16_t>(sign | ((rounded >> 13) - ((127 - 15) << 10)));
}

void CopyToFloat(const Tensor& from, int64_t count, float* to) {
  KVSCOPE_CHECK(count >= 0 && count <= from.size(), "more numbers than the tensor has");
  switch (from.dtype()) {
    case DType::kFloat32:
      if (count > 0) std::memcpy(to, from.data(), static_cast<size_t>(count) * sizeof(float));
      return;
    case DType::kBFloat16: {
      const auto* bits = static_cast<const uint16_t*>(from.data());
      for (int64_t i = 0; i < count; ++i) to[i] = BFloat16ToFloat(bits[i]);
      return;
    }
    case DType::kFloat16: {
      const auto* bits = static_cast<const uint16_t*>(from.data());
      for (int64_t i = 0; i < count; ++i) to[i] = Float16ToFloat(bits[i]);
      return;
    }
    default:
      KVSCOPE_CHECK(false, "tensor is not of a floating dtype");
  }
}

}  // namespace kvscope::inference
