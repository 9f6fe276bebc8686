// Budget: how many pairs each layer and head keep, and within which spans. One budget a file.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "services/inference/flow/keep_set.h"
#include "services/inference/flow/score_table.h"
#include "services/inference/scorers/scorer.h"

namespace kvscope::inference {

class Budget {
 public:
  virtual ~Budget() = default;
  // > 0: the scorer is run on consecutive spans of so many tokens, each as if it were the whole
  // context.
  virtual int score_span_tokens() const { return 0; }
  // Marks in `kept` what layer `layer` keeps of `scores` [kv_heads, tokens] at `compression_ratio`
  // in (0, 1). Ties go to the earlier token. `kept` has nothing set in that layer before.
  virtual void Keep(ConstScoreMatrix scores, int layer, double compression_ratio,
                    KeepSet& kept) const = 0;
};

struct BudgetInfo {
  std::string_view name;
  std::string_view summary;
  std::string_view source;
  std::vector<ParameterInfo> parameters;
  std::unique_ptr<Budget> (*make)(const ParameterValues& values);
};

// All budgets; the first, `uniform`, is the one of a bare scorer expression.
const std::vector<const BudgetInfo*>& Budgets();

// max(1, int(tokens · (1 - ratio))), in doubles and truncated, as kvpress 0.5.5 counts.
int KeptCount(int tokens, double compression_ratio);

}  // namespace kvscope::inference
