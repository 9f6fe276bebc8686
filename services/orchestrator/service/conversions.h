// The orchestrator's structs as protos and back.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kvscope/v1/orchestrator.pb.h"
#include "kvscope/v1/worker.pb.h"
#include "services/orchestrator/datasets/passage.h"
#include "services/orchestrator/schedule/sweep_plan.h"
#include "services/orchestrator/store/records.h"

namespace kvscope::orchestrator {

// A sweep's protos, read back from its record. DataLoss if they cannot be.
struct SweepProtos {
  v1::SweepSpec spec;
  v1::CheckReply check;  // empty until checked
};
absl::StatusOr<SweepProtos> ReadProtos(const SweepRecord& sweep);

// Equal messages give equal bytes.
std::string Serialize(const google::protobuf::MessageLite& message);

std::string RegimeText(v1::Regime regime);
v1::Regime RegimeOfText(const std::string& regime);

Passage FromProto(const v1::Passage& proto);
v1::Passage ToProto(const Passage& passage);
v1::Question ToProto(const Question& question);
// A stored passage's body. DataLoss if it cannot be read.
absl::StatusOr<Passage> ReadPassage(const StoredPassage& passage);

v1::Dataset ToProto(const StoredDataset& dataset);
// One a model, in the sweep's order.
std::vector<SweepPlan> ToPlans(const v1::SweepSpec& spec, const v1::CheckReply& check);
v1::Unit ToUnit(const LeasedUnit& unit, const SweepProtos& protos);  // without passages
void Append(const v1::ResultChunk& chunk, UnitResult& result);

// Without what only the scheduler knows: streams of running units and workers.
v1::Sweep ToProto(const SweepRecord& sweep, const SweepProtos& protos);
v1::UnitStatus ToProto(const UnitRecord& unit, const SweepProtos& protos);
// `row`: empty; the memory that it keeps is used again.
void Fill(const StoredAnswer& stored, const std::string& sweep_id, const SweepProtos& protos,
          const v1::Passage& passage, v1::AnswerRow& row);
v1::HeatmapRow ToProto(StoredHeatmap stored, const SweepProtos& protos,
                       const std::string& passage_id);
void FillMeans(const CellSummary& summary, v1::Cell& cell);

}  // namespace kvscope::orchestrator
