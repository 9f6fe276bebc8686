// Scheduler: who works on what, and what becomes of a sweep.
//
//   sweep   CHECKING ─check passed, cut into units─► RUNNING ─every unit done──► SUCCEEDED
//              └──────────check refused──► FAILED ◄──units were set aside──┘
//           CHECKING, RUNNING ─Cancel─► CANCELLED;   FAILED, CANCELLED ─Resume─► CHECKING
//   unit    PENDING ─Lease─► LEASED ─Complete─► DONE
//              └──◄─expired, failed, lost, returned─┘ └─max_attempts reached─► FAILED (set aside)
//
// Exactly once: a lease has a token that grows with every lease of its unit; the store writes a
// result and ends the lease in one transaction, and only for the token of the lease that is held.
// Deadlines live in memory: a new process starts with all leases given back (Store::Open).
//
// Knows nothing of networks or threads: time comes from Clock, workers are numbers. Not
// thread-safe: one thread calls it, but for Commit. Memory grows with workers and with sweeps being
// checked, not with units. After a ResourceExhausted (disk full) the call may be made again; leases
// whose end could not be written are given back by a later Tick and cost no attempt.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/orchestrator/schedule/clock.h"
#include "services/orchestrator/schedule/fair_share.h"
#include "services/orchestrator/schedule/planner.h"
#include "services/orchestrator/schedule/sweep_plan.h"
#include "services/orchestrator/store/store.h"

namespace kvscope::orchestrator {

struct ScheduleOptions {
  absl::Duration lease_duration = absl::Seconds(60);
  absl::Duration heartbeat_interval = absl::Seconds(10);
  absl::Duration check_timeout = absl::Minutes(15);
  int max_attempts = 3;  // of a unit, and of a check
};

// One connection of a worker.
struct WorkerId {
  int64_t session = 0;  // unique in this process
  std::string name;     // as the worker calls itself
  std::vector<std::string> devices;
  std::string code_version;
};

struct LostLease {
  int64_t session = 0;  // who held it
  std::string key;
};

class Scheduler {
 public:
  // Both must outlive the scheduler.
  Scheduler(Store& store, const Clock& clock, ScheduleOptions options);

  // --- Checks. The oldest sweep that waits for a check and that the worker can make.
  absl::StatusOr<std::optional<SweepRecord>> TakeCheck(const WorkerId& worker);
  // The check's end. Stale replies (another sweep or session) change nothing. RefuseCheck ends the
  // sweep with `error`; AcceptCheck starts its plan (see Planner::Begin), which PlanSome carries
  // on.
  absl::Status RefuseCheck(int64_t session, const std::string& sweep_id, const std::string& error);
  absl::Status AcceptCheck(int64_t session, const std::string& sweep_id,
                           std::vector<SweepPlan> plans, const std::string& check);
  bool planning() const { return !planners_.empty(); }
  // Some more units of the oldest plan. True: a sweep started to run.
  absl::StatusOr<bool> PlanSome();

  // --- Leases.
  absl::StatusOr<std::optional<LeasedUnit>> Lease(const WorkerId& worker);
  // False: the lease is not held any more; the worker should stop.
  bool Heartbeat(int64_t session, const std::string& key, int64_t token, int64_t streams_done);
  // True: recorded. False: the token was old, and nothing has changed. A result that does not
  // cover its unit (InvalidArgument) counts as a failed attempt.
  absl::StatusOr<bool> Complete(const std::string& key, int64_t token, const UnitResult& result);
  // The same in three steps, so that another thread can wait for the disk. Between Begin, which
  // gives nothing if the lease is not held, and End, the lease neither expires nor is lost.
  std::optional<LeasedUnit> BeginComplete(const std::string& key, int64_t token);
  absl::StatusOr<bool> Commit(const LeasedUnit& unit, const UnitResult& result);  // any thread
  absl::Status EndComplete(const LeasedUnit& unit, const absl::Status& committed);
  absl::Status Fail(const std::string& key, int64_t token, const std::string& error,
                    bool retryable);
  absl::Status Return(const std::string& key, int64_t token);
  // The worker is gone: its check goes to another, its leases (returns how many) cost an attempt.
  size_t Lose(int64_t session, const std::string& why);

  // --- Sweeps.
  absl::StatusOr<std::vector<LostLease>> Cancel(const std::string& sweep_id,
                                                const std::string& request_id);
  absl::Status Resume(const std::string& sweep_id, const std::string& request_id);
  absl::Status Delete(const std::string& sweep_id, const std::string& request_id);

  // To be called about once a second: takes expired leases and checks back.
  std::vector<LostLease> Tick();

  // Streams that running units have reported, by sweep id.
  std::map<std::string, int64_t> StreamsRunning() const;
  // Whether the session has this lease, or makes the check of this sweep, at this moment.
  bool Holds(int64_t session, const std::string& key, int64_t token) const;
  bool Checks(int64_t session, const std::string& sweep_id) const;
  size_t lease_count() const { return leases_.size(); }
  const ScheduleOptions& options() const { return options_; }

 private:
  struct HeldLease {
    LeasedUnit unit;
    int64_t session = 0;
    absl::Duration deadline;
    int64_t streams_done = 0;
    bool completing = false;
  };
  struct Check {
    int64_t session = 0;  // 0: nobody's
    absl::Duration deadline;
    int attempts = 0;
  };
  struct OpenRelease {
    std::string key;
    int64_t token = 0;
    Release release;
  };

  int64_t NowMs() const;
  absl::Status EndLease(const std::string& key, int64_t token, const Release& release);
  void LoseCheck(const std::string& sweep_id, const std::string& why);
  void RetryReleases();

  Store& store_;
  const Clock& clock_;
  const ScheduleOptions options_;
  FairShare fair_share_;
  std::map<std::string, HeldLease> leases_;  // by unit key
  std::map<std::string, Check> checks_;      // by sweep id
  std::deque<Planner> planners_;
  std::vector<OpenRelease> open_releases_;  // the store could not take them
};

}  // namespace kvscope::orchestrator
