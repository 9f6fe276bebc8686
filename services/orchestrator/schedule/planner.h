// Planner: cuts a checked sweep into units, a piece at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/orchestrator/schedule/sweep_plan.h"
#include "services/orchestrator/schedule/unit_size.h"
#include "services/orchestrator/store/store.h"

namespace kvscope::orchestrator {

// Units come in the order model, data set, regime, passage: a worker changes models as seldom as
// can be. Memory: one page of passages and one step's units, whatever the sweep's size. The sweep
// stays in state checking until the last step.
class Planner {
 public:
  // `plans`: one a model, at least one; they run on one device, by one code version. `check`: bytes
  // that the store keeps with the sweep.
  static absl::StatusOr<Planner> Begin(Store& store, const SweepRecord& sweep,
                                       std::vector<SweepPlan> plans, const std::string& check);

  // Cuts some more; true when the plan is complete and the sweep runs (or has succeeded, if every
  // unit was done before). FailedPrecondition: the sweep was cancelled meanwhile.
  absl::StatusOr<bool> Step(int64_t now_ms);

  const std::string& sweep_id() const { return sweep_id_; }

 private:
  Planner(Store& store, std::string sweep_id, std::vector<SweepPlan> plans,
          std::vector<StoredDataset> datasets);
  void Take(const StoredPassage& passage);
  void CloseUnit();
  void NextSlice();  // the next regime, or data set, or model
  void BeginModel();
  bool done() const { return model_ == plans_.size() || datasets_.empty(); }

  Store* store_;
  std::string sweep_id_;
  std::vector<SweepPlan> plans_;
  std::vector<StoredDataset> datasets_;
  std::optional<UnitSize> size_;  // of the model

  size_t model_ = 0;
  size_t dataset_ = 0;
  size_t regime_ = 0;
  int64_t next_passage_ = 0;
  int64_t next_seq_ = 0;
  std::optional<UnitKey> key_;  // of the open unit
  PlannedUnit open_;
  std::vector<PlannedUnit> closed_;  // not yet stored
};

}  // namespace kvscope::orchestrator
