#include "services/orchestrator/service/desk.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/orchestrator/service/sweep_models.h"
#include "services/rpc/telemetry.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

constexpr absl::Duration kTick = absl::Seconds(1);
constexpr int64_t kOrphansAtOnce = 20;                      // results wait for the store meanwhile
constexpr int64_t kForgetAtOnce = 1000;                     // units
constexpr absl::Duration kKeepUnusedData = absl::Hours(1);  // a sweep over it may still come
constexpr size_t kMaxErrorBytes = 2000;                     // of what a worker says
constexpr size_t kMaxDevices = 16;

std::string Text(const absl::Status& status) { return std::string(status.message()); }

// A worker's words for the store: valid UTF-8 by the protocol, cut where a character ends.
std::string Cut(const std::string& text) {
  if (text.size() <= kMaxErrorBytes) return text;
  size_t end = kMaxErrorBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

}  // namespace

Desk::Desk(Store& store, const Clock& clock, const DeskOptions& options)
    : store_(store),
      clock_(clock),
      max_result_bytes_(options.max_result_bytes),
      quotas_(options.quotas),
      models_dir_(options.models_dir),
      scheduler_(store, clock, options.schedule),
      last_tick_(clock.Uptime()),
      writes_([this] { Pulse(); }),
      cleaner_(options.metrics) {}

Desk::~Desk() {
  commits_.Stop();  // first: what it runs posts to the others
  writes_.Stop();
  reads_.Stop();
}

int64_t Desk::Open(std::shared_ptr<WorkerStream> stream) {
  const int64_t id = next_session_++;
  sessions_[id].stream = std::move(stream);
  const absl::MutexLock lock(&mutex_);
  ++sessions_open_;
  return id;
}

void Desk::Close(int64_t session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  const std::string name = found->second.worker.name;
  const bool greeted = found->second.greeted;
  sessions_.erase(found);
  const size_t lost = scheduler_.Lose(session, absl::StrCat("worker ", name, " hung up"));
  metrics_.ended.lost.Add(static_cast<double>(lost));
  if (greeted) rpc::Log(rpc::LogLevel::kInfo, "worker left", {{"worker", name}});
  Changed();
  Publish();
  {
    const absl::MutexLock lock(&mutex_);
    --sessions_open_;
  }
  Dispatch();
}

absl::Status Desk::Handle(int64_t id, v1::WorkerMessage message) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return absl::OkStatus();
  Session& session = found->second;
  if (!session.greeted && !message.has_hello()) {
    return absl::FailedPreconditionError("the first message must be Hello");
  }
  Changed();
  switch (message.message_case()) {
    case v1::WorkerMessage::kHello:
      return Greet(id, session, message.hello());
    case v1::WorkerMessage::kReady:
      session.ready = true;
      Dispatch();
      return absl::OkStatus();
    case v1::WorkerMessage::kHeartbeat:
      TakeHeartbeat(id, session, message.heartbeat());
      return absl::OkStatus();
    case v1::WorkerMessage::kCheckReply:
      return TakeCheckReply(id, message.check_reply());
    case v1::WorkerMessage::kResultPart:
      return TakeResultPart(id, session, std::move(*message.mutable_result_part()));
    case v1::WorkerMessage::kUnitFailed: {
      const v1::UnitFailed& failed = message.unit_failed();
      if (scheduler_.Holds(id, failed.unit_key(), failed.token())) {
        metrics_.ended.failed.Add();
        rpc::Log(rpc::LogLevel::kWarning, "unit failed",
                 {{"unit", failed.unit_key()},
                  {"worker", session.worker.name},
                  {"error", Cut(failed.error())}});
      }
      Report("unit failed", scheduler_.Fail(failed.unit_key(), failed.token(), Cut(failed.error()),
                                            failed.retryable()));
      Dispatch();
      return absl::OkStatus();
    }
    case v1::WorkerMessage::kUnitReturned:
      if (scheduler_.Holds(id, message.unit_returned().unit_key(),
                           message.unit_returned().token())) {
        metrics_.ended.returned.Add();
      }
      Report("unit returned", scheduler_.Return(message.unit_returned().unit_key(),
                                                message.unit_returned().token()));
      Dispatch();
      return absl::OkStatus();
    case v1::WorkerMessage::MESSAGE_NOT_SET:
      return absl::OkStatus();  // of a newer worker
  }
  return absl::OkStatus();
}

absl::Status Desk::Greet(int64_t id, Session& session, const v1::Hello& hello) {
  if (session.greeted) return absl::FailedPreconditionError("Hello was said before");
  if (draining()) return absl::UnavailableError("the orchestrator is shutting down");
  if (hello.worker_id().empty() || hello.worker_id().size() > 200) {
    return absl::FailedPreconditionError("Hello: worker_id must have 1 to 200 bytes");
  }
  if (hello.code_version().empty() || hello.code_version().size() > 200) {
    return absl::FailedPreconditionError("Hello: code_version must have 1 to 200 bytes");
  }
  if (hello.devices().empty() || static_cast<size_t>(hello.devices_size()) > kMaxDevices) {
    return absl::FailedPreconditionError("Hello: devices must name 1 to 16 devices");
  }
  session.greeted = true;
  session.worker = {.session = id,
                    .name = hello.worker_id(),
                    .devices = {hello.devices().begin(), hello.devices().end()},
                    .code_version = hello.code_version()};
  v1::OrchestratorMessage reply;
  const auto set = [](absl::Duration duration, google::protobuf::Duration& proto) {
    proto.set_seconds(absl::ToInt64Seconds(duration));
    proto.set_nanos(
        static_cast<int32_t>(absl::ToInt64Nanoseconds(duration - absl::Seconds(proto.seconds()))));
  };
  set(scheduler_.options().heartbeat_interval,
      *reply.mutable_welcome()->mutable_heartbeat_interval());
  set(scheduler_.options().lease_duration, *reply.mutable_welcome()->mutable_lease_duration());
  session.stream->Send(std::move(reply));
  rpc::Log(rpc::LogLevel::kInfo, "worker joined",
           {{"worker", session.worker.name}, {"code_version", session.worker.code_version}});
  Publish();
  return absl::OkStatus();
}

void Desk::TakeHeartbeat(int64_t id, Session& session, const v1::Heartbeat& heartbeat) {
  if (scheduler_.Heartbeat(id, heartbeat.unit_key(), heartbeat.token(), heartbeat.streams_done())) {
    return;
  }
  v1::OrchestratorMessage message;
  message.mutable_cancel_unit()->set_unit_key(heartbeat.unit_key());
  session.stream->Send(std::move(message));
}

absl::Status Desk::TakeCheckReply(int64_t id, const v1::CheckReply& reply) {
  const std::string& sweep_id = reply.sweep_id();
  std::string error = Cut(reply.error());
  const absl::StatusOr<std::shared_ptr<const SweepProtos>> protos = ProtosOf(sweep_id);
  if (!protos.ok()) {  // the sweep was deleted meanwhile, or the store cannot be read
    Report("check", protos.status());
    return absl::OkStatus();
  }
  const v1::SweepSpec& spec = (*protos)->spec;
  if (error.empty() && reply.presses_size() != spec.presses_size()) {
    error = absl::StrCat("the check answered for ", reply.presses_size(), " presses of ",
                         spec.presses_size());
  }
  if (error.empty()) error = Text(CheckModels(spec, reply));
  for (int i = 0; i < reply.presses_size() && error.empty(); ++i) {
    for (int j = 0; j < i; ++j) {
      if (reply.presses(i) != reply.presses(j)) continue;
      error = absl::StrCat("presses: \"", spec.presses(j), "\" and \"", spec.presses(i),
                           "\" are the same press, ", reply.presses(i));
    }
  }
  protos_.erase(sweep_id);  // what a lease needs of it changes now
  if (!error.empty()) {
    Report("check", scheduler_.RefuseCheck(id, sweep_id, error));
  } else {
    Report("check", scheduler_.AcceptCheck(id, sweep_id, ToPlans(spec, reply), Serialize(reply)));
    PlanOn();
  }
  Dispatch();
  return absl::OkStatus();
}

absl::Status Desk::Cancel(const std::string& sweep_id, const std::string& request_id) {
  KVSCOPE_ASSIGN_OR_RETURN(const std::vector<LostLease> lost,
                           scheduler_.Cancel(sweep_id, request_id));
  metrics_.ended.cancelled.Add(static_cast<double>(lost.size()));
  TellLost(lost);
  Changed();
  Dispatch();
  return absl::OkStatus();
}

absl::Status Desk::Resume(const std::string& sweep_id, const std::string& request_id) {
  KVSCOPE_RETURN_IF_ERROR(scheduler_.Resume(sweep_id, request_id));
  Changed();
  Dispatch();
  return absl::OkStatus();
}

absl::Status Desk::Delete(const std::string& sweep_id, const std::string& request_id) {
  KVSCOPE_RETURN_IF_ERROR(scheduler_.Delete(sweep_id, request_id));
  protos_.erase(sweep_id);
  Changed();
  return absl::OkStatus();
}

void Desk::TellLost(const std::vector<LostLease>& lost) {
  for (const LostLease& lease : lost) {
    const auto session = sessions_.find(lease.session);
    if (session == sessions_.end()) continue;
    v1::OrchestratorMessage message;
    message.mutable_cancel_unit()->set_unit_key(lease.key);
    session->second.stream->Send(std::move(message));
  }
}

void Desk::StartDrain() {
  {
    const absl::MutexLock lock(&mutex_);
    live_.draining = true;
  }
  writes_.Post([this] { TellDrain(); });
}

void Desk::TellDrain() {
  v1::OrchestratorMessage message;
  message.mutable_drain();
  for (auto& [id, session] : sessions_) {
    session.ready = false;
    if (session.greeted) {
      session.stream->Send(message);
    } else {
      session.stream->End(absl::UnavailableError("the orchestrator is shutting down"));
    }
  }
}

bool Desk::draining() const {
  const absl::MutexLock lock(&mutex_);
  return live_.draining;
}

bool Desk::AwaitWorkersGone(absl::Duration timeout) {
  const absl::MutexLock lock(&mutex_);
  const auto gone = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return sessions_open_ + commits_open_ == 0;
  };
  return mutex_.AwaitWithTimeout(absl::Condition(&gone), timeout);
}

int64_t Desk::AddWatcher(std::function<void()> tick) {
  const absl::MutexLock lock(&mutex_);
  watchers_[next_watcher_] = std::make_shared<std::function<void()>>(std::move(tick));
  return next_watcher_++;
}

void Desk::RemoveWatcher(int64_t watcher) {
  std::shared_ptr<std::function<void()>> removed;  // let go of outside the lock
  const absl::MutexLock lock(&mutex_);
  const auto found = watchers_.find(watcher);
  if (found == watchers_.end()) return;
  removed = std::move(found->second);
  watchers_.erase(found);
}

void Desk::PlanOn() {
  if (plan_posted_ || forgetting_ || !scheduler_.planning()) return;
  plan_posted_ = true;
  writes_.Post([this] {  // one step, then others have their turn
    plan_posted_ = false;
    const absl::StatusOr<bool> started = scheduler_.PlanSome();
    Report("plan", started.status());
    Changed();
    if (started.ok() && *started) Dispatch();
    PlanOn();
  });
}

// What a deleted sweep left behind goes a little at a time, and all at once while nothing runs.
void Desk::CollectOn() {
  if (std::exchange(collecting_, true)) return;
  commits_.Post([this] {
    const absl::StatusOr<int64_t> looked_at = store_.CollectOrphans(kOrphansAtOnce);
    const absl::Status dropped =
        store_.DropUnusedDataset(absl::ToUnixMillis(clock_.Now() - kKeepUnusedData)).status();
    writes_.Post([this, looked_at, dropped] {
      Report("unused data", dropped);
      Report("collect", looked_at.status());
      collecting_ = false;
      if (!looked_at.ok() || *looked_at == 0) return;
      if (scheduler_.lease_count() == 0) CollectOn();
      ForgetOn();
    });
  });
}

void Desk::ForgetOn() {
  if (!cleaner_.usable() || forgetting_ || scheduler_.planning()) return;
  absl::StatusOr<std::vector<std::string>> keys = store_.DeletedUnits(kForgetAtOnce);
  if (!keys.ok() || keys->empty()) return Report("forget", keys.status());
  forgetting_ = true;
  cleaner_.Forget(*keys, [this, keys = *keys](absl::Status status) {
    commits_.Post([this, keys, status = std::move(status)]() mutable {
      if (status.ok()) status = store_.ForgetDeletedUnits(keys);
      writes_.Post([this, status] {
        forgetting_ = false;
        Report("forget", status);
        PlanOn();
      });
    });
  });
}

bool Desk::AwaitCollected(absl::Duration timeout) {
  for (const absl::Time end = absl::Now() + timeout; absl::Now() < end;
       absl::SleepFor(absl::Milliseconds(20))) {
    const absl::StatusOr<int64_t> units = store_.CollectableUnits();
    const absl::StatusOr<std::vector<std::string>> deleted = store_.DeletedUnits(1);
    if (!units.ok() || !deleted.ok()) return false;
    if (*units == 0 && (deleted->empty() || !cleaner_.usable())) return true;
  }
  return false;
}

void Desk::Pulse() {
  if (clock_.Uptime() - last_tick_ >= kTick) {
    last_tick_ = clock_.Uptime();
    const std::vector<LostLease> lost = scheduler_.Tick();
    metrics_.ended.expired.Add(static_cast<double>(lost.size()));
    TellLost(lost);
    if (!lost.empty()) Changed();
    Dispatch();
    CollectOn();
    ForgetOn();
    MeasureQueue();
  }
  if (!changed_) return;
  changed_ = false;
  Publish();
  reads_.Post([this] {
    std::vector<std::shared_ptr<std::function<void()>>> watchers;
    {
      const absl::MutexLock lock(&mutex_);
      for (const auto& [id, tick] : watchers_) watchers.push_back(tick);
    }
    for (const auto& tick : watchers) (*tick)();
  });
}

void Desk::MeasureQueue() {
  metrics_.leases.Set(static_cast<double>(scheduler_.lease_count()));
  if (const absl::StatusOr<int64_t> queued = store_.QueuedUnits(); queued.ok()) {
    metrics_.queue_units.Set(static_cast<double>(*queued));
  }
  if (const absl::StatusOr<int64_t> since_ms = store_.OldestQueuedMs(); since_ms.ok()) {
    const absl::Duration age = clock_.Now() - absl::FromUnixMillis(*since_ms);
    metrics_.queue_oldest_seconds.Set(*since_ms == 0 ? 0 : absl::ToDoubleSeconds(age));
  }
  if (std::exchange(measuring_, true)) return;
  reads_.Post([this] {
    const StoreSizes sizes = store_.Sizes();
    metrics_.database_bytes.Set(static_cast<double>(sizes.database));
    metrics_.log_bytes.Set(static_cast<double>(sizes.log));
    const absl::Status status = sweep_gauges_.Refresh();
    writes_.Post([this, status] {
      measuring_ = false;
      Report("sweep gauges", status);
    });
  });
}

void Desk::Publish() {
  std::vector<WorkerId> workers;
  for (const auto& [id, session] : sessions_) {
    if (session.greeted) workers.push_back(session.worker);
  }
  metrics_.workers.Set(static_cast<double>(workers.size()));
  std::map<std::string, int64_t> streams = scheduler_.StreamsRunning();
  const absl::MutexLock lock(&mutex_);
  live_.workers = std::move(workers);
  live_.streams_running = std::move(streams);
}

void Desk::Report(const char* what, const absl::Status& status) {
  std::string& last = last_reports_[what];
  std::string error = Text(status);
  if (error == last) return;  // a full disk says the same every second
  last = error;
  if (!status.ok()) rpc::Log(rpc::LogLevel::kError, what, {{"error", std::move(error)}});
}

absl::StatusOr<std::shared_ptr<const SweepProtos>> Desk::ProtosOf(const std::string& sweep_id) {
  std::shared_ptr<const SweepProtos>& cached = protos_[sweep_id];
  if (cached == nullptr) {
    const absl::StatusOr<SweepRecord> sweep = store_.FindSweep(sweep_id);
    absl::StatusOr<SweepProtos> protos =
        sweep.ok() ? ReadProtos(*sweep) : absl::StatusOr<SweepProtos>(sweep.status());
    if (!protos.ok()) {
      protos_.erase(sweep_id);
      return protos.status();
    }
    if (protos_.size() > 64)
      std::erase_if(protos_, [](const auto& e) { return e.second != nullptr; });
    auto shared = std::make_shared<const SweepProtos>(*std::move(protos));
    protos_[sweep_id] = shared;
    return shared;
  }
  return cached;
}

absl::StatusOr<v1::Sweep> Desk::Describe(const SweepRecord& sweep) {
  KVSCOPE_ASSIGN_OR_RETURN(const SweepProtos protos, ReadProtos(sweep));
  v1::Sweep proto = ToProto(sweep, protos);
  const absl::MutexLock lock(&mutex_);
  v1::Progress& progress = *proto.mutable_progress();
  progress.set_workers(static_cast<int32_t>(live_.workers.size()));
  if (Ended(sweep.state)) return proto;
  const auto running = live_.streams_running.find(sweep.sweep_id);
  if (running != live_.streams_running.end()) {
    progress.set_streams_done(
        std::min(progress.streams_done() + running->second, progress.streams_total()));
  }
  if (proto.error().empty()) proto.set_error(WhyWaiting(sweep, live_));
  return proto;
}

std::string Desk::WhyWaiting(const SweepRecord& sweep, const Live& live) const {
  if (live.workers.empty() || sweep.units_running > 0) return "";
  const bool running = sweep.state == SweepState::kRunning;
  const std::string& device = running ? sweep.unit_device : sweep.device;
  for (const WorkerId& worker : live.workers) {
    const auto& devices = worker.devices;
    const bool has_device =
        device == "auto" || std::find(devices.begin(), devices.end(), device) != devices.end();
    if (has_device && (!running || worker.code_version == sweep.code_version)) return "";
  }
  return running ? absl::StrCat("waits: no connected worker has device ", device,
                                " and code version ", sweep.code_version,
                                "; cancelling and resuming checks it for the workers there are")
                 : absl::StrCat("waits: no connected worker has device ", device);
}

}  // namespace kvscope::orchestrator
