#include "services/orchestrator/schedule/unit_size.h"

#include <algorithm>

namespace kvscope::orchestrator {
namespace {

constexpr int kQuestionTokens = 30;  // of a question with its pieces; they do not decide a size

}  // namespace

UnitSize::UnitSize(const SweepPlan& plan, int64_t passages)
    : grid_(static_cast<int64_t>(plan.presses.size() * plan.ratios.size())) {
  const int64_t slots = passages * static_cast<int64_t>(plan.regimes.size());
  max_passages_ = std::max<int64_t>(slots / kMinUnits, 1);
  const double context =
      static_cast<double>(plan.context_tokens_total) / std::max<int64_t>(passages, 1);
  const double weights = 2.0 * static_cast<double>(plan.parameter_count);
  const double attention = 4.0 * plan.layers * plan.q_heads * plan.head_dim * context;
  prefill_flops_ = context * (weights + attention / 2);  // a token sees half of them on average
  stream_flops_ = (kQuestionTokens + plan.max_new_tokens) * (weights + attention);
}

bool UnitSize::StartsUnit(const std::string& regime, int64_t questions, int64_t bytes) {
  const int64_t streams = Streams(questions);
  const double prefills = regime == "aware_each" ? static_cast<double>(questions) : 1.0;
  const double flops = prefills * prefill_flops_ + static_cast<double>(streams) * stream_flops_;
  const bool starts = passages_ == 0 || passages_ >= max_passages_ ||
                      streams_ + streams > kUnitStreams || bytes_ + bytes > kUnitBytes ||
                      flops_ + flops > kUnitFlops;
  if (starts) {
    passages_ = streams_ = bytes_ = 0;
    flops_ = 0;
  }
  ++passages_;
  streams_ += streams;
  bytes_ += bytes;
  flops_ += flops;
  return starts;
}

}  // namespace kvscope::orchestrator
