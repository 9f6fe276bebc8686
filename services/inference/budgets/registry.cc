#include <algorithm>
#include <cassert>

#include "services/inference/budgets/budget.h"

namespace kvscope::inference {

extern const BudgetInfo kAdaKv;
extern const BudgetInfo kChunk;
extern const BudgetInfo kUniform;

std::span<const BudgetInfo* const> Budgets() {
  static constexpr const BudgetInfo* kBudgets[] = {&kUniform, &kChunk, &kAdaKv};
  return kBudgets;
}

int KeptCount(int tokens, double compression_ratio) {
  assert(tokens > 0 && 0 <= compression_ratio && compression_ratio < 1);
  return std::max(1, static_cast<int>(tokens * (1 - compression_ratio)));
}

}  // namespace kvscope::inference
