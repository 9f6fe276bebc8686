// Desk: who gets which check or unit.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/service/desk.h"
#include "services/rpc/telemetry.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

constexpr int64_t kPartBytes = 900 << 10;  // of passages; the message stays below 1 MiB

bool HasCuda(const WorkerId& worker) {
  return std::find(worker.devices.begin(), worker.devices.end(), "cuda") != worker.devices.end();
}

// Workers that differ in neither can do the same work.
std::pair<std::vector<std::string>, std::string> Kind(const WorkerId& worker) {
  return {worker.devices, worker.code_version};
}

}  // namespace

void Desk::Dispatch() {
  if (draining()) return;
  std::vector<int64_t> idle;
  for (const auto& [id, session] : sessions_) {
    if (session.ready) idle.push_back(id);
  }
  // A check decides what "auto" means: the best device that is free.
  std::stable_partition(idle.begin(), idle.end(),
                        [this](int64_t id) { return HasCuda(sessions_.at(id).worker); });
  std::vector<std::pair<std::vector<std::string>, std::string>> without_work;
  bool given = false;
  for (const int64_t id : idle) {
    Session& session = sessions_.at(id);
    const auto kind = Kind(session.worker);
    if (std::find(without_work.begin(), without_work.end(), kind) != without_work.end()) continue;
    if (GiveWork(session)) {
      session.ready = false;
      given = true;
    } else {
      without_work.push_back(kind);
    }
  }
  if (!given) return;
  Changed();
  WriteLeasesSoon();
}

bool Desk::GiveWork(Session& session) {
  absl::StatusOr<bool> given = GiveCheck(session);
  if (given.ok() && !*given) given = GiveLease(session);
  Report("giving work", given.status());
  return given.ok() && *given;
}

absl::StatusOr<bool> Desk::GiveCheck(Session& session) {
  KVSCOPE_ASSIGN_OR_RETURN(std::optional<SweepRecord> sweep, scheduler_.TakeCheck(session.worker));
  if (!sweep) return false;
  const std::string sweep_id = sweep->sweep_id;
  absl::StatusOr<std::vector<StoredDataset>> datasets = store_.SweepDatasets(sweep->row);
  absl::Status status = datasets.status();
  if (status.ok()) {
    session.check = CheckSending{.sweep = *std::move(sweep), .datasets = *std::move(datasets)};
    status = SendCheckPart(session);
  }
  if (status.ok()) return true;
  session.check.reset();
  Report("check",
         scheduler_.RefuseCheck(session.worker.session, sweep_id, std::string(status.message())));
  return status;
}

void Desk::Written(int64_t id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end() || !found->second.check) return;
  Session& session = found->second;
  const absl::Status status = SendCheckPart(session);
  if (status.ok()) return;
  Report("check",
         scheduler_.RefuseCheck(id, session.check->sweep.sweep_id, std::string(status.message())));
  session.check.reset();
  session.stream->End(status);  // it waits for parts that cannot come
}

// One part at a time, so that a large data set is never in memory as a whole.
absl::Status Desk::SendCheckPart(Session& session) {
  CheckSending& check = *session.check;
  v1::OrchestratorMessage message;
  v1::CheckPart& part = *message.mutable_check();
  part.set_sweep_id(check.sweep.sweep_id);
  if (check.first) {
    KVSCOPE_ASSIGN_OR_RETURN(const SweepProtos protos, ReadProtos(check.sweep));
    *part.mutable_spec() = protos.spec;
    check.first = false;
  }
  // A sweep that was cancelled meanwhile: the worker is spared the rest, its reply is not awaited.
  const bool wanted = scheduler_.Checks(session.worker.session, check.sweep.sweep_id);
  while (wanted && check.dataset < check.datasets.size()) {
    KVSCOPE_ASSIGN_OR_RETURN(const std::vector<StoredPassage> passages,
                             store_.ReadPassages(check.datasets[check.dataset].id,
                                                 check.next_passage, 1000, kPartBytes));
    for (const StoredPassage& stored : passages) {
      KVSCOPE_ASSIGN_OR_RETURN(const Passage passage, ReadPassage(stored));
      *part.add_passages() = ToProto(passage);
      ++check.next_passage;
    }
    if (!passages.empty()) break;
    ++check.dataset;
    check.next_passage = 0;
  }
  part.set_last_part(!wanted || check.dataset == check.datasets.size());
  if (part.last_part()) session.check.reset();
  session.stream->Send(std::move(message));
  return absl::OkStatus();
}

absl::StatusOr<bool> Desk::GiveLease(Session& session) {
  KVSCOPE_ASSIGN_OR_RETURN(const std::optional<LeasedUnit> unit, scheduler_.Lease(session.worker));
  if (!unit) return false;
  metrics_.leases_given.Add();
  if (unit->attempt > 1) metrics_.retries.Add();
  v1::OrchestratorMessage message;
  v1::Lease& lease = *message.mutable_lease();
  lease.set_sweep_id(unit->sweep_id);
  lease.set_token(unit->token);
  const absl::StatusOr<std::shared_ptr<const SweepProtos>> protos = ProtosOf(unit->sweep_id);
  absl::Status status = protos.status();
  if (status.ok()) {
    *lease.mutable_unit() = ToUnit(*unit, **protos);
    status = FillPassages(*unit, *lease.mutable_unit());
  }
  if (!status.ok()) {  // what cannot be read cannot be computed anywhere
    metrics_.ended.failed.Add();
    Report("unit", scheduler_.Fail(unit->key, unit->token, std::string(status.message()),
                                   !absl::IsDataLoss(status)));
    return status;
  }
  session.stream->Send(std::move(message));
  rpc::Log(rpc::LogLevel::kDebug, "unit leased",
           {{"sweep", unit->sweep_id},
            {"unit", unit->key},
            {"worker", session.worker.name},
            {"attempt", absl::StrCat(unit->attempt)}});
  return true;
}

absl::Status Desk::FillPassages(const LeasedUnit& unit, v1::Unit& proto) {
  int64_t read = 0;
  while (read < unit.passage_count) {
    KVSCOPE_ASSIGN_OR_RETURN(const std::vector<StoredPassage> passages,
                             store_.ReadPassages(unit.dataset, unit.first_passage + read,
                                                 unit.passage_count - read, kPartBytes));
    if (passages.empty()) return absl::DataLossError("passages of the unit are missing");
    for (const StoredPassage& stored : passages) {
      KVSCOPE_ASSIGN_OR_RETURN(const Passage passage, ReadPassage(stored));
      *proto.add_passages() = ToProto(passage);
      ++read;
    }
  }
  return absl::OkStatus();
}

}  // namespace kvscope::orchestrator
