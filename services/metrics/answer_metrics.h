// All metrics of one answer: what an answer row of a sweep has.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/metrics/consensus/consensus.h"
#include "services/metrics/outcome/outcome.h"
#include "services/metrics/survival/survival.h"

namespace kvscope::metrics {

// Owns nothing: all views must outlive the call.
struct AnswerInput {
  // Context tokens of the gold answer, strictly ascending. A gold that abstains has none, whatever
  // stands here: its words occur by chance, and evidence of it is no answer.
  std::span<const int32_t> answer_span;
  TopTokens prompt_top;     // of the last prompt token: steps 1, or 0 if not captured
  TopTokens generated_top;  // of the generated tokens; steps 0 if not captured
  std::string_view answer;  // texts, UTF-8
  std::string_view gold;
  std::span<const std::string> aliases;
  std::span<const int32_t> answer_ids;  // the texts as ids of the scoring tokenizer
  std::span<const int32_t> gold_ids;
  std::span<const std::vector<int32_t>> alias_ids;
};

// Shares in [0, 1]; null = not defined for this answer.  Names as in registry.cc.
struct AnswerMetrics {
  double f1 = 0;
  bool exact = false;
  Outcome outcome = Outcome::kHallucination;

  std::optional<double> ger;
  std::optional<std::vector<double>> ger_layer;  // [layers]
  std::optional<double> ger_layer_mean;

  double eviction_rate = 0;  // of the answer's cell
  double evicted_share = 0;
  double kept_ratio = 0;

  std::optional<double> consensus_mean;
  std::vector<std::optional<double>> consensus_layer;  // [layers], empty if not captured
  std::optional<double> agreement_max;
  std::vector<std::optional<double>> agreement_layer;
  std::optional<double> generated_consensus_mean;
  std::vector<std::optional<double>> generated_consensus_layer;
  std::optional<double> generated_agreement_max;
  std::vector<std::optional<double>> generated_agreement_layer;
};

// `cell` is the answer's cell, summed up once for all its answers.
// Errors: InvalidArgument, naming the field, if the span leaves the context or does not ascend, a
// list of top tokens does not match its shape or has other layers than the cell, or prompt_top has
// more than one step.
absl::StatusOr<AnswerMetrics> MeasureAnswer(const CellSurvival& cell, const AnswerInput& input,
                                            const Abstentions& abstentions = Abstentions(),
                                            const OutcomeThresholds& thresholds = {});

}  // namespace kvscope::metrics
