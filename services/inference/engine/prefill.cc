#include "services/inference/engine/prefill.h"

#include <algorithm>
#include <functional>
#include <future>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/status_macros.h"

namespace kvscope::inference {
namespace {

constexpr int64_t kBlockRows = Workspace::kPieceRows;
constexpr int64_t kLogitRows = 256;  // rows whose logits are held on the device at once

absl::Status CheckPrompt(const ModelConfig& config, std::span<const int32_t> ids) {
  if (ids.empty()) return absl::InvalidArgumentError("the prompt has no tokens");
  if (static_cast<int64_t>(ids.size()) > config.max_positions) {
    return absl::InvalidArgumentError(absl::StrCat("the prompt has ", ids.size(),
                                                   " tokens, the model has ", config.max_positions,
                                                   " positions (max_position_embeddings)"));
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && ids[i] < config.vocab_size) continue;
    return absl::InvalidArgumentError(absl::StrCat("token ", i, " of the prompt has the id ",
                                                   ids[i], ", the model's ids are 0 to ",
                                                   config.vocab_size - 1));
  }
  return absl::OkStatus();
}

Tensor HostCopy(Ops& ops, const Tensor& tensor) {
  Tensor host = AllocateHost(tensor.dtype(), tensor.shape());
  ops.ToHost(tensor, host.data());
  return host;
}

// A prompt on its way through the layers.
class Run {
 public:
  Run(const LoadedModel& model, const PrefillRequest& request, Workspace& workspace)
      : model_(model),
        request_(request),
        ops_(*model.ops),
        ws_(workspace),
        tokens_(static_cast<int64_t>(request.ids.size())),
        slots_(request.ids.size(), 0),
        positions_(request.ids.size()) {
    std::iota(positions_.begin(), positions_.end(), 0);
  }

  absl::StatusOr<PrefillResult> Go() {
    const ModelConfig& config = model_.config;
    result_.cache =
        KvCache::Context(ops_, config.layers, config.kv_heads, tokens_, config.head_dim);
    result_.cache.tokens = tokens_;
    residual_ = ws_.Residual(tokens_);
    if (request_.needs.queries && request_.sink) queries_ = ws_.Queries(2 * tokens_);
    model_.decoder->Embed(request_.ids, residual_);
    for (int layer = 0; layer < config.layers; ++layer) {
      if (request_.hidden) result_.hidden.push_back(HostCopy(ops_, residual_));
      if (WantsMean(layer)) AddMean(/*after_norm=*/false);
      KVSCOPE_RETURN_IF_ERROR(Layer(layer));
      if (request_.sink) Show(layer);
    }
    if (request_.hidden) {
      result_.hidden.push_back(
          HostCopy(ops_, model_.decoder->FinalNorm(residual_, positions_, ws_)));
    }
    if (WantsMean(config.layers)) AddMean(/*after_norm=*/true);
    if (shown_.valid()) shown_.get();
    Logits();
    return std::move(result_);
  }

 private:
  // Which rows go on when a layer's keys and values are stored. After the last layer's only those
  // are of use that somebody asked for.
  enum class Finish { kAll, kLastRow, kNone };
  Finish Finishing(int layer) const {
    if (layer + 1 < model_.config.layers || request_.hidden || request_.attention ||
        request_.logits == LogitsWanted::kAll || WantsMean(model_.config.layers)) {
      return Finish::kAll;
    }
    return request_.logits == LogitsWanted::kLast ? Finish::kLastRow : Finish::kNone;
  }

  bool WantsMean(int hidden) const {
    return std::binary_search(request_.mean_layers.begin(), request_.mean_layers.end(), hidden);
  }

  // Appends the mean of the residual stream over the tokens; only a block of it is copied at once.
  void AddMean(bool after_norm) {
    Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(model_.config.hidden_size);
    Tensor host;
    for (int64_t first = 0; first < tokens_; first += kBlockRows) {
      const int64_t count = std::min(kBlockRows, tokens_ - first);
      const Tensor rows = after_norm
                              ? model_.decoder->FinalNorm(residual_, Positions(first, count), ws_)
                              : residual_.Slice(first, count);
      if (!host.empty() && host.dim(0) != count) host = Tensor();
      const float* data = OnHost(rows, host);
      for (int64_t row = 0; row < count; ++row, data += sum.size()) {
        sum += Eigen::Map<const Eigen::RowVectorXf>(data, sum.size()).cast<double>();
      }
    }
    for (const double value : sum) {
      result_.means.push_back(static_cast<float>(value / static_cast<double>(tokens_)));
    }
  }

  std::span<const int32_t> Positions(int64_t first, int64_t count) const {
    return std::span(positions_).subspan(static_cast<size_t>(first), static_cast<size_t>(count));
  }

  absl::Status Layer(int layer) {
    Tensor weights;  // of all rows at once
    if (request_.attention) {
      weights = AllocateHost(DType::kFloat32, {model_.config.q_heads, tokens_, tokens_});
      result_.attention.push_back(weights);
    }
    const int64_t block = request_.attention ? tokens_ : kBlockRows;
    for (int64_t first = 0; first < tokens_; first += block) {
      if (request_.cancelled && request_.cancelled()) {
        return absl::CancelledError("prefill cancelled");
      }
      Block(layer, first, std::min(block, tokens_ - first), weights);
    }
    return absl::OkStatus();
  }

  // Rows [first, first + count) of a layer; those before them have passed.
  void Block(int layer, int64_t first, int64_t count, const Tensor& weights) {
    const Tensor &keys = result_.cache.keys(layer), &values = result_.cache.values(layer);
    const std::span<const int32_t> positions = Positions(first, count);
    const auto slots = std::span<const int32_t>(slots_).first(positions.size());
    ws_.Borrow(residual_.Slice(first, count),
               queries_.empty() ? Tensor() : LayerQueries(layer).Slice(first, count));
    model_.decoder->Qkv(layer, positions, ws_);
    ops_.StoreKv(ws_.k, slots, positions, keys);
    ops_.StoreKv(ws_.v, slots, positions, values);
    const Finish finish = Finishing(layer);
    if (finish == Finish::kNone) return;
    if (finish == Finish::kLastRow) {
      if (first + count < tokens_) return;
      const auto last = static_cast<int32_t>(count - 1);
      ws_.Select({&last, 1});
      first = tokens_ - 1;
    }
    ops_.CausalAttention(ws_.q, keys, values, first, ws_.attention, weights);
    model_.decoder->Finish(layer, ws_);
  }

  // In place where the backend uses the host's memory, else a copy that is reused.
  const float* OnHost(const Tensor& tensor, Tensor& copy) {
    if (ops_.uses_host_memory()) return tensor.f32();
    if (copy.empty()) copy = AllocateHost(tensor.dtype(), tensor.shape());
    ops_.ToHost(tensor, copy.data());
    return copy.f32();
  }

  // The same for a sink, whose copy is made beside the next layer: `arrived` waits for it. There is
  // room for it already.
  const float* OnHostSoon(const Tensor& tensor, const Tensor& copy,
                          std::vector<std::function<void()>>& arrived) {
    if (ops_.uses_host_memory()) return tensor.f32();
    arrived.push_back(ops_.StartToHost(tensor, copy.data()));
    return copy.f32();
  }

  void MakeRoom(const Tensor& tensor, Tensor& copy) {
    if (ops_.uses_host_memory() || !copy.empty()) return;
    copy = ops_.AllocateForCopies(tensor.dtype(), tensor.shape());
  }

  // While the sink reads one layer's, the next layer's are written.
  Tensor LayerQueries(int layer) const { return queries_.Slice(layer % 2 * tokens_, tokens_); }

  void Show(int layer) {
    if (shown_.valid()) shown_.get();
    const ModelConfig& config = model_.config;
    LayerView view;
    view.layer = layer;
    view.layers = config.layers;
    view.tokens = view.sequence_tokens = static_cast<int>(tokens_);
    view.q_heads = config.q_heads;
    view.kv_heads = config.kv_heads;
    view.head_dim = config.head_dim;
    view.capacity = result_.cache.capacity();
    view.rope = &model_.decoder->rope();
    const Needs& needs = request_.needs;
    const auto &keys = result_.cache.keys(layer), &values = result_.cache.values(layer);
    // First: where memory turns out short, no copy into it may be under way.
    if (needs.keys) MakeRoom(keys, host_keys_);
    if (needs.values) MakeRoom(values, host_values_);
    if (needs.queries) MakeRoom(LayerQueries(layer), host_queries_);
    std::vector<std::function<void()>> arrived;
    if (needs.keys) view.keys_data = OnHostSoon(keys, host_keys_, arrived);
    if (needs.values) view.values_data = OnHostSoon(values, host_values_, arrived);
    if (needs.queries) view.queries_data = OnHostSoon(LayerQueries(layer), host_queries_, arrived);
    shown_ = std::async(std::launch::async, [this, view, arrived = std::move(arrived)] {
      for (const std::function<void()>& wait : arrived) wait();
      request_.sink(view);
    });
  }

  void Logits() {
    if (request_.logits == LogitsWanted::kNone) return;
    const bool alone = Finishing(model_.config.layers - 1) == Finish::kLastRow;
    const Tensor x = alone ? ws_.x : residual_;
    const int64_t first = request_.logits == LogitsWanted::kAll ? 0 : x.dim(0) - 1;
    const int64_t count = x.dim(0) - first;
    result_.logits = AllocateHost(DType::kFloat32, {count, model_.config.vocab_size});
    for (int64_t begin = 0; begin < count; begin += kLogitRows) {
      const int64_t piece = std::min(kLogitRows, count - begin);
      ops_.ToHost(model_.decoder->Logits(x, Positions(first + begin, piece), ws_),
                  result_.logits.Slice(begin, piece).data());
    }
  }

  const LoadedModel& model_;
  const PrefillRequest& request_;
  Ops& ops_;
  Workspace& ws_;
  const int64_t tokens_;
  std::vector<int32_t> slots_, positions_;
  Tensor residual_;  // [tokens, hidden]
  Tensor queries_;   // [2 · tokens, q_heads, head_dim] before RoPE, of two layers; or empty
  Tensor host_keys_, host_values_, host_queries_;
  PrefillResult result_;
  std::future<void> shown_;  // the sink at the layer before
};

}  // namespace

absl::StatusOr<PrefillResult> Prefill(const LoadedModel& model, const PrefillRequest& request,
                                      Workspace& workspace) {
  if (absl::Status status = CheckPrompt(model.config, request.ids); !status.ok()) return status;
  return Run(model, request, workspace).Go();
}

}  // namespace kvscope::inference
