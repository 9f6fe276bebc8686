#include "services/inference/service/worker.h"

#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/inference/ops/backends.h"
#include "services/inference/service/worker_session.h"
#include "services/rpc/telemetry.h"
#include "services/status_macros.h"

namespace kvscope::inference {
namespace {

constexpr absl::Duration kMinPause = absl::Milliseconds(200);
constexpr absl::Duration kMaxPause = absl::Seconds(10);

}  // namespace

std::string NewWorkerId() {
  char host[256] = "host";
  gethostname(host, sizeof(host) - 1);
  return absl::StrCat(host, "-", getpid(), "-", absl::Hex(std::random_device()(), absl::kZeroPad8));
}

absl::StatusOr<std::vector<std::string>> OfferedDevices(const std::string& device) {
  if (device != "auto") {
    KVSCOPE_RETURN_IF_ERROR(MakeOps(device).status());
    return std::vector<std::string>{device};
  }
  std::vector<std::string> offered;
  for (const std::string_view name : Devices()) {
    if (MakeOps(name).ok()) offered.emplace_back(name);
  }
  if (offered.empty()) return absl::UnavailableError("no device of this build works here");
  return offered;
}

Worker::Worker(std::shared_ptr<grpc::Channel> orchestrator, UnitRunner& runner,
               WorkerOptions options, std::function<void(const absl::Status&)> gone)
    : orchestrator_(std::move(orchestrator)),
      runner_(runner),
      options_(std::move(options)),
      gone_(std::move(gone)),
      thread_([this] { Run(); }) {}

Worker::~Worker() {
  Kill();
  thread_.join();
}

void Worker::Run() {
  if (options_.threads > 0) omp_set_num_threads(options_.threads);  // of this thread's regions
  std::minstd_rand jitter(std::random_device{}());
  absl::Duration pause = kMinPause;
  while (true) {
    std::shared_ptr<WorkerSession> session;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (stopping_) break;
      session = session_ = std::make_shared<WorkerSession>(orchestrator_, runner_, options_);
    }
    const absl::Status status = session->Run();
    if (status.code() == absl::StatusCode::kFailedPrecondition) {
      rpc::Log(rpc::LogLevel::kError, "refused by the orchestrator",
               {{"error", std::string(status.message().data(), status.message().size())}});
      if (gone_) gone_(status);
      break;
    }
    if (const absl::Status failure = session->device_failure(); !failure.ok()) {
      if (gone_) gone_(failure);
      break;
    }
    pause = session->welcomed() ? kMinPause : std::min(2 * pause, kMaxPause);
    if (!status.ok()) {
      const bool forbidden = absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status);
      rpc::Log(forbidden ? rpc::LogLevel::kError : rpc::LogLevel::kDebug,
               "no line to the orchestrator", {{"error", status.ToString()}});
    }
    // Workers that lost the same orchestrator do not come back in step.
    if (!Pause(pause * std::uniform_real_distribution<double>(0.5, 1.0)(jitter))) break;
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  session_.reset();
  ended_ = true;
  changed_.notify_all();
}

bool Worker::Pause(absl::Duration duration) {
  std::unique_lock<std::mutex> lock(mutex_);
  return !changed_.wait_for(lock, absl::ToChronoMilliseconds(duration),
                            [this] { return stopping_; });
}

std::shared_ptr<WorkerSession> Worker::session() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return session_;
}

void Worker::Drain(absl::Duration timeout) {
  std::unique_lock<std::mutex> lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
  if (session_) session_->Drain();
  const auto ended = [this] { return ended_; };
  if (changed_.wait_for(lock, absl::ToChronoMilliseconds(timeout), ended)) return;
  if (session_) session_->GiveBack();
  changed_.wait(lock, ended);
}

void Worker::Kill() {
  const std::lock_guard<std::mutex> lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
  if (session_) session_->Kill();
}

}  // namespace kvscope::inference
