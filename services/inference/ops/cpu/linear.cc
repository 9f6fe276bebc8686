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
#include "services/inference/ops/cpu/panels.h"

namespace kvscope::inference::cpu {
namespace {

using dnnl::matmul;
using dnnl::memory;

constexpr int64_t kPackRows = 64;  // the row count that the weights' layout is chosen for

// Who multiplies many rows of bfloat16. oneDNN uses the processor's bfloat16 instructions, which
// are the fastest way with AMX and on AMD's processors; Intel's without AMX take twice as long for
// them as for float32's (measured on Sapphire Rapids: 85 against 156 GFLOP/s a core), and older
// processors have none.
bool LibraryMultipliesBFloat16() {
  const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
  if (isa >= dnnl::cpu_isa::avx512_core_amx) return true;
  return isa >= dnnl::cpu_isa::avx512_core_bf16 && __builtin_cpu_is("amd");
}

struct CpuLinear final : PackedLinear {
  DType compute = DType::kFloat32;  // bfloat16: inputs and weights are rounded to it
  memory weights;                   // the library's; empty where it multiplies nothing
  Tensor panel_memory;
  WeightPanels panels;  // of either; data is null where the library's layout is another
  Tensor bias;          // float32 [out], or empty

  bool only_panels() const { return !panel_memory.empty(); }
  memory::data_type stored_type() const {
    return compute == DType::kBFloat16 ? memory::data_type::bf16 : memory::data_type::f32;
  }
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
WeightPanels PanelsOf(const memory& weights, bool bfloat16) {
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

// The nearest bfloat16 numbers, as float32.
void RoundToBFloat16(const float* from, int64_t count, float* to) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    to[i] = std::bit_cast<float>(BFloat16Bits(std::bit_cast<uint32_t>(from[i])));
  }
}

// A matrix in the dtype that products compute in.
Tensor Rounded(const Tensor& weight, DType compute) {
  if (weight.dtype() == compute) return weight;
  Tensor rounded = AllocateHost(compute, weight.shape());
  if (compute == DType::kFloat32) {
    CopyToFloat(weight, weight.size(), rounded.f32());
    return rounded;
  }
  auto* bits = static_cast<uint16_t*>(rounded.data());
  std::vector<float> row(static_cast<size_t>(weight.dim(1)));
  for (int64_t r = 0; r < weight.dim(0); ++r) {
    CopyToFloat(weight.Slice(r, 1), weight.dim(1), row.data());
    std::transform(row.begin(), row.end(), bits + r * weight.dim(1), FloatToBFloat16);
  }
  return rounded;
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
    const memory::desc x = Matrix(rows, linear.in_features, linear.stored_type());
    const memory::desc y = Matrix(rows, linear.out_features, memory::data_type::f32);
    const memory::desc bias = Matrix(1, linear.out_features, memory::data_type::f32);
    return linear.bias.empty() ? matmul::primitive_desc(matmul::desc(x, weights, y), engine)
                               : matmul::primitive_desc(matmul::desc(x, weights, bias, y), engine);
  }

  Primitive& Find(int64_t rows, const CpuLinear& linear) {
    const Key key{rows,
                  linear.in_features,
                  linear.out_features,
                  static_cast<int>(linear.stored_type()),
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

  // x [rows, in] as our own kernels read it: float32, rounded if the product is in bfloat16, as
  // wide as the panels, in blocks of `depth` inputs.
  const float* PanelInput(const CpuLinear& linear, const float* from, int64_t rows, int64_t depth) {
    const int64_t in = linear.in_features, width = linear.panels.inputs;
    const bool rounds = linear.compute == DType::kBFloat16;
    if (!rounds && width == in && depth >= width) return from;
    float* to = Padded(x, DType::kFloat32, rows * width).f32();
#pragma omp parallel for schedule(static) if (rows * width > (1 << 16))
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t begin = 0; begin < width; begin += depth) {
        const int64_t block = std::min(depth, width - begin), there = std::min(block, in - begin);
        float* row = to + begin * rows + r * block;
        if (rounds) {
          RoundToBFloat16(from + r * in + begin, there, row);
        } else {
          std::copy_n(from + r * in + begin, there, row);
        }
        std::fill(row + there, row + block, 0.0f);
      }
    }
    return to;
  }

  // Rounds or pads x [rows, in] for the library, or passes it through.
  void* LibraryInput(const CpuLinear& linear, const float* from, int64_t rows, int64_t padded) {
    if (linear.compute == DType::kFloat32 && rows == padded) return const_cast<float*>(from);
    const int64_t count = rows * linear.in_features, all = padded * linear.in_features;
    void* to = Padded(x, DType::kFloat32, all).data();
    if (linear.compute == DType::kFloat32) {
      auto* floats = static_cast<float*>(to);
      std::copy_n(from, count, floats);
      std::fill(floats + count, floats + all, 0.0f);
      return to;
    }
    auto* bits = static_cast<uint16_t*>(to);
#pragma omp parallel for simd schedule(static) if (count > (1 << 16))
    for (int64_t i = 0; i < count; ++i) {
      bits[i] = static_cast<uint16_t>(BFloat16Bits(std::bit_cast<uint32_t>(from[i])) >> 16);
    }
    std::fill(bits + count, bits + all, uint16_t{0});
    return to;
  }

  // Our own kernels take few rows, bfloat16 that the processor is slow in, and what the library
  // would have to pad or to make a primitive for; large products of whole tiles are the library's.
  bool ByLibrary(const CpuLinear& linear, int64_t rows) const {
    if (linear.panels.data == nullptr) return true;
    if (rows <= kNarrowRows || linear.only_panels()) return false;
    if (linear.compute == DType::kBFloat16) return true;
    return linear.in_features > kDepth && RoundUpRows(rows) == rows;
  }

  void RunRows(const CpuLinear& linear, const float* from, int64_t rows, float* to) {
    if (ByLibrary(linear, rows)) return RunLibrary(linear, from, rows, to);
    const bool narrow = rows <= kNarrowRows;
    const float* input = PanelInput(linear, from, rows, narrow ? linear.panels.inputs : kDepth);
    const float* bias = linear.bias.empty() ? nullptr : linear.bias.f32();
    (narrow ? NarrowProduct : WideProduct)(input, rows, linear.panels, bias, linear.out_features,
                                           to);
  }

  void RunLibrary(const CpuLinear& linear, const float* from, int64_t rows, float* to) {
    const int64_t padded = RoundUpRows(rows);
    const ThreadLimit limit(
        Parallel(2 * padded * linear.in_features * linear.out_features) ? INT_MAX : 1);
    Primitive& product = Find(padded, linear);
    product.x.set_data_handle(LibraryInput(linear, from, rows, padded));
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
  linear->compute = compute;
  if (!bias.empty()) {
    linear->bias = AllocateHost(DType::kFloat32, {bias.dim(0)});
    CopyToFloat(bias, bias.size(), linear->bias.f32());
  }
  const Tensor rounded = Rounded(weight, compute);
  static const bool library = LibraryMultipliesBFloat16();
  if (compute == DType::kBFloat16 && !library) {
    linear->panels = PackPanels(rounded, linear->panel_memory);
    return linear;
  }
  // The rows of [out, in] are the columns of oneDNN's [in, out].
  const memory::data_type stored = linear->stored_type();
  const memory::dims shape = {linear->in_features, linear->out_features};
  memory plain(memory::desc(shape, stored, memory::format_tag::ba), state_->engine, rounded.data());
  const memory::desc any(shape, stored, memory::format_tag::any);
  linear->weights =
      memory(state_->Describe(kPackRows, *linear, any).weights_desc(), state_->engine);
  dnnl::reorder(plain, linear->weights).execute(state_->stream, plain, linear->weights);
  state_->stream.wait();
  linear->panels = PanelsOf(linear->weights, compute == DType::kBFloat16);
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
