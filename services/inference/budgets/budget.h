// Budget: how many pairs each layer and head keep, and within which spans. One budget a file;
// `registry.cc` lists them all.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <type_traits>

#include "services/inference/flow/keep_set.h"
#include "services/inference/flow/score_table.h"
#include "services/inference/scorers/scorer.h"

namespace kvscope::inference {

class Budget {
 public:
  virtual ~Budget() = default;
  // > 0: the scorer is run on consecutive spans of so many tokens (the last may be shorter), each
  // as if it were the whole context.
  virtual int score_span_tokens() const { return 0; }
  // Marks in `kept` what layer `layer` keeps of `scores` [kv_heads, tokens] at `compression_ratio`
  // in (0, 1). Ties go to the earlier token. `kept` has nothing set in that layer before.
  virtual void Keep(ConstScoreMatrix scores, int layer, double compression_ratio,
                    KeepSet& kept) const = 0;
};

struct BudgetInfo {
  std::string_view name;
  std::string_view kvpress_name;  // its class in kvpress, accepted as an alias; may be empty
  std::string_view summary;
  std::string_view source;
  std::span<const ParameterInfo> parameters;
  std::unique_ptr<Budget> (*make)(const ParameterValues& values);
};

// A `BudgetInfo::make` that constructs T from its values, or from nothing.
template <typename T>
std::unique_ptr<Budget> MakeBudget(const ParameterValues& values) {
  if constexpr (std::is_constructible_v<T, const ParameterValues&>) {
    return std::make_unique<T>(values);
  } else {
    return std::make_unique<T>();
  }
}

// All budgets; the first, `uniform`, is the one of a bare scorer expression.
std::span<const BudgetInfo* const> Budgets();

// max(1, int(tokens · (1 - ratio))), in doubles and truncated, as kvpress 0.5.5 counts.
int KeptCount(int tokens, double compression_ratio);

}  // namespace kvscope::inference
