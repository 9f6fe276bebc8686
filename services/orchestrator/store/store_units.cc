// The store's units: leasing them, taking leases back, listing them.
#include <algorithm>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "services/orchestrator/store/store.h"
#include "services/orchestrator/store/unit_state.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

struct QueuedUnit {
  int64_t sweep = 0;
  int64_t seq = 0;
  int64_t unit = 0;  // 0: none
};

using NotedUnits = absl::flat_hash_set<int64_t>;

// The sweep's first queued unit that is not `noted` as leased.
absl::StatusOr<QueuedUnit> FirstQueued(Database& db, int64_t sweep, const NotedUnits& noted) {
  Statement queue = db.Prepare("SELECT seq, unit FROM queue WHERE sweep = ?1 ORDER BY seq");
  queue.Bind(sweep);
  while (true) {
    KVSCOPE_ASSIGN_OR_RETURN(const bool more, queue.Step());
    if (!more) return QueuedUnit{};
    if (!noted.contains(queue.Int(1))) {
      return QueuedUnit{.sweep = sweep, .seq = queue.Int(0), .unit = queue.Int(1)};
    }
  }
}

// The running sweeps that the worker can do, in the order in which their units are given out:
// priority, then the users' turns, then age.
absl::StatusOr<std::vector<int64_t>> SweepsFor(Database& db, const LeaseRequest& request) {
  struct Candidate {
    int64_t sweep = 0;
    int64_t priority = 0;
    double turn = 0;
  };
  Statement sweeps = db.Prepare(
      "SELECT s.id, s.unit_device, s.priority, s.owner FROM sweeps s INDEXED BY sweeps_active"
      " WHERE s.state = 2 AND s.state IN (1, 2) AND s.code_version = ?1 ORDER BY s.id");
  sweeps.Bind(request.code_version);
  std::vector<Candidate> candidates;
  while (true) {
    KVSCOPE_ASSIGN_OR_RETURN(const bool more, sweeps.Step());
    if (!more) break;
    const auto& devices = request.devices;
    if (std::find(devices.begin(), devices.end(), sweeps.Text(1)) == devices.end()) continue;
    candidates.push_back({.sweep = sweeps.Int(0),
                          .priority = sweeps.Int(2),
                          .turn = request.turn ? request.turn(sweeps.Text(3)) : 0});
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) {
                     return std::pair(-a.priority, a.turn) < std::pair(-b.priority, b.turn);
                   });
  std::vector<int64_t> rows;
  rows.reserve(candidates.size());
  for (const Candidate& candidate : candidates) rows.push_back(candidate.sweep);
  return rows;
}

// That of the first of them that has one.
absl::StatusOr<QueuedUnit> FirstFor(Database& db, const LeaseRequest& request,
                                    const NotedUnits& noted) {
  KVSCOPE_ASSIGN_OR_RETURN(const std::vector<int64_t> sweeps, SweepsFor(db, request));
  for (const int64_t sweep : sweeps) {
    KVSCOPE_ASSIGN_OR_RETURN(const QueuedUnit first, FirstQueued(db, sweep, noted));
    if (first.unit != 0) return first;
  }
  return QueuedUnit{};
}

// The lease that the unit is about to get.
absl::StatusOr<LeasedUnit> NextLease(Database& db, const QueuedUnit& queued) {
  Statement select = db.Prepare(
      "SELECT u.key, u.token + 1, s.sweep_id, d.dataset, su.dataset_ordinal, su.regime,"
      " su.first_passage, su.passage_count, u.streams, s.press_count, s.ratio_count, u.attempts + "
      "1,"
      " su.model_ordinal, s.owner"
      " FROM sweep_units su JOIN units u ON u.id = su.unit JOIN sweeps s ON s.id = su.sweep"
      " JOIN sweep_datasets d ON d.sweep = su.sweep AND d.ordinal = su.dataset_ordinal"
      " WHERE u.id = ?1 AND su.sweep = ?2 AND su.seq = ?3");
  KVSCOPE_ASSIGN_OR_RETURN(const bool found,
                           select.Bind(queued.unit, queued.sweep, queued.seq).Step());
  if (!found) return absl::InternalError("a queued unit belongs to no sweep");
  return LeasedUnit{.key = select.Text(0),
                    .token = select.Int(1),
                    .sweep_id = select.Text(2),
                    .sweep_row = queued.sweep,
                    .dataset = select.Int(3),
                    .dataset_ordinal = static_cast<int>(select.Int(4)),
                    .regime = select.Text(5),
                    .first_passage = select.Int(6),
                    .passage_count = select.Int(7),
                    .streams = select.Int(8),
                    .press_count = static_cast<int>(select.Int(9)),
                    .ratio_count = static_cast<int>(select.Int(10)),
                    .attempt = static_cast<int>(select.Int(11)),
                    .model_ordinal = static_cast<int>(select.Int(12)),
                    .owner = select.Text(13)};
}

// The unit's row if it is leased with `token`; else 0.
absl::StatusOr<int64_t> HeldUnit(Database& db, const std::string& key, int64_t token) {
  return db.Number("SELECT id FROM units WHERE key = ?1 AND token = ?2 AND state = 2", key, token);
}

}  // namespace

absl::StatusOr<std::optional<LeasedUnit>> Store::LeaseNext(const LeaseRequest& request) {
  // In this order: a note that is gone when the lock is taken is in the file that is read then.
  absl::MutexLock notes_lock(&notes_mutex_);
  absl::MutexLock lock(&lease_mutex_);
  NotedUnits noted;
  for (const LeaseNote& note : notes_) noted.insert(note.unit);
  KVSCOPE_ASSIGN_OR_RETURN(const QueuedUnit queued, FirstFor(*lease_reader_, request, noted));
  if (queued.unit == 0) return std::nullopt;
  KVSCOPE_ASSIGN_OR_RETURN(LeasedUnit lease, NextLease(*lease_reader_, queued));
  notes_.push_back({.unit = queued.unit, .token = lease.token, .worker = request.worker});
  return lease;
}

absl::Status Store::WriteLeases() {
  {
    absl::MutexLock lock(&notes_mutex_);
    if (notes_.empty()) return absl::OkStatus();
  }
  return Write([](Database&) { return absl::OkStatus(); });
}

absl::StatusOr<ReleaseOutcome> Store::ReleaseLease(const std::string& key, int64_t token,
                                                   const Release& release, int64_t now_ms) {
  ReleaseOutcome outcome = ReleaseOutcome::kStale;
  KVSCOPE_RETURN_IF_ERROR(Write([&](Database& db) -> absl::Status {
    outcome = ReleaseOutcome::kStale;
    KVSCOPE_ASSIGN_OR_RETURN(const int64_t unit, HeldUnit(db, key, token));
    if (unit == 0) return absl::OkStatus();
    if (!release.error.empty()) {
      KVSCOPE_RETURN_IF_ERROR(
          db.Run("UPDATE units SET error = ?2 WHERE id = ?1", unit, release.error));
    }
    if (!release.costs_attempt) {
      KVSCOPE_RETURN_IF_ERROR(
          db.Run("UPDATE units SET attempts = max(attempts - 1, 0) WHERE id = ?1", unit));
    }
    KVSCOPE_ASSIGN_OR_RETURN(const int64_t attempts,
                             db.Number("SELECT attempts FROM units WHERE id = ?1", unit));
    const bool spent =
        release.costs_attempt && (!release.retryable || attempts >= release.max_attempts);
    outcome = spent ? ReleaseOutcome::kSetAside : ReleaseOutcome::kPending;
    KVSCOPE_RETURN_IF_ERROR(ChangeState(db, unit, UnitState::kLeased,
                                        spent ? UnitState::kFailed : UnitState::kPending));
    return spent ? EndFinishedSweeps(db, unit, now_ms) : absl::OkStatus();
  }));
  return outcome;
}

absl::StatusOr<std::vector<UnitRecord>> Store::ListUnits(int64_t sweep_row, int64_t after_seq,
                                                         int64_t limit) {
  absl::MutexLock lock(&read_mutex_);
  Statement select = reader_->Prepare(
      "SELECT su.seq, u.key, u.state, su.dataset_ordinal, su.regime, su.first_passage,"
      " su.passage_count, u.attempts, u.worker, u.error, su.model_ordinal FROM sweep_units su"
      " JOIN units u ON u.id = su.unit WHERE su.sweep = ?1 AND su.seq > ?2 ORDER BY su.seq"
      " LIMIT ?3");
  select.Bind(sweep_row, after_seq, limit);
  std::vector<UnitRecord> units;
  while (true) {
    KVSCOPE_ASSIGN_OR_RETURN(const bool more, select.Step());
    if (!more) return units;
    units.push_back({.seq = select.Int(0),
                     .key = select.Text(1),
                     .state = static_cast<UnitState>(select.Int(2)),
                     .dataset_ordinal = static_cast<int>(select.Int(3)),
                     .regime = select.Text(4),
                     .first_passage = select.Int(5),
                     .passage_count = select.Int(6),
                     .attempts = static_cast<int>(select.Int(7)),
                     .worker = select.Text(8),
                     .error = select.Text(9),
                     .model_ordinal = static_cast<int>(select.Int(10))});
  }
}

absl::StatusOr<SliceCounts> Store::CountUnits(int64_t sweep_row, const GridSlice& slice) {
  absl::MutexLock lock(&read_mutex_);
  Statement select = reader_->Prepare(
      "SELECT u.state, count(*) FROM sweep_units su JOIN units u ON u.id = su.unit"
      " WHERE su.sweep = ?1 AND su.model_ordinal = ?2 AND su.dataset_ordinal = ?3"
      " AND su.regime = ?4 GROUP BY u.state");
  select.Bind(sweep_row, slice.model_ordinal, slice.dataset_ordinal, slice.regime);
  SliceCounts counts;
  while (true) {
    KVSCOPE_ASSIGN_OR_RETURN(const bool more, select.Step());
    if (!more) return counts;
    switch (static_cast<UnitState>(select.Int(0))) {
      case UnitState::kPending:
        counts.pending = select.Int(1);
        break;
      case UnitState::kLeased:
        counts.leased = select.Int(1);
        break;
      case UnitState::kDone:
        counts.done = select.Int(1);
        break;
      case UnitState::kFailed:
        counts.failed = select.Int(1);
        break;
    }
  }
}

absl::StatusOr<int64_t> Store::QueuedUnits() {
  absl::MutexLock lock(&lease_mutex_);
  return lease_reader_->Number("SELECT count(*) FROM queue");
}

}  // namespace kvscope::orchestrator
