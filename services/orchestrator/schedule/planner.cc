#include "services/orchestrator/schedule/planner.h"

#include <utility>

#include "services/orchestrator/sweep/sweep.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

constexpr size_t kStepUnits = 64;  // one transaction
constexpr int64_t kPagePassages = 256;
constexpr int64_t kPageBytes = 1 << 20;
constexpr int kStepPages = 8;  // a step ends after so many, units or not

}  // namespace

absl::StatusOr<Planner> Planner::Begin(Store& store, const SweepRecord& sweep,
                                       std::vector<SweepPlan> plans, const std::string& check) {
  KVSCOPE_ASSIGN_OR_RETURN(std::vector<StoredDataset> datasets, store.SweepDatasets(sweep.row));
  const SweepPlan& first = plans.front();
  // Results of one CUDA device are those of another; who computes them is the sweep's to say.
  const std::string& device = NamesCudaDevice(sweep.device) ? sweep.device : first.device;
  KVSCOPE_RETURN_IF_ERROR(store.BeginPlan(sweep.sweep_id, check, device, first.code_version));
  return Planner(store, sweep.sweep_id, std::move(plans), std::move(datasets));
}

Planner::Planner(Store& store, std::string sweep_id, std::vector<SweepPlan> plans,
                 std::vector<StoredDataset> datasets)
    : store_(&store),
      sweep_id_(std::move(sweep_id)),
      plans_(std::move(plans)),
      datasets_(std::move(datasets)) {
  BeginModel();
}

void Planner::BeginModel() {
  if (done()) return;
  int64_t passages = 0;
  for (const StoredDataset& dataset : datasets_) passages += dataset.passage_count;
  size_.emplace(plans_[model_], passages);
  dataset_ = 0;
}

absl::StatusOr<bool> Planner::Step(int64_t now_ms) {
  for (int page = 0; page < kStepPages && closed_.size() < kStepUnits; ++page) {
    if (done()) break;
    KVSCOPE_ASSIGN_OR_RETURN(
        const std::vector<StoredPassage> passages,
        store_->ReadPassages(datasets_[dataset_].id, next_passage_, kPagePassages, kPageBytes));
    for (const StoredPassage& passage : passages) Take(passage);
    if (passages.empty()) NextSlice();
  }
  const bool last = done();
  KVSCOPE_RETURN_IF_ERROR(store_->AddUnits(sweep_id_, next_seq_, closed_));
  next_seq_ += static_cast<int64_t>(closed_.size());
  closed_.clear();
  if (last) KVSCOPE_RETURN_IF_ERROR(store_->FinishPlan(sweep_id_, now_ms));
  return last;
}

void Planner::Take(const StoredPassage& passage) {
  const SweepPlan& plan = plans_[model_];
  const std::string& regime = plan.regimes[regime_];
  const int64_t bytes = static_cast<int64_t>(passage.body.size());
  if (size_->StartsUnit(regime, passage.question_count, bytes)) {
    CloseUnit();
    key_.emplace(plan, regime, next_passage_);
    open_ = {.key = "",
             .dataset_ordinal = static_cast<int>(dataset_),
             .regime = regime,
             .first_passage = next_passage_,
             .passage_count = 0,
             .streams = 0,
             .model_ordinal = static_cast<int>(model_)};
  }
  key_->AddPassage(passage.body);
  ++open_.passage_count;
  open_.streams += size_->Streams(passage.question_count);
  ++next_passage_;
}

void Planner::CloseUnit() {
  if (!key_.has_value()) return;
  open_.key = key_->Hex();
  closed_.push_back(open_);
  key_.reset();
}

void Planner::NextSlice() {
  CloseUnit();
  size_->Reset();
  next_passage_ = 0;
  if (++regime_ < plans_[model_].regimes.size()) return;
  regime_ = 0;
  if (++dataset_ < datasets_.size()) return;
  ++model_;
  BeginModel();
}

}  // namespace kvscope::orchestrator
