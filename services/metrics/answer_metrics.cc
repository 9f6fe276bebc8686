#include "services/metrics/answer_metrics.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/metrics/outcome/normalize.h"
#include "services/metrics/outcome/token_f1.h"

namespace kvscope::metrics {
namespace {

absl::StatusOr<ConsensusMetrics> MeasureTop(const char* field, const TopTokens& top, int layers) {
  if (top.steps > 0 && top.layers != layers) {
    return absl::InvalidArgumentError(absl::StrCat(
        field, ": top tokens of ", top.layers, " layers were found, but the cell has ", layers));
  }
  absl::StatusOr<ConsensusMetrics> metrics = MeasureConsensus(top);
  if (!metrics.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": ", metrics.status().message()));
  }
  return metrics;
}

}  // namespace

absl::StatusOr<AnswerMetrics> MeasureAnswer(const CellSurvival& cell, const AnswerInput& input,
                                            const Abstentions& abstentions,
                                            const OutcomeThresholds& thresholds) {
  if (input.prompt_top.steps > 1) {
    return absl::InvalidArgumentError(absl::StrCat("prompt_top: ", input.prompt_top.steps,
                                                   " rows were found, but there is one last "
                                                   "prompt token"));
  }
  absl::StatusOr<AnswerSurvival> survival = cell.Answer(input.answer_span);
  if (survival.ok() && abstentions.ContainGold(input.gold)) survival = AnswerSurvival();
  if (!survival.ok()) return survival.status();
  absl::StatusOr<ConsensusMetrics> prompt =
      MeasureTop("prompt_top", input.prompt_top, cell.layers());
  if (!prompt.ok()) return prompt.status();
  absl::StatusOr<ConsensusMetrics> generated =
      MeasureTop("generated_top", input.generated_top, cell.layers());
  if (!generated.ok()) return generated.status();

  AnswerMetrics metrics;
  metrics.f1 = BestTokenF1(input.answer_ids, input.gold_ids, input.alias_ids);
  metrics.exact = ExactMatch(input.answer, input.gold, input.aliases);
  metrics.outcome = Classify(metrics.f1, input.answer, input.gold, abstentions, thresholds);
  metrics.ger = survival->ger;
  metrics.ger_layer = std::move(survival->ger_layer);
  metrics.ger_layer_mean = survival->ger_layer_mean;
  metrics.eviction_rate = cell.metrics().eviction_rate;
  metrics.evicted_share = cell.metrics().evicted_share;
  metrics.kept_ratio = cell.metrics().kept_ratio;
  metrics.consensus_mean = prompt->consensus_mean;
  metrics.consensus_layer = std::move(prompt->consensus_layer);
  metrics.agreement_max = prompt->agreement_max;
  metrics.agreement_layer = std::move(prompt->agreement_layer);
  metrics.generated_consensus_mean = generated->consensus_mean;
  metrics.generated_consensus_layer = std::move(generated->consensus_layer);
  metrics.generated_agreement_max = generated->agreement_max;
  metrics.generated_agreement_layer = std::move(generated->agreement_layer);
  return metrics;
}

}  // namespace kvscope::metrics
