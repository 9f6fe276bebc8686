// Scores of a whole grid, taken as prefill goes by: each distinct scorer runs once a layer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "services/inference/engine/graph.h"
#include "services/inference/flow/capture.h"
#include "services/inference/flow/kv_cache.h"
#include "services/inference/flow/score_table.h"
#include "services/inference/models/load.h"
#include "services/inference/models/workspace.h"
#include "services/inference/presses/press.h"

namespace kvscope::inference {

// Score tables of several presses; presses with one score_key share theirs.
class GridScores {
 public:
  // `presses` must outlive this.
  GridScores(std::span<const Press> presses, int layers, int kv_heads, int tokens);

  Needs needs() const;  // the union over the scorers
  void ScoreLayerOnce(const LayerView& layer);
  const ScoreTable& of(size_t press) const { return tables_[table_of_[press]]; }
  double seconds() const { return seconds_; }  // spent in ScoreLayerOnce

 private:
  std::vector<const Press*> distinct_;
  std::vector<ScoreTable> tables_;  // one for each of distinct_
  std::vector<size_t> table_of_;    // [presses]
  double seconds_ = 0;
};

// What is taken from a context's prefill beside scores.
struct ContextCapture {
  GraphCapture* graph = nullptr;     // gets the rows of every layer; may be null
  std::span<const int> mean_layers;  // hidden states whose mean over the tokens is wanted ...
  std::vector<float> means = {};     // ... [mean_layers, hidden]: filled
};

// The cache of a context. `scores`, where given, are filled layer by layer as prefill goes by, and
// so is `capture`. Errors: as Prefill.
absl::StatusOr<KvCache> PrefillAndScore(const LoadedModel& model, std::span<const int32_t> ids,
                                        GridScores* scores, Workspace& workspace,
                                        const std::function<bool()>& cancelled = {},
                                        ContextCapture* capture = nullptr);

}  // namespace kvscope::inference
