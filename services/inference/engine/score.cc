#include "services/inference/engine/score.h"

#include <chrono>
#include <map>
#include <string_view>
#include <utility>

#include "services/inference/engine/prefill.h"
#include "services/inference/presses/apply.h"
#include "services/status_macros.h"

namespace kvscope::inference {
namespace {

Needs Both(const Needs& a, const Needs& b) {
  return {
      .keys = a.keys || b.keys, .values = a.values || b.values, .queries = a.queries || b.queries};
}

}  // namespace

GridScores::GridScores(std::span<const Press> presses, int layers, int kv_heads, int tokens) {
  std::map<std::string_view, size_t> table_of_key;
  for (const Press& press : presses) {
    const auto [entry, added] = table_of_key.emplace(press.score_key, distinct_.size());
    if (added) {
      distinct_.push_back(&press);
      tables_.emplace_back(layers, kv_heads, tokens);
    }
    table_of_.push_back(entry->second);
  }
}

Needs GridScores::needs() const {
  Needs all;
  for (const Press* press : distinct_) {
    all = Both(all, press->scorer->needs());
  }
  return all;
}

void GridScores::ScoreLayerOnce(const LayerView& layer) {
  const auto start = std::chrono::steady_clock::now();
  for (size_t i = 0; i < distinct_.size(); ++i) {
    ScoreLayer(*distinct_[i], layer, tables_[i].layer(layer.layer));
  }
  seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

absl::StatusOr<KvCache> PrefillAndScore(const LoadedModel& model, std::span<const int32_t> ids,
                                        GridScores* scores, Workspace& workspace,
                                        const std::function<bool()>& cancelled,
                                        ContextCapture* capture) {
  PrefillRequest request;
  request.ids = ids;
  request.cancelled = cancelled;
  GraphCapture* const graph = capture == nullptr ? nullptr : capture->graph;
  if (scores != nullptr) request.needs = scores->needs();
  if (graph != nullptr) request.needs = Both(request.needs, GraphCapture::needs());
  if (scores != nullptr || graph != nullptr) {
    request.sink = [scores, graph](const LayerView& layer) {
      if (scores != nullptr) scores->ScoreLayerOnce(layer);
      if (graph != nullptr) graph->AddLayer(layer);
    };
  }
  if (capture != nullptr) request.mean_layers = capture->mean_layers;
  KVSCOPE_ASSIGN_OR_RETURN(PrefillResult result, Prefill(model, request, workspace));
  if (capture != nullptr) capture->means = std::move(result.means);
  return std::move(result.cache);
}

}  // namespace kvscope::inference
