#include "tests/cluster/deployment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/embed/cluster.h"
#include "services/rpc/channel.h"
#include "services/rpc/telemetry.h"

namespace kvscope::cluster_test {
namespace {

// A folder with all models that the tests name: "pocket-llama", and "qwen2-tiny" with random
// weights.
std::string MakeModelsDir(const std::string& folder) {
  const std::string source = KVSCOPE_SOURCE_DIR;
  const std::string models = folder + "/models";
  std::filesystem::create_directory(models);
  std::filesystem::create_directory_symlink(source + "/models/pocket-llama",
                                            models + "/pocket-llama");
  std::filesystem::create_directory_symlink(source + "/tests/golden/models/qwen2-tiny",
                                            models + "/qwen2-tiny");
  return models;
}

class Embedded final : public Deployment {
 public:
  explicit Embedded(const DeploymentOptions& options)
      : folder_(MakeFolder()), workers_(options.workers) {
    rpc::SetLogLevel(rpc::LogLevel::kWarning);
    options_.store = folder_ + "/store.db";
    options_.models_dir = MakeModelsDir(folder_);
    options_.threads_per_worker = 1;
    options_.lease = options.lease;
    options_.heartbeat = options.heartbeat;
    options_.features = folder_ + "/hidden-states";
    Start();
  }
  ~Embedded() override {
    cluster_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::shared_ptr<grpc::Channel> channel() override { return cluster_->channel(); }
  std::string hidden_states() const override { return options_.features; }
  void AddWorker() override {
    ++workers_;
    cluster_->AddWorker();
  }
  void KillWorker(int index) override { cluster_->KillWorker(index); }
  void StallWorker(int) override { FAIL() << "a thread cannot be stopped from outside"; }
  void WakeWorker(int) override { FAIL() << "see StallWorker"; }
  Usage WorkerUsage(int) override {
    ADD_FAILURE() << "a thread has no memory of its own";
    return {};
  }
  void StallMetrics() override { FAIL() << "see StallWorker"; }
  void WakeMetrics() override { FAIL() << "see StallWorker"; }
  void RestartMetrics() override { FAIL() << "see StallWorker"; }
  void RestartOrchestrator(bool gracefully) override {
    if (gracefully) {
      cluster_->Stop(absl::Seconds(1));
    } else {
      for (int i = 0; i < workers_; ++i) cluster_->KillWorker(i);
    }
    cluster_.reset();
    Start();
  }

 private:
  void Start() {
    options_.workers = workers_;
    auto started = embed::Cluster::Start(options_);
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
  }

  const std::string folder_;
  int workers_;
  embed::ClusterOptions options_;
  std::unique_ptr<embed::Cluster> cluster_;
};

class Processes final : public Deployment {
 public:
  explicit Processes(const DeploymentOptions& options)
      : folder_(MakeFolder()), models_dir_(MakeModelsDir(folder_)), options_(options) {
    StartMetrics("127.0.0.1:0");
    StartOrchestrator("127.0.0.1:0");
    for (int i = 0; i < options.workers; ++i) AddWorker();
  }
  ~Processes() override {
    // In any order and without a hitch: what runs ends by itself on SIGTERM. An idle connection of
    // ours would hold a server up until this process next looks at it.
    channel_.reset();
    for (const auto& worker : workers_) {
      if (worker->running()) worker->Terminate();
    }
    if (orchestrator_->running()) orchestrator_->Terminate();
    metrics_->Terminate();
    std::filesystem::remove_all(folder_);
  }

  std::shared_ptr<grpc::Channel> channel() override { return channel_; }
  std::string hidden_states() const override { return folder_ + "/hidden-states"; }

  void AddWorker() override {
    workers_.push_back(std::make_unique<Process>(
        "kvscope-inference",
        std::vector<std::string>{"--orchestrator", address_, "--metrics", metrics_address_,
                                 "--models-dir", models_dir_, "--threads", "1", "--device", "cpu",
                                 "--drain-timeout", "1"},
        absl::StrCat(folder_, "/worker-", workers_.size(), ".log")));
  }
  void KillWorker(int index) override { workers_.at(static_cast<size_t>(index))->Kill(); }
  void StallWorker(int index) override { workers_.at(static_cast<size_t>(index))->Stop(); }
  void WakeWorker(int index) override { workers_.at(static_cast<size_t>(index))->Continue(); }
  Usage WorkerUsage(int index) override { return workers_.at(static_cast<size_t>(index))->usage(); }

  void StallMetrics() override { metrics_->Stop(); }
  void WakeMetrics() override { metrics_->Continue(); }
  void RestartMetrics() override {
    metrics_->Kill();
    StartMetrics(metrics_address_);
  }

  void RestartOrchestrator(bool gracefully) override {
    channel_.reset();
    if (gracefully) {
      orchestrator_->Terminate();
    } else {
      orchestrator_->Kill();
    }
    StartOrchestrator(address_);  // where the workers look for it
  }

 private:
  void StartMetrics(const std::string& listen) {
    const std::string port_file = folder_ + "/metrics.port";
    std::filesystem::remove(port_file);
    metrics_ = std::make_unique<Process>(
        "kvscope-metrics",
        std::vector<std::string>{"--listen", listen, "--port-file", port_file, "--store",
                                 folder_ + "/hidden-states"},
        folder_ + "/metrics.log");
    metrics_address_ = absl::StrCat("127.0.0.1:", WaitForPort(port_file, *metrics_));
  }

  void StartOrchestrator(const std::string& listen) {
    const std::string port_file = folder_ + "/orchestrator.port";
    std::filesystem::remove(port_file);
    orchestrator_ = std::make_unique<Process>(
        "kvscope-orchestrator",
        std::vector<std::string>{
            "--listen", listen, "--port-file", port_file, "--store", folder_ + "/store.db",
            "--models-dir", models_dir_, "--metrics", metrics_address_, "--drain-timeout", "2",
            "--lease", Seconds(options_.lease), "--heartbeat", Seconds(options_.heartbeat),
            "--max-attempts", absl::StrCat(options_.max_attempts)},
        folder_ + "/orchestrator.log");
    address_ = absl::StrCat("127.0.0.1:", WaitForPort(port_file, *orchestrator_));
    const auto dialled = rpc::Dial(address_, {});
    ASSERT_TRUE(dialled.ok()) << dialled.status();
    channel_ = *dialled;
    ASSERT_TRUE(rpc::WaitForConnected(*channel_, address_, absl::Minutes(1)).ok());
  }

  static std::string Seconds(absl::Duration duration) {
    return absl::StrCat(absl::ToDoubleSeconds(duration));
  }

  const std::string folder_;
  const std::string models_dir_;
  const DeploymentOptions options_;
  std::string metrics_address_;
  std::string address_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Process> metrics_;
  std::unique_ptr<Process> orchestrator_;
  std::vector<std::unique_ptr<Process>> workers_;
};

}  // namespace

std::unique_ptr<Deployment> Deploy(Kind kind, const DeploymentOptions& options) {
  if (kind == Kind::kEmbedded) return std::make_unique<Embedded>(options);
  return std::make_unique<Processes>(options);
}

}  // namespace kvscope::cluster_test
