#include "services/orchestrator/schedule/sweep_plan.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "absl/strings/str_cat.h"

namespace kvscope::orchestrator {

UnitKey::UnitKey(const SweepPlan& plan, const std::string& regime, int64_t first_passage)
    : heatmaps_left_(std::max<int64_t>(plan.heatmap_passages - first_passage, 0)),
      graphs_left_(std::max<int64_t>(plan.graph_passages - first_passage, 0)) {
  Add("kvscope unit 3");
  for (const std::string* field :
       {&plan.weights_digest, &plan.tokenizer_digest, &plan.device, &plan.dtype, &plan.code_version,
        &plan.scoring_tokenizer_digest, &regime}) {
    Add(*field);
  }
  Add(static_cast<int64_t>(plan.presses.size()));
  for (const std::string& press : plan.presses) Add(press);
  Add(static_cast<int64_t>(plan.ratios.size()));
  for (const double ratio : plan.ratios) Add(ratio);
  for (const std::optional<std::string>* piece :
       {&plan.prompt.instruction, &plan.prompt.aware_line, &plan.prompt.question_prefix,
        &plan.prompt.question_suffix, &plan.prompt.answer_prefix}) {
    Add(int64_t{piece->has_value()});
    Add(piece->value_or(""));
  }
  Add(int64_t{plan.max_new_tokens});
  Add(int64_t{plan.capture_consensus});
  Add(plan.graph_epsilon);
  Add(plan.probe_pool);
  Add(static_cast<int64_t>(plan.probe_layers.size()));
  for (const int layer : plan.probe_layers) Add(int64_t{layer});
  Add(plan.correct_min_f1);
  Add(plan.partial_above_f1);
  Add(static_cast<int64_t>(plan.abstentions.size()));
  for (const std::string& phrase : plan.abstentions) Add(phrase);
  Add(static_cast<int64_t>(plan.seed));
}

void UnitKey::AddPassage(const std::string& body) {
  Add(int64_t{heatmaps_left_ > 0});
  heatmaps_left_ = std::max<int64_t>(heatmaps_left_ - 1, 0);
  Add(int64_t{graphs_left_ > 0});
  graphs_left_ = std::max<int64_t>(graphs_left_ - 1, 0);
  Add(body);
}

std::string UnitKey::Hex() const { return hash_.HexDigest(); }

void UnitKey::Add(std::string_view field) {
  hash_.Update(absl::StrCat(field.size(), ":"));
  hash_.Update(field);
}
void UnitKey::Add(int64_t number) { Add(std::string_view(std::to_string(number))); }
void UnitKey::Add(double number) { Add(static_cast<int64_t>(std::bit_cast<uint64_t>(number))); }

}  // namespace kvscope::orchestrator
