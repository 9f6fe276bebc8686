// The store is filled as the orchestrator fills it, without a network.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/orchestrator/datasets/sha256.h"
#include "services/orchestrator/schedule/scheduler.h"
#include "services/orchestrator/service/conversions.h"
#include "services/orchestrator/service/validate.h"
#include "tests/bench/orchestrator/phases.h"

namespace kvscope::bench {
namespace {

using orchestrator::LeasedUnit;
using orchestrator::Scheduler;
using orchestrator::Store;

// A benchmark has nobody to report to: what fails ends it.
template <typename T>
T Must(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::fprintf(stderr, "store_scale: %s\n", std::string(value.status().message()).c_str());
  std::exit(1);
}
void Must(const absl::Status& status) { Must(status.ok() ? absl::StatusOr<int>(0) : status); }

class StopWatch {
 public:
  absl::Duration Elapsed() const { return absl::Now() - begin_; }

 private:
  absl::Time begin_ = absl::Now();
};

v1::Dataset Upload(Store& store, const SweepGrid& grid, int dataset) {
  const std::string name = absl::StrCat("data-", dataset);
  const int64_t upload = Must(store.BeginDataset(name));
  std::vector<orchestrator::StoredPassage> rows;
  orchestrator::Sha256 digest;
  for (int i = 0; i < grid.passages; ++i) {
    orchestrator::Passage passage = orchestrator::FromProto(MakePassage(grid, dataset, i));
    std::string body = Must(orchestrator::CanonicalPassage(passage, name, i));
    digest.Update(body);
    rows.push_back({passage.passage_id, grid.questions, std::move(body)});
  }
  Must(store.AddPassages(upload, rows));
  v1::Dataset proto = orchestrator::ToProto(Must(store.FinishDataset(upload, digest.HexDigest())));
  proto.set_name(name);
  return proto;
}

v1::SweepSpec Submit(Store& store, const SweepGrid& grid) {
  std::vector<v1::Dataset> datasets;
  std::vector<int64_t> rows;
  for (int i = 0; i < grid.datasets; ++i) {
    datasets.push_back(Upload(store, grid, i));
    rows.push_back(Must(store.FindDataset(datasets.back().digest())).id);
  }
  v1::SweepSpec spec = MakeSpec(grid, kFilledSweep, /*seed=*/1, datasets);
  Must(orchestrator::ValidateSpec(spec));
  const std::string bytes = orchestrator::Serialize(spec);
  const std::string digest = orchestrator::Sha256Hex(bytes);
  Must(store.CreateSweep({.sweep_id = digest.substr(0, 16),
                          .name = spec.name(),
                          .request_id = "fill",
                          .spec = bytes,
                          .spec_digest = digest,
                          .device = spec.device(),
                          .press_count = grid.presses,
                          .ratio_count = grid.ratios,
                          .datasets = rows,
                          .create_time_ms = absl::ToUnixMillis(absl::Now())}));
  return spec;
}

absl::Duration Plan(Scheduler& scheduler, const SweepGrid& grid, const v1::SweepSpec& spec,
                    const orchestrator::WorkerId& worker) {
  const auto sweep = Must(scheduler.TakeCheck(worker));
  const v1::CheckReply reply = MakeCheckReply(grid, sweep->sweep_id, spec);
  const StopWatch watch;
  Must(scheduler.AcceptCheck(worker.session, sweep->sweep_id, orchestrator::ToPlans(spec, reply),
                             orchestrator::Serialize(reply)));
  while (scheduler.planning()) Must(scheduler.PlanSome().status());
  return watch.Elapsed();
}

// The unit's result, as it is when all parts have come in.
orchestrator::UnitResult Compute(const SweepGrid& grid, const v1::SweepSpec& spec,
                                 const LeasedUnit& lease) {
  v1::Unit unit;
  unit.set_regime(orchestrator::RegimeOfText(lease.regime));
  *unit.mutable_presses() = spec.presses();
  *unit.mutable_ratios() = spec.ratios();
  unit.set_first_passage(lease.first_passage);
  for (int64_t i = 0; i < lease.passage_count; ++i) {
    v1::Passage& passage = *unit.add_passages();
    for (int question = 0; question < grid.questions; ++question) passage.add_questions();
  }
  orchestrator::UnitResult result;
  for (const v1::ResultChunk& chunk : MakeResult(grid, unit)) orchestrator::Append(chunk, result);
  return result;
}

}  // namespace

nlohmann::json Quantiles(std::vector<absl::Duration> durations) {
  std::sort(durations.begin(), durations.end());
  const auto at = [&](double share) {
    if (durations.empty()) return 0.0;
    const double index = share * static_cast<double>(durations.size() - 1);
    return absl::ToDoubleMilliseconds(durations[static_cast<size_t>(index + 0.5)]);
  };
  return {{"p50", at(0.5)}, {"p99", at(0.99)}, {"max", at(1)}, {"count", durations.size()}};
}

nlohmann::json Fill(const SweepGrid& grid, const std::string& path) {
  const StopWatch total;
  const std::unique_ptr<Store> store = Must(Store::Open(path));
  const orchestrator::SystemClock clock;
  Scheduler scheduler(*store, clock, {});
  const orchestrator::WorkerId worker = {
      .session = 1, .name = "filler", .devices = {"cpu"}, .code_version = kCodeVersion};
  const v1::SweepSpec spec = Submit(*store, grid);
  const absl::Duration plan = Plan(scheduler, grid, spec, worker);
  std::vector<absl::Duration> leases, commits;
  int64_t answers = 0;
  while (true) {
    const StopWatch lease_watch;
    const std::optional<LeasedUnit> lease = Must(scheduler.Lease(worker));
    if (!lease) break;
    leases.push_back(lease_watch.Elapsed());
    const orchestrator::UnitResult result = Compute(grid, spec, *lease);
    answers += static_cast<int64_t>(result.answers.size());
    const StopWatch commit_watch;
    if (!Must(scheduler.Complete(lease->key, lease->token, result))) Must(absl::AbortedError("?"));
    commits.push_back(commit_watch.Elapsed());
  }
  return {{"plan_ms", absl::ToDoubleMilliseconds(plan)},
          {"units", commits.size()},
          {"answers", answers},
          {"commit_ms", Quantiles(commits)},
          {"lease_ms", Quantiles(leases)},
          {"seconds", absl::ToDoubleSeconds(total.Elapsed())}};
}

}  // namespace kvscope::bench
