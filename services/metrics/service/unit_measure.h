// UnitMeasure: the survival records of one unit in, its metrics out. What the service does with one
// call, without the call.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "kvscope/v1/metrics.pb.h"
#include "kvscope/v1/survival.pb.h"
#include "services/metrics/outcome/abstention.h"
#include "services/metrics/probe/feature_store.h"
#include "services/metrics/service/passage_graph.h"
#include "services/metrics/survival/survival.h"

namespace kvscope::metrics {

// Takes the records in the order that survival.proto asks for. What it holds grows with what was
// sent, never with what a record merely announces, and is bounded for one passage.
class UnitMeasure {
 public:
  // `features`: where hidden states are kept; null: units that bring some are refused. Must outlive
  // the unit.
  explicit UnitMeasure(const FeatureStore* features = nullptr) : feature_store_(features) {}

  // Errors: InvalidArgument naming the field, ResourceExhausted (a passage is too large). After an
  // error nothing more may be taken.
  absl::Status Take(const v1::SurvivalRecord& record);

  // True after a PassageEnd, until TakePassage.
  bool passage_complete() const { return passage_complete_; }

  // The metrics of the passage that is complete, in messages of at most about 1 MiB.
  std::vector<v1::PassageMetrics> TakePassage();

  // After the last record. InvalidArgument if they stop within a passage; Unavailable if the unit's
  // hidden states could not be written.
  absl::Status Finish();

 private:
  absl::Status TakeUnit(const v1::UnitHeader& unit);
  absl::Status BeginFeatures(const v1::UnitHeader& unit);
  absl::Status TakePassageRecord(const v1::PassageRecord& passage);
  absl::Status TakeCell(const v1::CellRecord& cell);
  absl::Status TakeStream(const v1::StreamRecord& stream);
  absl::Status BeginStream(const v1::StreamRecord& stream);
  absl::Status TakeGraph(const v1::GraphRecord& graph);
  absl::Status AddRoutes(const v1::QuestionRecord& question, bool stands_there,
                         v1::AnswerMetrics& answer);
  absl::Status TakePassageEnd();

  absl::Status FinishCell();
  absl::Status FinishStream();
  absl::Status CheckRow(const v1::AttentionRow& row, int row_index) const;
  absl::Status CheckHeld() const;
  size_t keep_bytes() const;  // of one cell of this passage

  const FeatureStore* feature_store_;
  std::unique_ptr<FeatureWriter> features_;  // where the unit brings hidden states
  std::optional<v1::UnitHeader> unit_;
  Abstentions abstentions_;  // the unit's
  std::optional<v1::PassageRecord> passage_;
  std::optional<PassageGraph> graph_;  // of this passage, where one was sent
  bool passage_complete_ = false;

  // The cell that is being received or to which streams belong.
  std::optional<v1::CellRecord> cell_;  // keep_bits joined
  bool cell_open_ = false;              // parts of its keep set are still to come
  std::optional<CellSurvival> survival_;
  std::string graph_bits_;  // the cell's keep bits, where there is a graph
  int next_question_ = 0;

  // The stream that is being received.
  std::optional<v1::StreamRecord> stream_;  // without rows
  std::vector<int32_t> top_tokens_;         // [rows, layers, q_heads]
  double prompt_mass_sum_ = 0;              // of the first row

  std::vector<v1::CellMetrics> done_;  // cells of this passage
  size_t held_bytes_ = 0;              // of done_ and of what is being received
};

}  // namespace kvscope::metrics
