#include "services/metrics/service/conversions.h"

#include <limits>
#include <optional>
#include <utility>

namespace kvscope::metrics {
namespace {

constexpr size_t kFramingBytes = 16;  // tag and length of a nested message, rounded up

void AddLayers(const std::vector<std::optional<double>>& layers,
               google::protobuf::RepeatedField<double>* field) {
  for (const std::optional<double>& value : layers) {
    field->Add(value.value_or(std::numeric_limits<double>::quiet_NaN()));
  }
}

v1::AnswerMetrics::Outcome ToProto(Outcome outcome) {
  switch (outcome) {
    case Outcome::kCorrect:
      return v1::AnswerMetrics::CORRECT;
    case Outcome::kPartial:
      return v1::AnswerMetrics::PARTIAL;
    case Outcome::kHallucination:
      return v1::AnswerMetrics::HALLUCINATION;
    case Outcome::kUnknown:
      return v1::AnswerMetrics::UNKNOWN;
  }
  return v1::AnswerMetrics::OUTCOME_UNSPECIFIED;
}

}  // namespace

v1::CellMetrics ToProto(const SurvivalMetrics& metrics, int64_t pairs) {
  v1::CellMetrics proto;
  proto.set_eviction_rate(metrics.eviction_rate);
  proto.set_evicted_share(metrics.evicted_share);
  proto.set_kept_pair_count(metrics.kept_pairs);
  proto.set_full_pair_count(pairs);
  proto.set_empty_head_count(metrics.empty_heads);
  proto.mutable_evicted_share_layer()->Assign(metrics.evicted_share_layer.begin(),
                                              metrics.evicted_share_layer.end());
  proto.mutable_eviction_rate_layer()->Assign(metrics.eviction_rate_layer.begin(),
                                              metrics.eviction_rate_layer.end());
  return proto;
}

v1::AnswerMetrics ToProto(const AnswerMetrics& metrics) {
  v1::AnswerMetrics proto;
  proto.set_f1(metrics.f1);
  proto.set_exact(metrics.exact);
  proto.set_outcome(ToProto(metrics.outcome));
  if (metrics.ger) proto.set_ger(*metrics.ger);
  if (metrics.ger_layer) {
    proto.mutable_ger_layer()->Assign(metrics.ger_layer->begin(), metrics.ger_layer->end());
  }
  if (metrics.ger_layer_mean) proto.set_ger_layer_mean(*metrics.ger_layer_mean);
  if (metrics.consensus_mean) proto.set_consensus_mean(*metrics.consensus_mean);
  AddLayers(metrics.consensus_layer, proto.mutable_consensus_layer());
  if (metrics.agreement_max) proto.set_agreement_max(*metrics.agreement_max);
  AddLayers(metrics.agreement_layer, proto.mutable_agreement_layer());
  if (metrics.generated_consensus_mean) {
    proto.set_generated_consensus_mean(*metrics.generated_consensus_mean);
  }
  if (metrics.generated_agreement_max) {
    proto.set_generated_agreement_max(*metrics.generated_agreement_max);
  }
  return proto;
}

v1::PassageMetrics& PassageSplitter::Part(size_t more_bytes) {
  if (parts_.empty() || part_bytes_ + more_bytes > max_bytes_) {
    parts_.emplace_back().set_passage_index(passage_index_);
    part_bytes_ = 64;
  }
  part_bytes_ += more_bytes;
  return parts_.back();
}

void PassageSplitter::Add(v1::CellMetrics cell) {
  google::protobuf::RepeatedPtrField<v1::AnswerMetrics> answers;
  answers.Swap(cell.mutable_answers());
  const int32_t press = cell.press_index();
  const int32_t ratio = cell.ratio_index();
  const size_t cell_bytes = cell.ByteSizeLong() + kFramingBytes;
  v1::CellMetrics* open = Part(cell_bytes).add_cells();
  *open = std::move(cell);
  size_t part = parts_.size();
  for (v1::AnswerMetrics& answer : answers) {
    v1::PassageMetrics& target = Part(answer.ByteSizeLong() + kFramingBytes);
    if (parts_.size() != part) {  // the cell goes on in a new part
      part = parts_.size();
      open = target.add_cells();
      open->set_press_index(press);
      open->set_ratio_index(ratio);
    }
    *open->add_answers() = std::move(answer);
  }
}

std::vector<v1::PassageMetrics> PassageSplitter::Finish() {
  Part(0).set_last_part(true);
  return std::move(parts_);
}

}  // namespace kvscope::metrics
