#include "services/inference/service/worker_session.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/inference/ops/backends.h"
#include "services/inference/service/code_version.h"
#include "services/rpc/grpc_status.h"
#include "services/rpc/telemetry.h"

namespace kvscope::inference {
namespace {

constexpr size_t kMaxJobs = 8;
constexpr absl::Duration kGoodbye = absl::Seconds(10);  // for the orchestrator's side of the end

std::string Text(const absl::Status& status) {
  return std::string(status.message().data(), status.message().size());
}

}  // namespace

WorkerSession::WorkerSession(const std::shared_ptr<grpc::Channel>& orchestrator, UnitRunner& runner,
                             const WorkerOptions& options)
    : runner_(runner), options_(options), stub_(v1::WorkerService::NewStub(orchestrator)) {}

bool WorkerSession::welcomed() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return welcomed_;
}

absl::Status WorkerSession::Run() {
  stream_ = stub_->Work(&context_);
  bool drained = false;
  if (Greet().ok()) {
    metrics_.connected.Add(1);
    std::thread reader([this] { ReadLoop(); });
    std::thread heartbeats([this] { HeartbeatLoop(); });
    ComputeLoop();
    {
      const std::lock_guard<std::mutex> lock(write_mutex_);
      writes_done_ = true;
      stream_->WritesDone();
    }
    {
      std::unique_lock<std::mutex> lock(mutex_);
      drained = draining_;
      changed_.wait_for(lock, absl::ToChronoMilliseconds(kGoodbye), [this] { return closed_; });
      closed_ = true;
      changed_.notify_all();
    }
    context_.TryCancel();  // no effect on a stream that has ended
    reader.join();
    heartbeats.join();
    metrics_.connected.Add(-1);
  }
  const absl::Status status = rpc::FromGrpc(stream_->Finish());
  return drained ? absl::OkStatus() : status;
}

absl::Status WorkerSession::Greet() {
  v1::WorkerMessage message;
  v1::Hello* hello = message.mutable_hello();
  hello->set_worker_id(options_.worker_id);
  hello->set_code_version(CodeVersion());
  for (const std::string& device : options_.devices) {
    const std::string kind(DeviceKind(device));
    hello->add_devices(kind);
    if (kind == "cuda") hello->add_devices(device == kind ? "cuda:0" : device);
  }
  Message reply;
  if (!Send(message) || !stream_->Read(&reply)) return absl::UnavailableError("refused");
  if (!reply.has_welcome()) {
    context_.TryCancel();
    return absl::UnavailableError("no welcome");
  }
  const auto& interval = reply.welcome().heartbeat_interval();
  const absl::Duration asked =
      absl::Seconds(interval.seconds()) + absl::Nanoseconds(interval.nanos());
  heartbeat_ = std::clamp(asked, absl::Milliseconds(10), absl::Hours(1));
  const std::lock_guard<std::mutex> lock(mutex_);
  welcomed_ = true;
  return absl::OkStatus();
}

bool WorkerSession::Send(const v1::WorkerMessage& message) {
  const std::lock_guard<std::mutex> lock(write_mutex_);
  return !writes_done_ && stream_->Write(message);
}

void WorkerSession::ReadLoop() {
  Message message;
  while (stream_->Read(&message)) Handle(std::exchange(message, {}));
  const std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
  if (held_) held_->cancellation->Cancel();  // a new stream means a new lease
  if (checking_) checking_->Cancel();
  changed_.notify_all();
}

void WorkerSession::Handle(Message message) {
  std::unique_lock<std::mutex> lock(mutex_);
  switch (message.message_case()) {
    case Message::kLease:
      if (draining_) {  // it crossed our wish to stop
        lock.unlock();
        SendReturned(message.lease().unit().key(), message.lease().token());
        return;
      }
      [[fallthrough]];
    case Message::kCheck:
      changed_.wait(lock, [this] { return jobs_.size() < kMaxJobs || closed_; });
      jobs_.push_back(std::move(message));
      break;
    case Message::kCancelUnit:
      if (held_ && held_->unit_key == message.cancel_unit().unit_key()) {
        held_->cancellation->Cancel();
      }
      break;
    case Message::kResultAck:
      (message.result_ack().accepted() ? metrics_.units.accepted : metrics_.units.refused).Add();
      break;
    case Message::kDrain:
      draining_ = true;
      break;
    default:
      break;
  }
  changed_.notify_all();
}

void WorkerSession::HeartbeatLoop() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!closed_) {
    changed_.wait_for(lock, absl::ToChronoMilliseconds(heartbeat_), [this] { return closed_; });
    if (closed_ || !held_) continue;
    v1::WorkerMessage message;
    message.mutable_heartbeat()->set_unit_key(held_->unit_key);
    message.mutable_heartbeat()->set_token(held_->token);
    message.mutable_heartbeat()->set_streams_done(held_->streams_done);
    lock.unlock();
    Send(message);
    lock.lock();
  }
}

void WorkerSession::ComputeLoop() {
  while (true) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (closed_ || draining_) return;
    }
    v1::WorkerMessage ready;
    ready.mutable_ready();
    if (!Send(ready)) return;
    std::optional<Message> job = NextJob();
    if (!job) return;
    if (job->has_lease()) {
      Compute(job->lease());
    } else {
      Check(*job);
    }
  }
}

// Waits for a job; none once the stream has ended or there is to be no more work.
std::optional<WorkerSession::Message> WorkerSession::NextJob() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return !jobs_.empty() || closed_ || draining_; });
  if (closed_ || jobs_.empty()) return std::nullopt;
  Message job = std::move(jobs_.front());
  jobs_.pop_front();
  changed_.notify_all();
  return job;
}

void WorkerSession::Compute(const v1::Lease& lease) {
  const auto cancellation = std::make_shared<Cancellation>();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    held_ = Held{lease.unit().key(), lease.token(), 0, cancellation};
    if (closed_ || give_back_) cancellation->Cancel();
  }
  v1::ResultChunk last;  // held back until it is known to be the last
  bool have_last = false;
  const UnitHooks hooks = {
      .emit = [&](v1::ResultChunk&& chunk) -> absl::Status {
        if (have_last && !SendResult(lease, std::exchange(last, {}), false)) {
          return absl::CancelledError("the stream ended");
        }
        last = std::move(chunk);
        have_last = true;
        return absl::OkStatus();
      },
      .streams_done =
          [this](int64_t streams) {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (held_) held_->streams_done += streams;
          },
  };
  rpc::Log(rpc::LogLevel::kDebug, "unit begun",
           {{"sweep", lease.sweep_id()}, {"unit", lease.unit().key()}});
  const absl::Status status = runner_.Run(lease.unit(), hooks, *cancellation);
  bool give_back = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    held_.reset();
    give_back = give_back_;
  }
  if (status.ok()) {
    SendResult(lease, std::move(last), true);
    metrics_failures_ = 0;
  } else if (status.code() == absl::StatusCode::kUnavailable) {
    rpc::Log(rpc::LogLevel::kWarning, "unit returned",
             {{"sweep", lease.sweep_id()}, {"unit", lease.unit().key()}, {"reason", Text(status)}});
    metrics_.units.returned.Add();
    SendReturned(lease.unit().key(), lease.token());
    const int doublings = std::min(metrics_failures_++, 7);
    PauseUntil(absl::Now() +
               std::min(absl::Milliseconds(200) * (1 << doublings), absl::Seconds(15)));
  } else if (status.code() == absl::StatusCode::kCancelled) {
    if (give_back) SendReturned(lease.unit().key(), lease.token());
    (give_back ? metrics_.units.returned : metrics_.units.cancelled).Add();
  } else if (status.code() == absl::StatusCode::kAborted) {
    metrics_.units.returned.Add();
    SendReturned(lease.unit().key(), lease.token());  // another worker may well compute it
    GiveUp(status);
  } else {
    SendFailure(lease, status);
  }
}

// The device has failed: no more work.
void WorkerSession::GiveUp(const absl::Status& status) {
  rpc::Log(rpc::LogLevel::kError, "the device has failed", {{"error", Text(status)}});
  metrics_.device_failed.Set(1);
  const std::lock_guard<std::mutex> lock(mutex_);
  draining_ = true;
  device_failure_ = status;
  changed_.notify_all();
}

absl::Status WorkerSession::device_failure() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return device_failure_;
}

bool WorkerSession::SendResult(const v1::Lease& lease, v1::ResultChunk chunk, bool last_part) {
  v1::WorkerMessage message;
  message.mutable_result_part()->set_unit_key(lease.unit().key());
  message.mutable_result_part()->set_token(lease.token());
  *message.mutable_result_part()->mutable_chunk() = std::move(chunk);
  message.mutable_result_part()->set_last_part(last_part);
  return Send(message);
}

void WorkerSession::SendFailure(const v1::Lease& lease, const absl::Status& status) {
  rpc::Log(rpc::LogLevel::kError, "unit failed",
           {{"sweep", lease.sweep_id()}, {"unit", lease.unit().key()}, {"error", Text(status)}});
  metrics_.units.failed.Add();
  v1::WorkerMessage message;
  message.mutable_unit_failed()->set_unit_key(lease.unit().key());
  message.mutable_unit_failed()->set_token(lease.token());
  message.mutable_unit_failed()->set_error(Text(status));
  message.mutable_unit_failed()->set_retryable(status.code() != absl::StatusCode::kInvalidArgument);
  Send(message);
}

void WorkerSession::SendReturned(const std::string& unit_key, int64_t token) {
  v1::WorkerMessage message;
  message.mutable_unit_returned()->set_unit_key(unit_key);
  message.mutable_unit_returned()->set_token(token);
  Send(message);
}

void WorkerSession::Check(const Message& first) {
  const auto cancellation = std::make_shared<Cancellation>();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    checking_ = cancellation;
    if (closed_ || give_back_) cancellation->Cancel();
  }
  SweepCheck check(runner_.cache(), runner_.device());
  check.Take(first.check(), *cancellation);
  while (!check.complete() && !absl::IsAborted(check.status())) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return !jobs_.empty() || closed_ || give_back_; });
    if (jobs_.empty() || closed_ || give_back_) break;
    const Message part = std::move(jobs_.front());
    jobs_.pop_front();
    changed_.notify_all();
    lock.unlock();
    check.Take(part.check(), *cancellation);
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    checking_.reset();
  }
  if (absl::IsAborted(check.status())) return GiveUp(check.status());
  if (!check.complete() || cancellation->cancelled()) return;  // no reply: another worker is asked
  v1::WorkerMessage message;
  *message.mutable_check_reply() = check.reply();
  Send(message);
}

void WorkerSession::PauseUntil(absl::Time time) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait_for(lock, absl::ToChronoMilliseconds(time - absl::Now()),
                    [this] { return closed_ || draining_; });
}

void WorkerSession::Drain() {
  const std::lock_guard<std::mutex> lock(mutex_);
  draining_ = true;
  if (!welcomed_) context_.TryCancel();  // nobody answers yet: there is nothing to give back
  changed_.notify_all();
}

void WorkerSession::GiveBack() {
  const std::lock_guard<std::mutex> lock(mutex_);
  draining_ = give_back_ = true;
  if (held_) held_->cancellation->Cancel();
  if (checking_) checking_->Cancel();
  changed_.notify_all();
}

void WorkerSession::Kill() {
  const std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
  if (held_) held_->cancellation->Cancel();
  if (checking_) checking_->Cancel();
  context_.TryCancel();
  changed_.notify_all();
}

}  // namespace kvscope::inference
