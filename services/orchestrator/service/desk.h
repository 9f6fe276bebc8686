// Desk: gives work to the workers that are connected, and tells what is going on.
//
// Threading. Three threads of ours (Executor) do all work that touches the store; gRPC's own
// threads only post to them, so that an fsync never holds up the transport.
//   writes   every change: the scheduler, the sessions, mutations of the API. All of Desk's methods
//            run there, save those under "From any thread".
//   commits  what waits for the disk while work is given out: results, leases, orphans.
//   reads    lists and streams of rows, on the store's second connection.
// A reactor lives until its OnDone; closures that are still queued hold it by shared_ptr.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "kvscope/v1/worker.pb.h"
#include "services/orchestrator/schedule/scheduler.h"
#include "services/orchestrator/service/conversions.h"
#include "services/orchestrator/service/executor.h"
#include "services/orchestrator/service/feature_cleaner.h"
#include "services/orchestrator/service/orchestrator_metrics.h"
#include "services/orchestrator/service/sweep_gauges.h"
#include "services/orchestrator/store/store.h"

namespace kvscope::orchestrator {

// A connected worker, as the desk sees it.
class WorkerStream {
 public:
  virtual ~WorkerStream() = default;
  virtual void Send(v1::OrchestratorMessage message) = 0;
  virtual void End(const absl::Status& status) = 0;  // after what was sent before
};

// What the desk is told about its cluster.
struct DeskOptions {
  ScheduleOptions schedule;
  int64_t max_result_bytes = 256 << 20;              // of one unit, while its parts come in
  Quotas quotas = {};                                // of each user
  std::string models_dir = {};                       // the catalogue; empty: there is none
  std::shared_ptr<grpc::Channel> metrics = nullptr;  // who keeps hidden states; null: nobody
};

class Desk {
 public:
  // `store` and `clock` must outlive the desk.
  Desk(Store& store, const Clock& clock, const DeskOptions& options);
  ~Desk();  // stops the threads; the gRPC server must be gone

  // --- Sessions: Open, then each message in order, then Close.
  int64_t Open(std::shared_ptr<WorkerStream> stream);
  // An error ends the stream with it.
  absl::Status Handle(int64_t session, v1::WorkerMessage message);
  // All that was sent is written: the next part of a check, if one is under way.
  void Written(int64_t session);
  void Close(int64_t session);

  // --- Changes by the API; each tells workers and watchers what follows from it.
  absl::Status Cancel(const std::string& sweep_id, const std::string& request_id);
  absl::Status Resume(const std::string& sweep_id, const std::string& request_id);
  absl::Status Delete(const std::string& sweep_id, const std::string& request_id);
  void SweepCreated() { Dispatch(); }
  // --- From any thread.
  Executor& writes() { return writes_; }
  Executor& reads() { return reads_; }
  Store& store() { return store_; }
  const Clock& clock() const { return clock_; }
  const Quotas& quotas() const { return quotas_; }
  const std::string& models_dir() const { return models_dir_; }
  bool draining() const;
  // No more work; workers are told to finish and hang up.
  void StartDrain();
  // True once every worker has hung up after StartDrain and their results are recorded; false if
  // `timeout` passed before.
  bool AwaitWorkersGone(absl::Duration timeout);
  // True once nothing of deleted sweeps is left that could go now; false after `timeout`.
  bool AwaitCollected(absl::Duration timeout);
  // The sweep as clients see it, with what runs at this moment.
  absl::StatusOr<v1::Sweep> Describe(const SweepRecord& sweep);
  // `tick` is called on the reads thread a few times a second, until RemoveWatcher.
  int64_t AddWatcher(std::function<void()> tick);
  void RemoveWatcher(int64_t watcher);

 private:
  struct CheckSending {  // a check whose parts are being sent
    SweepRecord sweep;
    std::vector<StoredDataset> datasets;
    size_t dataset = 0;
    int64_t next_passage = 0;
    bool first = true;
  };
  struct Assembly {  // a result whose parts are coming in
    std::string key;
    int64_t token = 0;
    int64_t bytes = 0;
    bool discarded = false;  // too large: failed already
    std::vector<v1::ResultChunk> chunks;
  };
  struct Session {
    std::shared_ptr<WorkerStream> stream;
    WorkerId worker;
    bool greeted = false;
    bool ready = false;
    std::optional<CheckSending> check;
    std::optional<Assembly> assembly;
  };
  struct Live {  // what clients are told beside the store's record
    std::vector<WorkerId> workers;
    std::map<std::string, int64_t> streams_running;  // by sweep id
    bool draining = false;
  };

  absl::Status Greet(int64_t id, Session& session, const v1::Hello& hello);
  absl::Status TakeCheckReply(int64_t id, const v1::CheckReply& reply);
  absl::Status TakeResultPart(int64_t id, Session& session, v1::ResultPart part);
  void FinishResult(int64_t id, Session& session, const v1::ResultPart& part);
  void EndResult(int64_t id, const LeasedUnit& unit, const absl::StatusOr<bool>& committed);
  void CountResult(const LeasedUnit& unit, const absl::StatusOr<bool>& committed);
  void Acknowledge(int64_t id, const std::string& unit_key, bool accepted);
  void WriteLeasesSoon();
  void TakeHeartbeat(int64_t id, Session& session, const v1::Heartbeat& heartbeat);

  void Dispatch();
  bool GiveWork(Session& session);
  absl::StatusOr<bool> GiveCheck(Session& session);
  absl::StatusOr<bool> GiveLease(Session& session);
  absl::Status FillPassages(const LeasedUnit& unit, v1::Unit& proto);
  absl::Status SendCheckPart(Session& session);
  void TellDrain();
  void TellLost(const std::vector<LostLease>& lost);

  void PlanOn();
  void CollectOn();
  void ForgetOn();
  void Pulse();
  void MeasureQueue();
  void Publish();
  void Changed() { changed_ = true; }
  void Report(const char* what, const absl::Status& status);
  absl::StatusOr<std::shared_ptr<const SweepProtos>> ProtosOf(const std::string& sweep_id);
  std::string WhyWaiting(const SweepRecord& sweep, const Live& live) const;

  Store& store_;
  const Clock& clock_;
  const int64_t max_result_bytes_;
  const Quotas quotas_;
  const std::string models_dir_;
  const OrchestratorMetrics& metrics_ = OrchestratorMetrics::Get();
  SweepGauges sweep_gauges_{store_, clock_};  // of the reads thread
  Scheduler scheduler_;
  std::map<int64_t, Session> sessions_;
  int64_t next_session_ = 1;
  std::map<std::string, std::shared_ptr<const SweepProtos>> protos_;  // of sweeps being worked on
  bool plan_posted_ = false;
  std::atomic<bool> lease_write_posted_ = false;
  bool collecting_ = false;
  bool forgetting_ = false;  // nothing is planned meanwhile: a unit planned anew is not forgotten
  bool measuring_ = false;
  bool changed_ = true;
  absl::Duration last_tick_;
  std::map<std::string, std::string> last_reports_;  // by what was reported

  mutable absl::Mutex mutex_;
  Live live_ ABSL_GUARDED_BY(mutex_);
  std::map<int64_t, std::shared_ptr<std::function<void()>>> watchers_ ABSL_GUARDED_BY(mutex_);
  int64_t next_watcher_ ABSL_GUARDED_BY(mutex_) = 1;
  int sessions_open_ ABSL_GUARDED_BY(mutex_) = 0;
  int commits_open_ ABSL_GUARDED_BY(mutex_) = 0;

  Executor reads_;
  Executor commits_;
  Executor writes_;         // its pulse uses all of the above
  FeatureCleaner cleaner_;  // last: what its call ends with posts to them
};

}  // namespace kvscope::orchestrator
