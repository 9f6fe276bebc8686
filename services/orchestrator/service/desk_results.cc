// Desk: takes in what workers have computed.
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/service/desk.h"
#include "services/rpc/telemetry.h"

namespace kvscope::orchestrator {

absl::Status Desk::TakeResultPart(int64_t id, Session& session, v1::ResultPart part) {
  std::optional<Assembly>& assembly = session.assembly;
  if (!assembly || assembly->key != part.unit_key() || assembly->token != part.token()) {
    Assembly begun;
    begun.key = part.unit_key();
    begun.token = part.token();
    begun.discarded = !scheduler_.Holds(session.worker.session, part.unit_key(), part.token());
    assembly = std::move(begun);
  }
  if (!assembly->discarded) {
    assembly->bytes += static_cast<int64_t>(part.chunk().ByteSizeLong());
    if (assembly->bytes > max_result_bytes_) {
      assembly->discarded = true;
      assembly->chunks.clear();
      metrics_.ended.failed.Add();
      Report("result too large",
             scheduler_.Fail(part.unit_key(), part.token(),
                             absl::StrCat("the result has more than ", max_result_bytes_,
                                          " bytes: fewer heat maps may help"),
                             /*retryable=*/false));
    } else {
      assembly->chunks.push_back(std::move(*part.mutable_chunk()));
    }
  }
  if (part.last_part()) FinishResult(id, session, part);
  return absl::OkStatus();
}

void Desk::FinishResult(int64_t id, Session& session, const v1::ResultPart& part) {
  const auto assembly = std::make_shared<Assembly>(*std::exchange(session.assembly, {}));
  std::optional<LeasedUnit> unit;
  if (!assembly->discarded) unit = scheduler_.BeginComplete(part.unit_key(), part.token());
  if (!unit) {
    if (assembly->bytes <= max_result_bytes_) metrics_.duplicates_refused.Add();
    return Acknowledge(id, part.unit_key(), false);
  }
  {
    const absl::MutexLock lock(&mutex_);
    ++commits_open_;
  }
  commits_.Post([this, id, unit = *std::move(unit), assembly] {
    UnitResult result;
    for (const v1::ResultChunk& chunk : std::exchange(assembly->chunks, {})) Append(chunk, result);
    absl::StatusOr<bool> committed = scheduler_.Commit(unit, result);
    writes_.PostUrgent(
        [this, id, unit, committed = std::move(committed)] { EndResult(id, unit, committed); });
  });
}

void Desk::EndResult(int64_t id, const LeasedUnit& unit, const absl::StatusOr<bool>& committed) {
  Report("result", committed.status());
  CountResult(unit, committed);
  scheduler_.EndComplete(unit, committed.status()).IgnoreError();  // it follows from the above
  Acknowledge(id, unit.key, committed.ok() && *committed);
  Changed();
  {
    const absl::MutexLock lock(&mutex_);
    --commits_open_;
  }
  if (!committed.ok()) Dispatch();
}

void Desk::CountResult(const LeasedUnit& unit, const absl::StatusOr<bool>& committed) {
  if (!committed.ok()) {
    const bool workers_fault = absl::IsInvalidArgument(committed.status());
    (workers_fault ? metrics_.ended.failed : metrics_.ended.unwritten).Add();
  } else {
    (*committed ? metrics_.ended.recorded : metrics_.duplicates_refused).Add();
  }
  rpc::Log(rpc::LogLevel::kDebug, "unit ended",
           {{"sweep", unit.sweep_id},
            {"unit", unit.key},
            {"attempt", absl::StrCat(unit.attempt)},
            {"error", std::string(committed.status().message())}});
}

void Desk::Acknowledge(int64_t id, const std::string& unit_key, bool accepted) {
  const auto session = sessions_.find(id);
  if (session == sessions_.end()) return;  // it hung up meanwhile
  v1::OrchestratorMessage message;
  message.mutable_result_ack()->set_unit_key(unit_key);
  message.mutable_result_ack()->set_accepted(accepted);
  session->second.stream->Send(std::move(message));
}

// Soon, so that lists show them; after the commits that wait, for each of them does it as well.
void Desk::WriteLeasesSoon() {
  if (lease_write_posted_.exchange(true)) return;
  commits_.Post([this] {
    lease_write_posted_ = false;
    const absl::Status status = store_.WriteLeases();
    if (status.ok()) return;
    writes_.Post([this, status] { Report("leases", status); });
  });
}

}  // namespace kvscope::orchestrator
