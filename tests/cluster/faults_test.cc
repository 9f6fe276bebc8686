// Every service killed a hundred times, at random, in the middle of a sweep of 500 cells: nothing
// is lost, nothing is there twice, and the answers are those of an undisturbed run, byte for byte.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <random>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/cluster/client.h"
#include "tests/cluster/deployment.h"

namespace kvscope::cluster_test {
namespace {

constexpr int kKills = 100;  // of each service
constexpr int kWorkers = 2;
constexpr int kDatasets = 25;
constexpr int kPassages = 8;  // of a data set: one unit in each regime
constexpr int kQuestions = 3;
constexpr int kRegimes = 2;
constexpr int kPresses = 2;
constexpr int kRatios = 5;
static_assert(kDatasets * kRegimes * kPresses * kRatios == 500);

v1::SweepSpec LargeSweep() {
  v1::SweepSpec spec = PocketSweep();
  spec.add_regimes(v1::AWARE);
  spec.clear_ratios();
  for (int i = 0; i < kRatios; ++i) spec.add_ratios(i / 5.0);
  return spec;
}

std::string Submit(Client& client) {
  v1::SweepSpec spec = LargeSweep();
  const std::vector<v1::Passage> passages = PocketPassages(kDatasets * kPassages);
  for (int i = 0; i < kDatasets; ++i) {
    *spec.add_datasets() = client.Upload(absl::StrCat("people-", i),
                                         std::span(passages).subspan(i * kPassages, kPassages));
  }
  return client.Create("faults", spec).id();
}

std::vector<std::string> UndisturbedAnswers() {
  const auto deployment = Deploy(Kind::kEmbedded, {.workers = kWorkers});
  Client client(*deployment);
  const std::string sweep = Submit(client);
  EXPECT_EQ(client.WaitForEnd(sweep).state(), v1::Sweep::SUCCEEDED);
  return client.Answers(sweep);
}

class Faults : public testing::Test {
 protected:
  Faults()
      : deployment_(Deploy(Kind::kProcesses, {.workers = kWorkers,
                                              .lease = absl::Seconds(3),
                                              .heartbeat = absl::Milliseconds(200),
                                              .max_attempts = 100})),
        client_(*deployment_) {}

  void Pause() {
    absl::SleepFor(absl::Milliseconds(std::uniform_int_distribution(0, 200)(random_)));
  }

  // A worker dies as often as another takes its place.
  void KillWorker() {
    const auto slot = std::uniform_int_distribution<size_t>(0, workers_.size() - 1)(random_);
    deployment_->KillWorker(workers_[slot]);
    deployment_->AddWorker();
    workers_[slot] = next_worker_++;
  }

  // Until a worker has something to do again; nothing once the sweep has ended.
  void KillOrchestrator(const std::string& sweep) {
    const absl::Time killed = absl::Now();
    deployment_->RestartOrchestrator(/*gracefully=*/false);
    while (true) {
      const v1::Sweep seen = client_.Get(sweep);
      if (seen.progress().units_running() > 0) break;
      if (seen.state() != v1::Sweep::RUNNING) return;
      absl::SleepFor(absl::Milliseconds(5));
    }
    to_first_dispatch_.push_back(absl::Now() - killed);
  }

  std::unique_ptr<Deployment> deployment_;
  Client client_;
  std::mt19937 random_{20261127};
  std::vector<int> workers_ = {0, 1};
  int next_worker_ = kWorkers;
  std::vector<absl::Duration> to_first_dispatch_;
};

TEST_F(Faults, AHundredKillsOfEachServiceChangeNothing) {
  const std::vector<std::string> undisturbed = UndisturbedAnswers();
  ASSERT_EQ(undisturbed.size(),
            size_t{kDatasets} * kPassages * kQuestions * kRegimes * kPresses * kRatios);

  const std::string sweep = Submit(client_);
  const absl::Time begin = absl::Now();
  for (int round = 0; round < kKills; ++round) {
    // The kills are spread over the sweep, whatever the machine's speed.
    const v1::Sweep seen = client_.WaitFor(sweep, [round](const v1::Sweep& s) {
      return s.state() == v1::Sweep::RUNNING &&
             s.progress().units_done() >= s.progress().units_total() * round / (kKills + 20);
    });
    ASSERT_EQ(seen.state(), v1::Sweep::RUNNING) << "round " << round;
    std::vector<int> order = {0, 1, 2};
    std::shuffle(order.begin(), order.end(), random_);
    for (const int service : order) {
      Pause();
      if (service == 0) KillWorker();
      if (service == 1) deployment_->RestartMetrics();
      if (service == 2) KillOrchestrator(sweep);
    }
  }
  const v1::Sweep ended = client_.WaitForEnd(sweep);
  const absl::Duration took = absl::Now() - begin;
  ASSERT_EQ(ended.state(), v1::Sweep::SUCCEEDED) << ended.error();

  int64_t attempts = 0, lost = 0;
  for (const v1::UnitStatus& unit : client_.Units(sweep)) {
    attempts += unit.attempts();
    lost += unit.state() != v1::UnitStatus::DONE;
  }
  const std::vector<std::string> answers = client_.Answers(sweep);
  const std::set<std::string> distinct(answers.begin(), answers.end());
  std::sort(to_first_dispatch_.begin(), to_first_dispatch_.end());
  ASSERT_FALSE(to_first_dispatch_.empty());
  std::cout << kKills << " kills of each service in " << absl::FormatDuration(took) << ": "
            << ended.progress().units_total() << " units, " << attempts << " attempts, " << lost
            << " lost, " << answers.size() - distinct.size() << " answers there twice; restart of "
            << "the orchestrator to the first dispatch, median "
            << absl::FormatDuration(to_first_dispatch_[to_first_dispatch_.size() / 2])
            << ", longest " << absl::FormatDuration(to_first_dispatch_.back()) << std::endl;
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(distinct.size(), answers.size());
  EXPECT_TRUE(answers == undisturbed);
  EXPECT_LT(to_first_dispatch_.back(), absl::Seconds(5));
}

}  // namespace
}  // namespace kvscope::cluster_test
