// Ops: everything that a backend must do. One page is the whole vocabulary of the engine.
//
// Activations are float32, row-major; `rows` is the number of tokens in the step. Weights are
// packed once by the backend (`Pack`) in the dtype that the run computes in; products accumulate in
// float32. Shapes are CHECKed. Equal inputs, dtype and thread count give equal bits; ties of an
// argmax go to the lower index. Spans of int32_t are host memory; a backend copies them where it
// needs them. One Ops serves one thread at a time (it owns scratch memory); it uses the machine's
// cores by itself.
//
// Attention, norms and everything a row at a time give a row the same bits whatever else is in the
// step. Products of a library need not, as it may sum in another order for another number of rows:
// `Linear`, and on a GPU `Grid` over keep sets that keep most.
//
// A backend whose device is not the host may fall behind: what an op gives to the host it has given
// when the op returns, but for the captures of Grid. Where the device cannot go on, DeviceError.
#pragma once

#include <climits>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "services/inference/tensor/tensor.h"

namespace kvscope::inference {

// A linear layer's weights in a backend's own layout. Made by `Ops::Pack`, used by the same
// backend.
class PackedLinear {
 public:
  virtual ~PackedLinear() = default;
  int64_t in_features = 0;
  int64_t out_features = 0;
};

// Attention of the rows of all streams of a passage over ONE shared context cache, each row through
// its own keep set, then over the stream's own suffix (question and answer so far). Softmax runs
// over both together.
struct GridAttention {
  Tensor q;        // [rows, q_heads, head_dim], after RoPE
  Tensor k, v;     // [kv_heads, tokens (capacity may be larger), head_dim], the shared context
  int64_t tokens;  // context tokens in use
  Tensor keep;     // u64 [sets, kv_heads, words], words = ceil(tokens / 64); bit t % 64 of word t /
                   // 64: kept
  std::span<const int32_t> kept;      // [sets, kv_heads] how many tokens each of these keeps
  std::span<const int32_t> row_set;   // [rows] which keep set the row sees
  Tensor suffix_k, suffix_v;          // [slots, kv_heads, capacity, head_dim]
  std::span<const int32_t> row_slot;  // [rows] which suffix the row belongs to
  std::span<const int32_t>
      row_suffix_length;  // [rows] suffix positions that the row sees (>= 1, itself included)
  // Rows with row_capture[r] >= 0 are watched: it names the answer span, a row of `spans`. Empty:
  // none is.
  std::span<const int32_t> row_capture;  // [rows] or empty
  std::span<const uint64_t> spans;       // [number of spans, words]: context tokens of each answer
};

// What the watched rows saw, on the host. Sized by the caller [rows, q_heads]; other rows are left
// alone. It is there when the next Argmax or ToHost returns; until then the memory must stay.
struct GridCapture {
  std::span<int32_t> top_token;  // context token with the largest weight among the kept ones; ties
                                 // to the earlier token; -1 where the head kept none
  std::span<float>
      top_weight;  // its softmax weight (over context and suffix); 0 where there is none
  std::span<float> answer_mass;  // softmax weight on the kept tokens of the answer span
};

// Of a device with memory of its own, in bytes.
struct DeviceMemoryState {
  int64_t total = 0;
  int64_t free = 0;  // for this backend, what it keeps in reserve included
  int64_t used = 0;  // by this backend
};

class Ops {
 public:
  virtual ~Ops() = default;
  virtual std::string_view name() const = 0;  // "reference", "cpu", "cuda"

  // The largest head_dim that attention is computed for.
  virtual int most_head_dim() const { return INT_MAX; }
  // Whether `Tensor::data` of this backend is host memory, so that a host may read it in place.
  virtual bool uses_host_memory() const { return false; }
  // None where tensors are host memory.
  virtual std::optional<DeviceMemoryState> memory() { return std::nullopt; }
  // Takes `bytes` for tensors that are still to be allocated, so that none of them has to wait for
  // the driver or finds too little left. False where there is too little. Where tensors are host
  // memory nothing is taken.
  virtual bool ReserveMemory(int64_t bytes) {
    static_cast<void>(bytes);
    return true;
  }
  // Memory of this backend, and copies between it and the host (whole tensors; equal sizes).
  virtual Tensor Allocate(DType dtype, std::vector<int64_t> shape) = 0;
  virtual void ToDevice(const void* host, const Tensor& to) = 0;
  virtual void ToHost(const Tensor& from, void* host) = 0;
  // A tensor of this backend with the host tensor's content; the same memory where it uses the
  // host's.
  Tensor Upload(const Tensor& host);
  // As ToHost, while later ops run: the function that it returns waits for the copy, in any thread.
  // `from` must not be written before that. `host` is fastest from AllocateForCopies.
  virtual std::function<void()> StartToHost(const Tensor& from, void* host) {
    ToHost(from, host);
    return [] {};
  }
  virtual Tensor AllocateForCopies(DType dtype, std::vector<int64_t> shape) {
    return AllocateHost(dtype, std::move(shape));
  }

  // From here to the next Argmax or ToHost is one of many steps that are much alike. A backend may
  // hold its ops back and start them together.
  virtual void BeginStep() {}

  // weight: host, float32/bfloat16/float16 [out, in]; bias: host, same dtypes, [out], or empty.
  // `compute` is kFloat32 or kBFloat16: in the latter inputs and weights are rounded to bfloat16.
  virtual std::unique_ptr<PackedLinear> Pack(const Tensor& weight, const Tensor& bias,
                                             DType compute) = 0;
  // y[rows, out] = x[rows, in] · weightᵀ + bias
  virtual void Linear(const PackedLinear& linear, const Tensor& x, const Tensor& y) = 0;

  // y[rows, hidden] = table[ids[r]]; table: float32 or bfloat16 [vocab, hidden], on the device.
  virtual void Embed(const Tensor& table, std::span<const int32_t> ids, const Tensor& y) = 0;
  // y = x · rsqrt(mean(x²) + eps) · weight, over the last dimension of x [rows, width]. y may be x.
  virtual void RmsNorm(const Tensor& x, const Tensor& weight, float eps, const Tensor& y) = 0;
  // x += y, then `normed` = RmsNorm(x): the same bits as the two ops one after the other.
  virtual void AddRmsNorm(const Tensor& x, const Tensor& y, const Tensor& weight, float eps,
                          const Tensor& normed) {
    Add(x, y);
    RmsNorm(x, weight, eps, normed);
  }
  // Rotates x [rows, heads, head_dim] in place: pairs (i, i + head_dim/2) by the angle position ·
  // inv_freq[i]. cos and sin are float32 of a float32 product, as transformers computes them; both
  // times `scale`.
  virtual void Rope(const Tensor& x, std::span<const int32_t> positions,
                    std::span<const float> inv_freq, float scale) = 0;
  // y[rows, width] = silu(gate) · up, where x[rows, 2·width] holds gate then up.
  virtual void SwiGlu(const Tensor& x, const Tensor& y) = 0;
  // x += y
  virtual void Add(const Tensor& x, const Tensor& y) = 0;
  // y[rows, width] = x[rows, begin .. begin + width): one part of a fused product.
  virtual void Columns(const Tensor& x, int64_t begin, const Tensor& y) = 0;
  // y[i] = x[rows[i]]: picks rows of [n, width].
  virtual void Rows(const Tensor& x, std::span<const int32_t> rows, const Tensor& y) = 0;

  // Puts rows x[rows, kv_heads, head_dim] into a cache [slots, kv_heads, capacity, head_dim] (a
  // context cache has one slot and may have 3 dimensions), row r at (slots[r], positions[r]).
  virtual void StoreKv(const Tensor& x, std::span<const int32_t> slots,
                       std::span<const int32_t> positions, const Tensor& cache) = 0;
  // Prefill: out[rows, q_heads, head_dim]; row r stands at position first + r and sees cache
  // positions 0 .. first + r. scale = 1/sqrt(head_dim). k, v: [kv_heads, capacity, head_dim].
  // weights: empty, or host float32 [q_heads, rows, first + rows] to fill (for `inspect forward
  // --attention` only: everything else never holds [tokens, tokens]); out may then differ in its
  // last bits.
  virtual void CausalAttention(const Tensor& q, const Tensor& k, const Tensor& v, int64_t first,
                               const Tensor& out, const Tensor& weights) = 0;
  // out[rows, q_heads, head_dim]
  virtual void Grid(const GridAttention& args, const Tensor& out, const GridCapture& capture) = 0;
  // ids[r] = argmax of logits[r]; logits [rows, vocab].
  virtual void Argmax(const Tensor& logits, std::span<int32_t> ids) = 0;
};

}  // namespace kvscope::inference
