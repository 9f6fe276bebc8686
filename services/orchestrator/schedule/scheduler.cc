#include "services/orchestrator/schedule/scheduler.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/schedule/result_check.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

constexpr int64_t kCheckingSweeps = 64;  // looked at for a check; more wait their turn

bool Offers(const WorkerId& worker, const std::string& device) {
  return device == "auto" ||
         std::find(worker.devices.begin(), worker.devices.end(), device) != worker.devices.end();
}

}  // namespace

Scheduler::Scheduler(Store& store, const Clock& clock, ScheduleOptions options)
    : store_(store), clock_(clock), options_(options) {}

int64_t Scheduler::NowMs() const { return absl::ToUnixMillis(clock_.Now()); }

absl::StatusOr<std::optional<SweepRecord>> Scheduler::TakeCheck(const WorkerId& worker) {
  KVSCOPE_ASSIGN_OR_RETURN(std::vector<SweepRecord> waiting,
                           store_.CheckingSweeps(kCheckingSweeps));
  for (SweepRecord& sweep : waiting) {
    const bool planned =
        std::any_of(planners_.begin(), planners_.end(),
                    [&](const Planner& planner) { return planner.sweep_id() == sweep.sweep_id; });
    if (planned || !Offers(worker, sweep.device)) continue;
    Check& check = checks_[sweep.sweep_id];
    if (check.session != 0) continue;
    check.session = worker.session;
    check.deadline = clock_.Uptime() + options_.check_timeout;
    ++check.attempts;
    return std::move(sweep);
  }
  return std::nullopt;
}

bool Scheduler::Holds(int64_t session, const std::string& key, int64_t token) const {
  const auto lease = leases_.find(key);
  return lease != leases_.end() && lease->second.session == session &&
         lease->second.unit.token == token;
}

bool Scheduler::Checks(int64_t session, const std::string& sweep_id) const {
  const auto check = checks_.find(sweep_id);
  return check != checks_.end() && check->second.session == session;
}

absl::Status Scheduler::RefuseCheck(int64_t session, const std::string& sweep_id,
                                    const std::string& error) {
  if (!Checks(session, sweep_id)) return absl::OkStatus();
  absl::Status status = store_.FailCheck(sweep_id, error, NowMs());
  checks_.erase(sweep_id);  // if the store could not write it, the sweep is checked again
  return status;
}

absl::Status Scheduler::AcceptCheck(int64_t session, const std::string& sweep_id,
                                    std::vector<SweepPlan> plans, const std::string& check) {
  if (!Checks(session, sweep_id)) return absl::OkStatus();
  checks_.erase(sweep_id);
  KVSCOPE_ASSIGN_OR_RETURN(const SweepRecord sweep, store_.FindSweep(sweep_id));
  KVSCOPE_ASSIGN_OR_RETURN(Planner planner, Planner::Begin(store_, sweep, std::move(plans), check));
  planners_.push_back(std::move(planner));
  return absl::OkStatus();
}

absl::StatusOr<bool> Scheduler::PlanSome() {
  if (planners_.empty()) return false;
  absl::StatusOr<bool> finished = planners_.front().Step(NowMs());
  // After an error the sweep is still in state checking: a new check plans it from the start.
  if (!finished.ok() || *finished) planners_.pop_front();
  if (absl::IsFailedPrecondition(finished.status())) return false;  // cancelled meanwhile
  return finished;
}

absl::StatusOr<std::optional<LeasedUnit>> Scheduler::Lease(const WorkerId& worker) {
  KVSCOPE_ASSIGN_OR_RETURN(std::optional<LeasedUnit> unit,
                           store_.LeaseNext({.worker = worker.name,
                                             .devices = worker.devices,
                                             .code_version = worker.code_version,
                                             .turn = [this](const std::string& owner) {
                                               return fair_share_.Start(owner);
                                             }}));
  if (unit.has_value()) {
    fair_share_.Serve(unit->owner, static_cast<double>(unit->streams));
    leases_[unit->key] = {.unit = *unit,
                          .session = worker.session,
                          .deadline = clock_.Uptime() + options_.lease_duration};
  }
  return unit;
}

bool Scheduler::Heartbeat(int64_t session, const std::string& key, int64_t token,
                          int64_t streams_done) {
  if (!Holds(session, key, token)) return false;
  HeldLease& lease = leases_.at(key);
  lease.deadline = clock_.Uptime() + options_.lease_duration;
  lease.streams_done = std::clamp<int64_t>(streams_done, 0, lease.unit.streams);
  return true;
}

absl::StatusOr<bool> Scheduler::Complete(const std::string& key, int64_t token,
                                         const UnitResult& result) {
  const std::optional<LeasedUnit> unit = BeginComplete(key, token);
  if (!unit) return false;
  absl::StatusOr<bool> accepted = Commit(*unit, result);
  EndComplete(*unit, accepted.status()).IgnoreError();  // that of `accepted` is the cause
  return accepted;
}

std::optional<LeasedUnit> Scheduler::BeginComplete(const std::string& key, int64_t token) {
  const auto lease = leases_.find(key);
  if (lease == leases_.end() || lease->second.unit.token != token) return std::nullopt;
  if (lease->second.completing) return std::nullopt;  // its result came before
  lease->second.completing = true;
  return lease->second.unit;
}

absl::StatusOr<bool> Scheduler::Commit(const LeasedUnit& unit, const UnitResult& result) {
  KVSCOPE_RETURN_IF_ERROR(CheckResult(unit, result));
  return store_.CommitResult(unit.key, unit.token, result, NowMs());
}

absl::Status Scheduler::EndComplete(const LeasedUnit& unit, const absl::Status& committed) {
  const bool workers_fault = absl::IsInvalidArgument(committed);
  if (!committed.ok()) {
    return EndLease(unit.key, unit.token,
                    {.error = workers_fault ? std::string(committed.message()) : std::string(),
                     .costs_attempt = workers_fault,
                     .max_attempts = options_.max_attempts});
  }
  const auto lease = leases_.find(unit.key);
  if (lease != leases_.end() && lease->second.unit.token == unit.token) leases_.erase(lease);
  return absl::OkStatus();
}

absl::Status Scheduler::Fail(const std::string& key, int64_t token, const std::string& error,
                             bool retryable) {
  return EndLease(key, token,
                  {.error = error.empty() ? "the worker gave no reason" : error,
                   .retryable = retryable,
                   .max_attempts = options_.max_attempts});
}

absl::Status Scheduler::Return(const std::string& key, int64_t token) {
  return EndLease(key, token, {.costs_attempt = false});
}

absl::Status Scheduler::EndLease(const std::string& key, int64_t token, const Release& release) {
  const auto lease = leases_.find(key);
  if (lease == leases_.end() || lease->second.unit.token != token) return absl::OkStatus();
  leases_.erase(lease);
  absl::Status status = store_.ReleaseLease(key, token, release, NowMs()).status();
  if (!status.ok()) open_releases_.push_back({key, token, {.costs_attempt = false}});
  return status;
}

size_t Scheduler::Lose(int64_t session, const std::string& why) {
  std::vector<std::string> checks, keys;
  for (const auto& [sweep_id, check] : checks_) {
    if (check.session == session) checks.push_back(sweep_id);
  }
  for (const auto& [key, lease] : leases_) {
    if (lease.session == session && !lease.completing) keys.push_back(key);
  }
  for (const std::string& sweep_id : checks) LoseCheck(sweep_id, why);
  for (const std::string& key : keys) {
    EndLease(key, leases_.at(key).unit.token, {.error = why, .max_attempts = options_.max_attempts})
        .IgnoreError();  // kept in open_releases_
  }
  return keys.size();
}

void Scheduler::LoseCheck(const std::string& sweep_id, const std::string& why) {
  Check& check = checks_.at(sweep_id);
  check.session = 0;
  if (check.attempts < options_.max_attempts) return;
  const std::string error = absl::StrCat("the check was tried ", check.attempts,
                                         " times without an answer; the last time: ", why);
  store_.FailCheck(sweep_id, error, NowMs()).IgnoreError();  // else it is checked again
  checks_.erase(sweep_id);
}

absl::StatusOr<std::vector<LostLease>> Scheduler::Cancel(const std::string& sweep_id,
                                                         const std::string& request_id) {
  KVSCOPE_ASSIGN_OR_RETURN(const std::vector<RevokedLease> revoked,
                           store_.CancelSweep(sweep_id, request_id, NowMs()));
  KVSCOPE_ASSIGN_OR_RETURN(const SweepRecord sweep, store_.FindSweep(sweep_id));
  if (Ended(sweep.state)) {
    checks_.erase(sweep_id);
    std::erase_if(planners_, [&](const Planner& p) { return p.sweep_id() == sweep_id; });
  }
  std::vector<LostLease> lost;
  for (const RevokedLease& revoke : revoked) {
    const auto lease = leases_.find(revoke.key);
    if (lease == leases_.end() || lease->second.unit.token != revoke.token) continue;
    lost.push_back({lease->second.session, revoke.key});
    leases_.erase(lease);
  }
  return lost;
}

absl::Status Scheduler::Resume(const std::string& sweep_id, const std::string& request_id) {
  return store_.ResumeSweep(sweep_id, request_id);
}

absl::Status Scheduler::Delete(const std::string& sweep_id, const std::string& request_id) {
  return store_.DeleteSweep(sweep_id, request_id);
}

std::vector<LostLease> Scheduler::Tick() {
  RetryReleases();
  const absl::Duration now = clock_.Uptime();
  std::vector<std::string> checks;
  for (const auto& [sweep_id, check] : checks_) {
    if (check.session != 0 && check.deadline <= now) checks.push_back(sweep_id);
  }
  for (const std::string& sweep_id : checks) LoseCheck(sweep_id, "it took too long");
  std::vector<LostLease> lost;
  for (const auto& [key, lease] : leases_) {
    if (lease.deadline <= now && !lease.completing) lost.push_back({lease.session, key});
  }
  for (const LostLease& lease : lost) {
    const LeasedUnit unit = leases_.at(lease.key).unit;
    EndLease(lease.key, unit.token,
             {.error = absl::StrCat("attempt ", unit.attempt, " ended without a sign of life for ",
                                    absl::FormatDuration(options_.lease_duration)),
              .max_attempts = options_.max_attempts})
        .IgnoreError();  // kept in open_releases_
  }
  return lost;
}

void Scheduler::RetryReleases() {
  std::vector<OpenRelease> open;
  open.swap(open_releases_);
  for (OpenRelease& entry : open) {
    if (!store_.ReleaseLease(entry.key, entry.token, entry.release, NowMs()).ok()) {
      open_releases_.push_back(std::move(entry));
    }
  }
}

std::map<std::string, int64_t> Scheduler::StreamsRunning() const {
  std::map<std::string, int64_t> streams;
  for (const auto& [key, lease] : leases_) streams[lease.unit.sweep_id] += lease.streams_done;
  return streams;
}

}  // namespace kvscope::orchestrator
