#include "services/orchestrator/service/probe_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/orchestrator/service/sweep_models.h"
#include "services/rpc/grpc_status.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

constexpr int64_t kUnitsAPage = 1000;

absl::StatusOr<std::vector<int>> RatioIndices(const v1::SweepSpec& spec,
                                              const v1::StreamProbesRequest& request) {
  std::vector<int> indices;
  for (const double ratio : request.compression_ratios()) {
    const auto found = std::find(spec.ratios().begin(), spec.ratios().end(), ratio);
    if (found == spec.ratios().end()) {
      return absl::InvalidArgumentError(absl::StrCat("compression_ratios: ", ratio,
                                                     " was found, but the sweep has ",
                                                     absl::StrJoin(spec.ratios(), ", ")));
    }
    indices.push_back(static_cast<int>(found - spec.ratios().begin()));
  }
  return indices;
}

}  // namespace

ProbeReader::~ProbeReader() {
  if (call_ == nullptr) return;
  Cancel();
  call_->Finish();
}

void ProbeReader::Cancel() {
  const absl::MutexLock lock(&mutex_);
  cancelled_ = true;
  if (context_ != nullptr) context_->TryCancel();
}

absl::Status ProbeReader::Open() {
  opened_ = true;
  KVSCOPE_ASSIGN_OR_RETURN(const SweepRecord sweep, store_.FindSweep(request_.sweep()));
  KVSCOPE_ASSIGN_OR_RETURN(protos_, ReadProtos(sweep));
  if (protos_.spec.capture().probe_pool().empty()) {
    return absl::FailedPreconditionError(
        "the sweep captured no hidden states (capture: {probes: {pool: mean}} in its file)");
  }
  if (metrics_ == nullptr) {
    return absl::FailedPreconditionError(
        "the orchestrator knows no metrics service that could fit probes (its --metrics)");
  }
  KVSCOPE_ASSIGN_OR_RETURN(ratios_, RatioIndices(protos_.spec, request_));
  stub_ = v1::MetricsService::NewStub(metrics_);
  return FindUnits(sweep.row);
}

absl::Status ProbeReader::FindUnits(int64_t sweep_row) {
  for (int64_t after = -1;;) {
    KVSCOPE_ASSIGN_OR_RETURN(const std::vector<UnitRecord> units,
                             store_.ListUnits(sweep_row, after, kUnitsAPage));
    if (units.empty()) return absl::OkStatus();
    for (const UnitRecord& unit : units) {
      after = unit.seq;
      if (unit.state != UnitState::kDone) continue;
      units_[{unit.model_ordinal, unit.dataset_ordinal, unit.regime}].push_back(unit.key);
    }
  }
}

absl::Status ProbeReader::StartCall() {
  v1::FitProbesRequest fit;
  auto first = units_.extract(units_.begin());
  slice_ = first.key();
  for (std::string& key : first.mapped()) fit.add_unit_keys(std::move(key));
  fit.mutable_ratio_indices()->Assign(ratios_.begin(), ratios_.end());
  fit.set_seed(protos_.spec.seed());
  const absl::MutexLock lock(&mutex_);
  if (cancelled_) return absl::CancelledError("nobody waits for the probes any more");
  context_ = std::make_unique<rpc::StreamContext>(deadline_);
  call_ = stub_->FitProbes(context_.get(), fit);
  return absl::OkStatus();
}

absl::Status ProbeReader::EndCall() {
  absl::Status status = rpc::FromGrpc(call_->Finish());
  call_.reset();
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("the metrics service: ", status.message()));
}

absl::StatusOr<bool> ProbeReader::Next(v1::ProbeRow& row) {
  if (!opened_) KVSCOPE_RETURN_IF_ERROR(Open());
  while (true) {
    if (call_ == nullptr) {
      if (units_.empty()) return false;
      KVSCOPE_RETURN_IF_ERROR(StartCall());
    }
    if (call_->Read(row.mutable_fit())) break;
    KVSCOPE_RETURN_IF_ERROR(EndCall());
  }
  const auto& [model, dataset, regime] = slice_;
  const v1::SweepSpec& spec = protos_.spec;
  row.set_model(ModelName(protos_, model));
  if (dataset < spec.datasets_size()) row.set_dataset(spec.datasets(dataset).name());
  row.set_regime(RegimeOfText(regime));
  const v1::ProbeFit& fit = row.fit();
  if (fit.press_index() >= 0 && fit.press_index() < spec.presses_size()) {
    row.set_press(spec.presses(fit.press_index()));
  }
  if (fit.ratio_index() >= 0 && fit.ratio_index() < spec.ratios_size()) {
    row.set_compression_ratio(spec.ratios(fit.ratio_index()));
  }
  return true;
}

}  // namespace kvscope::orchestrator
