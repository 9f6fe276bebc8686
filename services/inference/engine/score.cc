#include "services/inference/engine/score.h"

#include <map>
#include <string_view>
#include <utility>

#include "services/inference/engine/prefill.h"
#include "services/inference/presses/apply.h"
#include "services/status_macros.h"

namespace kvscope::inference {

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
    const Needs needs = press->scorer->needs();
    all.keys |= needs.keys;
    all.values |= needs.values;
    all.queries |= needs.queries;
  }
  return all;
}

void GridScores::ScoreLayerOnce(const LayerView& layer) {
  for (size_t i = 0; i < distinct_.size(); ++i) {
    ScoreLayer(*distinct_[i], layer, tables_[i].layer(layer.layer));
  }
}

absl::StatusOr<KvCache> PrefillAndScore(const LoadedModel& model, std::span<const int32_t> ids,
                                        GridScores* scores, Workspace& workspace,
                                        const std::function<bool()>& cancelled) {
  PrefillRequest request;
  request.ids = ids;
  request.cancelled = cancelled;
  if (scores != nullptr) {
    request.needs = scores->needs();
    request.sink = [scores](const LayerView& layer) { scores->ScoreLayerOnce(layer); };
  }
  KVSCOPE_ASSIGN_OR_RETURN(PrefillResult result, Prefill(model, request, workspace));
  return std::move(result.cache);
}

}  // namespace kvscope::inference
