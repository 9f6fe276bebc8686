#include "services/inference/ops/reference/reference_ops.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "services/inference/ops/shapes.h"
#include "services/inference/tensor/check.h"

namespace kvscope::inference {
namespace {

float RoundToBFloat16(float value) { return BFloat16ToFloat(FloatToBFloat16(value)); }

// Sums in double: the judge should not add noise of its own.
float Dot(const float* a, const float* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * b[i];
  return static_cast<float>(sum);
}

struct ReferenceLinear final : PackedLinear {
  std::vector<float> weight;  // [out, in]
  std::vector<float> bias;    // [out] or empty
  bool round_inputs = false;
};

class ReferenceOps final : public Ops {
 public:
  std::string_view name() const override { return "reference"; }
  bool uses_host_memory() const override { return true; }

  Tensor Allocate(DType dtype, std::vector<int64_t> shape) override {
    return AllocateHost(dtype, std::move(shape));
  }
  void ToDevice(const void* host, const Tensor& to) override {
    std::memcpy(to.data(), host, to.size_bytes());
  }
  void ToHost(const Tensor& from, void* host) override {
    std::memcpy(host, from.data(), from.size_bytes());
  }

  std::unique_ptr<PackedLinear> Pack(const Tensor& weight, const Tensor& bias,
                                     DType compute) override {
    CheckPack(weight, bias, compute);
    auto linear = std::make_unique<ReferenceLinear>();
    linear->out_features = weight.dim(0);
    linear->in_features = weight.dim(1);
    linear->weight.resize(static_cast<size_t>(weight.size()));
    CopyToFloat(weight, weight.size(), linear->weight.data());
    if (compute == DType::kBFloat16) {
      for (float& w : linear->weight) w = RoundToBFloat16(w);
      linear->round_inputs = true;
    }
    if (!bias.empty()) {
      linear->bias.resize(static_cast<size_t>(bias.size()));
      CopyToFloat(bias, bias.size(), linear->bias.data());
    }
    return linear;
  }

  void Linear(const PackedLinear& packed, const Tensor& x, const Tensor& y) override {
    CheckLinear(packed, x, y);
    const auto& linear = dynamic_cast<const ReferenceLinear&>(packed);
    std::vector<float> row(static_cast<size_t>(linear.in_features));
    for (int64_t r = 0; r < x.dim(0); ++r) {
      std::copy_n(x.f32() + r * linear.in_features, linear.in_features, row.begin());
      if (linear.round_inputs) std::transform(row.begin(), row.end(), row.begin(), RoundToBFloat16);
      for (int64_t o = 0; o < linear.out_features; ++o) {
        const float* weight = linear.weight.data() + o * linear.in_features;
        const float bias = linear.bias.empty() ? 0.0f : linear.bias[static_cast<size_t>(o)];
        y.f32()[r * linear.out_features + o] = Dot(row.data(), weight, linear.in_features) + bias;
      }
    }
  }

  void Embed(const Tensor& table, std::span<const int32_t> ids, const Tensor& y) override {
    CheckEmbed(table, ids, y);
    for (size_t r = 0; r < ids.size(); ++r) {
      CopyToFloat(table.Slice(ids[r], 1), table.dim(1),
                  y.f32() + static_cast<int64_t>(r) * table.dim(1));
    }
  }

  void RmsNorm(const Tensor& x, const Tensor& weight, float eps, const Tensor& y) override {
    CheckRmsNorm(x, weight, y);
    const int64_t width = weight.dim(0);
    for (int64_t r = 0; r < x.size() / width; ++r) {
      const float* from = x.f32() + r * width;
      const float mean_square = Dot(from, from, width) / static_cast<float>(width);
      const float factor = 1.0f / std::sqrt(mean_square + eps);
      for (int64_t i = 0; i < width; ++i) {
        y.f32()[r * width + i] = from[i] * factor * weight.f32()[i];
      }
    }
  }

  void Rope(const Tensor& x, std::span<const int32_t> positions, std::span<const float> inv_freq,
            float scale) override {
    CheckRope(x, positions, inv_freq);
    const int64_t heads = x.dim(1), half = x.dim(2) / 2;
    for (int64_t r = 0; r < x.dim(0); ++r) {
      for (int64_t i = 0; i < half; ++i) {
        const float angle = static_cast<float>(positions[static_cast<size_t>(r)]) *
                            inv_freq[static_cast<size_t>(i)];
        const float cos = std::cos(angle) * scale, sin = std::sin(angle) * scale;
        for (int64_t h = 0; h < heads; ++h) {
          float* head = x.f32() + (r * heads + h) * 2 * half;
          const float first = head[i], second = head[i + half];
          head[i] = first * cos - second * sin;
          head[i + half] = second * cos + first * sin;
        }
      }
    }
  }

  void SwiGlu(const Tensor& x, const Tensor& y) override {
    CheckSwiGlu(x, y);
    const int64_t width = RowWidth(y);
    for (int64_t r = 0; r < y.dim(0); ++r) {
      for (int64_t i = 0; i < width; ++i) {
        const float gate = x.f32()[r * 2 * width + i], up = x.f32()[r * 2 * width + width + i];
        y.f32()[r * width + i] = gate / (1.0f + std::exp(-gate)) * up;
      }
    }
  }

  void Add(const Tensor& x, const Tensor& y) override {
    CheckAdd(x, y);
    for (int64_t i = 0; i < x.size(); ++i) x.f32()[i] += y.f32()[i];
  }

  void Columns(const Tensor& x, int64_t begin, const Tensor& y) override {
    CheckColumns(x, begin, y);
    for (int64_t r = 0; r < y.dim(0); ++r) {
      std::copy_n(x.f32() + r * RowWidth(x) + begin, RowWidth(y), y.f32() + r * RowWidth(y));
    }
  }

  void Rows(const Tensor& x, std::span<const int32_t> rows, const Tensor& y) override {
    CheckRows(x, rows, y);
    const int64_t width = RowWidth(x);
    for (size_t i = 0; i < rows.size(); ++i) {
      std::copy_n(x.f32() + rows[i] * width, width, y.f32() + static_cast<int64_t>(i) * width);
    }
  }

  void StoreKv(const Tensor& x, std::span<const int32_t> slots, std::span<const int32_t> positions,
               const Tensor& cache) override {
    CheckStoreKv(x, slots, positions, cache);
    const int64_t heads = x.dim(1), dim = x.dim(2);
    const int64_t capacity = cache.dim(static_cast<int>(cache.shape().size()) - 2);
    for (size_t r = 0; r < slots.size(); ++r) {
      for (int64_t h = 0; h < heads; ++h) {
        const int64_t to = ((slots[r] * heads + h) * capacity + positions[r]) * dim;
        std::copy_n(x.f32() + (static_cast<int64_t>(r) * heads + h) * dim, dim, cache.f32() + to);
      }
    }
  }

  void CausalAttention(const Tensor& q, const Tensor& k, const Tensor& v, int64_t first,
                       const Tensor& out, const Tensor& weights) override {
    CheckCausalAttention(q, k, v, first, out, weights);
    const int64_t rows = q.dim(0), heads = q.dim(1), dim = q.dim(2), width = first + rows;
    const int64_t capacity = k.dim(1), group = heads / k.dim(0);
    for (int64_t h = 0; h < heads; ++h) {
      const float* keys = k.f32() + h / group * capacity * dim;
      const float* values = v.f32() + h / group * capacity * dim;
      for (int64_t r = 0; r < rows; ++r) {
        std::vector<Source> sources;
        for (int64_t t = 0; t <= first + r; ++t) {
          sources.push_back({keys + t * dim, values + t * dim});
        }
        const int64_t row = (r * heads + h) * dim;
        const std::vector<float> seen = Attend(q.f32() + row, sources, dim, out.f32() + row);
        if (weights.empty()) continue;
        float* to = weights.f32() + (h * rows + r) * width;
        std::fill_n(to, width, 0.0f);
        std::copy(seen.begin(), seen.end(), to);
      }
    }
  }

  void Grid(const GridAttention& args, const Tensor& out, const GridCapture& capture) override {
    CheckGrid(args, out, capture);
    const int64_t heads = args.q.dim(1);
    for (int64_t r = 0; r < args.q.dim(0); ++r) {
      for (int64_t h = 0; h < heads; ++h) GridRow(args, r, h, out, capture);
    }
  }

  void Argmax(const Tensor& logits, std::span<int32_t> ids) override {
    CheckArgmax(logits, ids);
    const int64_t vocab = RowWidth(logits);
    for (size_t r = 0; r < ids.size(); ++r) {
      const float* row = logits.f32() + static_cast<int64_t>(r) * vocab;
      ids[r] = static_cast<int32_t>(std::max_element(row, row + vocab) - row);
    }
  }

 private:
  struct Source {
    const float* key;
    const float* value;
  };

  // Softmax attention of one query over `sources`; returns the weights.
  static std::vector<float> Attend(const float* q, const std::vector<Source>& sources, int64_t dim,
                                   float* out) {
    const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
    std::vector<float> weights;
    weights.reserve(sources.size());
    for (const Source& source : sources) weights.push_back(Dot(q, source.key, dim) * scale);
    const float max = *std::max_element(weights.begin(), weights.end());
    double sum = 0;
    for (float& w : weights) sum += w = std::exp(w - max);
    for (float& w : weights) w = static_cast<float>(w / sum);
    for (int64_t i = 0; i < dim; ++i) {
      double value = 0;
      for (size_t s = 0; s < sources.size(); ++s) {
        value += static_cast<double>(weights[s]) * sources[s].value[i];
      }
      out[i] = static_cast<float>(value);
    }
    return weights;
  }

  static void GridRow(const GridAttention& args, int64_t r, int64_t h, const Tensor& out,
                      const GridCapture& capture) {
    const int64_t heads = args.q.dim(1), dim = args.q.dim(2), kv_heads = args.k.dim(0);
    const int64_t kv_head = h / (heads / kv_heads), words = args.keep.dim(2);
    const auto row = static_cast<size_t>(r);
    const auto bit = [](const uint64_t* bits, int64_t t) { return bits[t / 64] >> t % 64 & 1; };

    std::vector<Source> sources;
    std::vector<int64_t> kept;
    const int64_t list = args.row_set[row] * kv_heads + kv_head;
    const uint64_t* keep = args.keep.u64() + list * words;
    for (int64_t t = 0; t < args.tokens; ++t) {
      if (!bit(keep, t)) continue;
      const int64_t at = (kv_head * args.k.dim(1) + t) * dim;
      sources.push_back({args.k.f32() + at, args.v.f32() + at});
      kept.push_back(t);
    }
    const int64_t suffix = (args.row_slot[row] * kv_heads + kv_head) * args.suffix_k.dim(2);
    for (int64_t s = 0; s < args.row_suffix_length[row]; ++s) {
      const int64_t at = (suffix + s) * dim;
      sources.push_back({args.suffix_k.f32() + at, args.suffix_v.f32() + at});
    }
    KVSCOPE_CHECK(static_cast<int64_t>(kept.size()) == args.kept[static_cast<size_t>(list)],
                  "as many tokens as `kept` says");
    const int64_t index = r * heads + h;
    const std::vector<float> weights =
        Attend(args.q.f32() + index * dim, sources, dim, out.f32() + index * dim);

    if (args.row_capture.empty() || args.row_capture[row] < 0) return;
    const uint64_t* span = args.spans.data() + args.row_capture[row] * words;
    int32_t top = -1;
    float top_weight = 0;
    double mass = 0;
    for (size_t i = 0; i < kept.size(); ++i) {
      if (top < 0 || weights[i] > top_weight) {
        top = static_cast<int32_t>(kept[i]);
        top_weight = weights[i];
      }
      if (bit(span, kept[i])) mass += weights[i];
    }
    capture.top_token[static_cast<size_t>(index)] = top;
    capture.top_weight[static_cast<size_t>(index)] = top_weight;
    capture.answer_mass[static_cast<size_t>(index)] = static_cast<float>(mass);
  }
};

}  // namespace

std::unique_ptr<Ops> MakeReferenceOps() { return std::make_unique<ReferenceOps>(); }

}  // namespace kvscope::inference
