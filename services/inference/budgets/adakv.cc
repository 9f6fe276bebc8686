// adakv: the heads of a layer share one budget and rank their tokens together.  Source: Feng et al.
// 2024, arXiv:2407.11550, as kvpress 0.5.5.
//
// With n = KeptCount(tokens) the layer keeps kv_heads · n pairs. First each head is sure of its
// max(1, int(n · alpha_safeguard)) best (of none where alpha_safeguard is 0: then a head may end up
// empty); the best of all other pairs of the layer fill the rest. Ties go to the lower head, then
// to the earlier token.
#include <algorithm>
#include <limits>

#include "services/inference/budgets/budget.h"
#include "services/inference/budgets/top_k.h"

namespace kvscope::inference {
namespace {

class AdaKv final : public Budget {
 public:
  explicit AdaKv(const ParameterValues& values) : alpha_safeguard_(values[0]) {}

  void Keep(ConstScoreMatrix scores, int layer, double compression_ratio,
            KeepSet& kept) const override {
    const int heads = static_cast<int>(scores.rows()), tokens = static_cast<int>(scores.cols());
    const int count = KeptCount(tokens, compression_ratio);
    RowMatrix ranked = scores;
    for (int head = 0; head < heads; ++head) {
      float* row = ranked.row(head).data();
      for (const int token : TopK({row, row + tokens}, SafeCount(count))) {
        row[token] = std::numeric_limits<float>::infinity();
      }
    }
    for (const int pair : TopK({ranked.data(), ranked.data() + ranked.size()}, heads * count)) {
      kept.Keep(layer, pair / tokens, pair % tokens);
    }
  }

 private:
  int SafeCount(int count) const {
    if (alpha_safeguard_ == 0) return 0;
    return std::max(1, static_cast<int>(count * alpha_safeguard_));
  }

  const double alpha_safeguard_;
};

constexpr ParameterInfo kParameters[] = {
    {.name = "alpha_safeguard",
     .type = "float",
     .default_value = "0.2",
     .range = "[0, 1]",
     .min = 0,
     .max = 1,
     .summary = "Share of a head's even budget that it keeps in any case."},
};

}  // namespace

extern constinit const BudgetInfo kAdaKv = {
    .name = "adakv",
    .kvpress_name = "AdaKVPress",
    .summary = "The heads of a layer share one budget and rank their tokens together.",
    .source = "arXiv:2407.11550",
    .parameters = kParameters,
    .make = MakeBudget<AdaKv>,
};

}  // namespace kvscope::inference
