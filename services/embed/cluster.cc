#include "services/embed/cluster.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/inference/service/engine_cache.h"
#include "services/inference/service/evaluate_service.h"
#include "services/inference/service/unit_runner.h"
#include "services/inference/service/worker.h"
#include "services/metrics/service/metrics_service.h"
#include "services/orchestrator/service/orchestrator_server.h"
#include "services/rpc/server.h"
#include "services/status_macros.h"

namespace kvscope::embed {
namespace {

absl::Status CheckOptions(const ClusterOptions& options) {
  if (options.workers < 0 || options.workers > 1024) {
    return absl::InvalidArgumentError(
        absl::StrCat("workers: ", options.workers, " was found, but it must be from 0 to 1024"));
  }
  if (options.threads_per_worker < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "threads_per_worker: ", options.threads_per_worker, " was found, but it must not be < 0"));
  }
  return absl::OkStatus();
}

int ThreadsOf(const ClusterOptions& options) {
  if (options.threads_per_worker > 0) return options.threads_per_worker;
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return std::max(1, cores / std::max(1, options.workers));
}

}  // namespace

// Members are in the order of their making: each uses those above it.
struct Cluster::State {
  State(const ClusterOptions& options, std::vector<std::string> offered)
      : threads(ThreadsOf(options)),
        devices(std::move(offered)),
        models_dir(options.models_dir),
        tell_worker_gone(options.tell_worker_gone) {}

  // Each worker opens its models itself: one that is shared would make them take turns on it.
  struct Member {
    std::unique_ptr<inference::EngineCache> cache;
    std::unique_ptr<inference::UnitRunner> runner;
    std::unique_ptr<inference::Worker> worker;
  };

  void AddWorker() {
    Member member;
    member.cache = std::make_unique<inference::EngineCache>(models_dir);
    member.runner = std::make_unique<inference::UnitRunner>(
        *member.cache, metrics_server->InProcessChannel(), devices.front());
    member.worker = std::make_unique<inference::Worker>(
        server->InProcessChannel(), *member.runner,
        inference::WorkerOptions{
            .worker_id = inference::NewWorkerId(), .devices = devices, .threads = threads},
        [this](const absl::Status& why) {
          bool first = false;
          {
            const std::lock_guard<std::mutex> lock(mutex);
            first = std::exchange(worker_gone, why).ok();
          }
          if (first && tell_worker_gone) tell_worker_gone();
        });
    const std::lock_guard<std::mutex> lock(mutex);
    members.push_back(std::move(member));
  }

  const int threads;
  const std::vector<std::string> devices;
  const std::string models_dir;
  const std::function<void()> tell_worker_gone;
  std::unique_ptr<metrics::MetricsService> metrics;
  std::unique_ptr<rpc::Server> metrics_server;
  std::unique_ptr<orchestrator::OrchestratorServer> orchestrator;
  std::unique_ptr<rpc::Server> server;
  inference::EngineCache evaluate_cache{models_dir};
  std::unique_ptr<inference::UnitRunner> evaluate_runner;
  std::unique_ptr<inference::EvaluateService> evaluate;
  std::unique_ptr<rpc::Server> inference_server;
  std::string address;
  int port = 0;
  std::mutex mutex;
  absl::Status worker_gone;  // the last that went
  std::vector<Member> members;
  bool stopped = false;
};

absl::StatusOr<std::unique_ptr<Cluster>> Cluster::Start(const ClusterOptions& options) {
  KVSCOPE_RETURN_IF_ERROR(CheckOptions(options));
  KVSCOPE_ASSIGN_OR_RETURN(std::vector<std::string> devices,
                           inference::OfferedDevices(options.device));
  auto state = std::make_unique<State>(options, std::move(devices));

  std::optional<metrics::FeatureStore> features;
  if (!options.features.empty()) {
    KVSCOPE_ASSIGN_OR_RETURN(features, metrics::FeatureStore::Open(options.features));
  }
  state->metrics = std::make_unique<metrics::MetricsService>(std::move(features));
  grpc::Service* const metrics_services[] = {state->metrics.get()};
  KVSCOPE_ASSIGN_OR_RETURN(state->metrics_server, rpc::Server::Start({}, metrics_services));

  KVSCOPE_ASSIGN_OR_RETURN(
      state->orchestrator,
      orchestrator::OrchestratorServer::Open(
          {.store = options.store,
           .schedule = {.lease_duration = options.lease, .heartbeat_interval = options.heartbeat},
           .models_dir = options.models_dir,
           .metrics = state->metrics_server->InProcessChannel()}));
  const std::vector<grpc::Service*> services = state->orchestrator->services();
  KVSCOPE_ASSIGN_OR_RETURN(state->server, rpc::Server::Start({.listen = options.listen,
                                                              .security = options.security,
                                                              .reflection = options.reflection},
                                                             services));
  state->address = state->server->address();
  state->port = state->server->port();

  state->evaluate_runner = std::make_unique<inference::UnitRunner>(
      state->evaluate_cache, state->metrics_server->InProcessChannel(), state->devices.front());
  state->evaluate =
      std::make_unique<inference::EvaluateService>(*state->evaluate_runner, state->threads);
  grpc::Service* const inference_services[] = {state->evaluate.get()};
  KVSCOPE_ASSIGN_OR_RETURN(state->inference_server, rpc::Server::Start({}, inference_services));

  for (int i = 0; i < options.workers; ++i) state->AddWorker();
  return std::unique_ptr<Cluster>(new Cluster(std::move(state)));
}

Cluster::Cluster(std::unique_ptr<State> state) : state_(std::move(state)) {}

Cluster::~Cluster() { Stop(absl::ZeroDuration()); }

std::shared_ptr<grpc::Channel> Cluster::channel() { return state_->server->InProcessChannel(); }

std::shared_ptr<grpc::Channel> Cluster::inference_channel() {
  return state_->inference_server->InProcessChannel();
}

const std::string& Cluster::address() const { return state_->address; }

int Cluster::port() const { return state_->port; }

absl::Status Cluster::worker_gone() const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->worker_gone;
}

bool Cluster::AwaitCollected(absl::Duration timeout) {
  return state_->orchestrator->AwaitCollected(timeout);
}

void Cluster::Stop(absl::Duration timeout) {
  if (state_->stopped) return;
  state_->stopped = true;
  const absl::Time deadline = absl::Now() + timeout;
  const auto left = [deadline] { return std::max(absl::ZeroDuration(), deadline - absl::Now()); };
  state_->server->StopServing();
  // Workers first, all at once: they finish or give back while the orchestrator still listens.
  std::vector<State::Member> members;
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    members.swap(state_->members);
  }
  std::vector<std::thread> drains;
  drains.reserve(members.size());
  for (State::Member& member : members) {
    drains.emplace_back([&member, &left] { member.worker->Drain(left()); });
  }
  for (std::thread& drain : drains) drain.join();
  for (State::Member& member : members) member.worker.reset();  // before its runner
  state_->orchestrator->Drain(left());  // workers that dialled in from outside
  state_->inference_server->Shutdown(left());
  state_->server->Shutdown(left());
  state_->metrics_server->Shutdown(left());
}

void Cluster::KillWorker(int index) {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  state_->members.at(static_cast<size_t>(index)).worker->Kill();
}

void Cluster::AddWorker() { state_->AddWorker(); }

}  // namespace kvscope::embed
