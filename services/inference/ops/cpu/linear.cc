#include "services/inference/ops/cpu/linear.h"

#include <omp.h>

#include <algorithm>
#include <bit>
#include <climits>
#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "services/inference/ops/cpu/kernels.h"
#include "services/inference/ops/cpu/narrow.h"

namespace kvscope::inference::cpu {
namespace {

using dnnl::matmul;
using dnnl::memory;

constexpr int64_t kPackRows = 64;  // the row count that the weights' layout is chosen for

// What a product computes in. Without bfloat16 instructions oneDNN is slow or fails, so inputs and
// weights are rounded to bfloat16 but multiplied as float32: the same numbers, summed in another
// order.
enum class Arithmetic { kFloat32, kRoundedFloat32, kBFloat16 };

Arithmetic ArithmeticOf(DType compute) {
  if (compute == DType::kFloat32) return Arithmetic::kFloat32;
  static const bool has_bfloat16 = dnnl::get_effective_cpu_isa() >= dnnl::cpu_isa::avx512_core_bf16;
  return has_bfloat16 ? Arithmetic::kBFloat16 : Arithmetic::kRoundedFloat32;
}

memory::data_type StoredType(Arithmetic arithmetic) {
  return arithmetic == Arithmetic::kBFloat16 ? memory::data_type::bf16 : memory::data_type::f32;
}

struct CpuLinear final : PackedLinear {
  Arithmetic arithmetic = Arithmetic::kFloat32;
  memory weights;
  WeightPanels panels;  // of the same memory; data is null where its layout is another
  Tensor bias;          // float32 [out], or empty
};

// (rows, in, out, stored type, has bias, threads)
using Key = std::tuple<int64_t, int64_t, int64_t, int, bool, int>;

// Runs the calling thread's OpenMP regions on so many threads for a while.
class ThreadLimit {
 public:
  explicit ThreadLimit(int threads) : before_(omp_get_max_threads()) {
    omp_set_num_threads(std::min(threads, before_));
  }
  ~ThreadLimit() { omp_set_num_threads(before_); }
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  int before_;
};

struct Primitive {
  matmul kernel;
  memory x, y, bias;  // handles are set for each call
};

memory::desc Matrix(int64_t rows, int64_t columns, memory::data_type type) {
  return memory::desc({rows, columns}, type, memory::format_tag::ab);
}

// oneDNN's usual layout for a processor with AVX-512 is that of WeightPanels.
WeightPanels PanelsOf(const memory& weights, Arithmetic arithmetic) {
  const bool bfloat16 = arithmetic == Arithmetic::kBFloat16;
  if (!HasNarrowProduct(bfloat16)) return {};
  const dnnl_memory_desc_t& desc = weights.get_desc().data;
  const dnnl_blocking_desc_t& blocks = desc.format_desc.blocking;
  const int64_t inputs = desc.padded_dims[0], depth = bfloat16 ? 32 : 16;
  const bool panels = desc.format_kind == dnnl_blocked &&
                      blocks.inner_nblks == (bfloat16 ? 3 : 2) && blocks.inner_idxs[0] == 0 &&
                      blocks.inner_blks[0] == 16 && blocks.inner_idxs[1] == 1 &&
                      blocks.inner_blks[1] == kPanel &&
                      (!bfloat16 || (blocks.inner_idxs[2] == 0 && blocks.inner_blks[2] == 2)) &&
                      blocks.strides[0] == depth * kPanel && blocks.strides[1] == inputs * kPanel;
  if (!panels) return {};
  return {.data = weights.get_data_handle(), .inputs = inputs, .bfloat16 = bfloat16};
}

}  // namespace

int64_t RoundUpRows(int64_t rows) {
  // A primitive costs about 0.2 ms once, so the sizes lie close: a few percent of padding.
  if (rows <= 16) return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(rows)));
  const int64_t step = rows <= 64 ? 8 : (rows <= 256 ? 16 : 32);
  return (rows + step - 1) / step * step;
}

struct LinearEngine::State {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::map<Key, Primitive> primitives;
  Tensor x, y;  // padded copies

  matmul::primitive_desc Describe(int64_t rows, const CpuLinear& linear,
                                  const memory::desc& weights) const {
    const memory::desc x = Matrix(rows, linear.in_features, StoredType(linear.arithmetic));
    const memory::desc y = Matrix(rows, linear.out_features, memory::data_type::f32);
    const memory::desc bias = Matrix(1, linear.out_features, memory::data_type::f32);
    return linear.bias.empty() ? matmul::primitive_desc(matmul::desc(x, weights, y), engine)
                               : matmul::primitive_desc(matmul::desc(x, weights, bias, y), engine);
  }

  Primitive& Find(int64_t rows, const CpuLinear& linear) {
    const Key key{rows,
                  linear.in_features,
                  linear.out_features,
                  static_cast<int>(StoredType(linear.arithmetic)),
                  !linear.bias.empty(),
                  omp_get_max_threads()};
    const auto found = primitives.find(key);
    if (found != primitives.end()) return found->second;
    const matmul::primitive_desc desc = Describe(rows, linear, linear.weights.get_desc());
    Primitive product{matmul(desc), memory(desc.src_desc(), engine, nullptr),
                      memory(desc.dst_desc(), engine, nullptr), memory()};
    if (!linear.bias.empty()) product.bias = memory(desc.bias_desc(), engine, nullptr);
    return primitives.emplace(key, std::move(product)).first->second;
  }

  Tensor Padded(Tensor& scratch, DType dtype, int64_t size) {
    if (scratch.empty() || scratch.size_bytes() < static_cast<size_t>(size) * DTypeSize(dtype)) {
      scratch = Tensor();
      scratch = AllocateHost(DType::kFloat32, {size});
    }
    return scratch;
  }

  // A few rows, by a kernel of our own. Its inputs are as wide as the panels.
  void RunNarrow(const CpuLinear& linear, const float* from, int64_t rows, float* to) {
    const int64_t in = linear.in_features, width = linear.panels.inputs;
    const void* input = from;
    if (linear.panels.bfloat16) {
      auto* bits =
          static_cast<uint16_t*>(Padded(x, DType::kFloat32, (rows * width + 1) / 2).data());
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t i = 0; i < in; ++i) bits[r * width + i] = FloatToBFloat16(from[r * in + i]);
        std::fill(bits + r * width + in, bits + (r + 1) * width, uint16_t{0});
      }
      input = bits;
    } else if (width != in || linear.arithmetic == Arithmetic::kRoundedFloat32) {
      const bool rounds = linear.arithmetic == Arithmetic::kRoundedFloat32;
      float* floats = Padded(x, DType::kFloat32, rows * width).f32();
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t i = 0; i < in; ++i) {
          const float value = from[r * in + i];
          floats[r * width + i] = rounds ? BFloat16ToFloat(FloatToBFloat16(value)) : value;
        }
        std::fill(floats + r * width + in, floats + (r + 1) * width, 0.0f);
      }
      input = floats;
    }
    NarrowProduct(input, rows, linear.panels, linear.bias.empty() ? nullptr : linear.bias.f32(),
                  linear.out_features, to);
  }

  // Rounds or pads x [rows, in] into scratch memory, or passes it through.
  void* PrepareInput(const CpuLinear& linear, const float* from, int64_t rows, int64_t padded) {
    if (linear.arithmetic == Arithmetic::kFloat32 && rows == padded) {
      return const_cast<float*>(from);
    }
    const int64_t count = rows * linear.in_features, all = padded * linear.in_features;
    void* to = Padded(x, DType::kFloat32, all).data();
    if (linear.arithmetic == Arithmetic::kBFloat16) {
      auto* bits = static_cast<uint16_t*>(to);
#pragma omp parallel for simd schedule(static) if (count > (1 << 16))
      for (int64_t i = 0; i < count; ++i) bits[i] = FloatToBFloat16(from[i]);
      std::fill(bits + count, bits + all, uint16_t{0});
      return to;
    }
    auto* floats = static_cast<float*>(to);
    if (linear.arithmetic == Arithmetic::kFloat32) {
      std::copy_n(from, count, floats);
    } else {
      for (int64_t i = 0; i < count; ++i) floats[i] = BFloat16ToFloat(FloatToBFloat16(from[i]));
    }
    std::fill(floats + count, floats + all, 0.0f);
    return to;
  }

  void RunRows(const CpuLinear& linear, const float* from, int64_t rows, float* to) {
    if (rows <= kNarrowRows && linear.panels.data != nullptr) {
      return RunNarrow(linear, from, rows, to);
    }
    const int64_t padded = RoundUpRows(rows);
    const ThreadLimit limit(
        Parallel(2 * padded * linear.in_features * linear.out_features) ? INT_MAX : 1);
    Primitive& product = Find(padded, linear);
    product.x.set_data_handle(PrepareInput(linear, from, rows, padded));
    float* result =
        padded == rows ? to : Padded(y, DType::kFloat32, padded * linear.out_features).f32();
    product.y.set_data_handle(result);
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, product.x}, {DNNL_ARG_WEIGHTS, linear.weights}, {DNNL_ARG_DST, product.y}};
    if (!linear.bias.empty()) {
      product.bias.set_data_handle(linear.bias.f32());
      arguments.emplace(DNNL_ARG_BIAS, product.bias);
    }
    product.kernel.execute(stream, arguments);
    stream.wait();
    if (result != to) std::copy_n(result, rows * linear.out_features, to);
  }
};

LinearEngine::LinearEngine() : state_(std::make_unique<State>()) {}
LinearEngine::~LinearEngine() = default;

std::unique_ptr<PackedLinear> LinearEngine::Pack(const Tensor& weight, const Tensor& bias,
                                                 DType compute) {
  auto linear = std::make_unique<CpuLinear>();
  linear->out_features = weight.dim(0);
  linear->in_features = weight.dim(1);
  linear->arithmetic = ArithmeticOf(compute);
  if (!bias.empty()) {
    linear->bias = AllocateHost(DType::kFloat32, {bias.dim(0)});
    CopyToFloat(bias, bias.size(), linear->bias.f32());
  }
  // The rows of [out, in] are the columns of oneDNN's [in, out].
  const memory::data_type stored = StoredType(linear->arithmetic);
  Tensor rounded = weight;
  if (linear->arithmetic == Arithmetic::kBFloat16 && weight.dtype() != DType::kBFloat16) {
    rounded = AllocateHost(DType::kBFloat16, weight.shape());
    auto* bits = static_cast<uint16_t*>(rounded.data());
    for (int64_t r = 0; r < weight.dim(0); ++r) {
      std::vector<float> row(static_cast<size_t>(weight.dim(1)));
      CopyToFloat(weight.Slice(r, 1), weight.dim(1), row.data());
      std::transform(row.begin(), row.end(), bits + r * weight.dim(1), FloatToBFloat16);
    }
  } else if (linear->arithmetic != Arithmetic::kBFloat16 &&
             (weight.dtype() != DType::kFloat32 ||
              linear->arithmetic == Arithmetic::kRoundedFloat32)) {
    rounded = AllocateHost(DType::kFloat32, weight.shape());
    CopyToFloat(weight, weight.size(), rounded.f32());
    if (linear->arithmetic == Arithmetic::kRoundedFloat32) {
      for (int64_t i = 0; i < rounded.size(); ++i) {
        rounded.f32()[i] = BFloat16ToFloat(FloatToBFloat16(rounded.f32()[i]));
      }
    }
  }
  const memory::dims shape = {linear->in_features, linear->out_features};
  memory plain(memory::desc(shape, stored, memory::format_tag::ba), state_->engine, rounded.data());
  const memory::desc any(shape, stored, memory::format_tag::any);
  linear->weights =
      memory(state_->Describe(kPackRows, *linear, any).weights_desc(), state_->engine);
  dnnl::reorder(plain, linear->weights).execute(state_->stream, plain, linear->weights);
  state_->stream.wait();
  linear->panels = PanelsOf(linear->weights, linear->arithmetic);
  return linear;
}

void LinearEngine::Run(const PackedLinear& packed, const Tensor& x, const Tensor& y) {
  const auto& linear = dynamic_cast<const CpuLinear&>(packed);
  for (int64_t begin = 0; begin < x.dim(0); begin += kMaxLinearRows) {
    const int64_t rows = std::min(kMaxLinearRows, x.dim(0) - begin);
    state_->RunRows(linear, x.f32() + begin * linear.in_features, rows,
                    y.f32() + begin * linear.out_features);
  }
}

}  // namespace kvscope::inference::cpu
