// uniform: every layer and head keep equally many tokens, those with the highest scores.
#include "services/inference/budgets/budget.h"
#include "services/inference/budgets/top_k.h"

namespace kvscope::inference {
namespace {

class Uniform final : public Budget {
 public:
  void Keep(ConstScoreMatrix scores, int layer, double compression_ratio,
            KeepSet& kept) const override {
    const int tokens = static_cast<int>(scores.cols());
    const int count = KeptCount(tokens, compression_ratio);
    for (int head = 0; head < scores.rows(); ++head) {
      for (const int token :
           TopK({scores.row(head).data(), scores.row(head).data() + tokens}, count)) {
        kept.Keep(layer, head, token);
      }
    }
  }
};

}  // namespace

extern constinit const BudgetInfo kUniform = {
    .name = "uniform",
    .kvpress_name = "",
    .summary = "Every head keeps equally many tokens; what a scorer has without a budget.",
    .source = "kvpress 0.5.5",
    .parameters = {},
    .make = MakeBudget<Uniform>,
};

}  // namespace kvscope::inference
