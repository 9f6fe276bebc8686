// A metrics service that is slow slows its workers down; what they could not send does not pile up.
#include <gtest/gtest.h>

#include <iostream>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "tests/cluster/client.h"
#include "tests/cluster/deployment.h"

namespace kvscope::cluster_test {
namespace {

constexpr int kPassages = 150;
constexpr int64_t kMiB = 1 << 20;

// With all that a passage can have to tell: keep sets and hidden states of every passage.
v1::SweepSpec TalkativeSweep() {
  v1::SweepSpec spec = PocketSweep();
  spec.mutable_capture()->set_heatmap_passages(kPassages);
  spec.mutable_capture()->set_probe_pool("mean");
  return spec;
}

struct Completed {
  std::vector<std::string> answers;
  absl::Duration took;
  Usage worker;
};

class BackPressure : public testing::Test {
 protected:
  // The whole sweep, with `disturb` beside it until it ends.
  template <typename Disturb>
  static Completed Complete(const Disturb& disturb) {
    const auto deployment = Deploy(Kind::kProcesses, {.workers = 1});
    Client client(*deployment);
    const std::string sweep = client.Submit("r", TalkativeSweep(), PocketPassages(kPassages)).id();
    client.WaitForLease(sweep);
    const absl::Time start = absl::Now();
    disturb(*deployment, client, sweep);
    EXPECT_EQ(client.WaitForEnd(sweep).state(), v1::Sweep::SUCCEEDED);
    for (const v1::UnitStatus& unit : client.Units(sweep)) EXPECT_EQ(unit.attempts(), 1);
    return {client.Answers(sweep), absl::Now() - start, deployment->WorkerUsage(0)};
  }

  static const Completed& Undisturbed() {
    static const Completed* const run =
        new Completed(Complete([](Deployment&, Client&, const std::string&) {}));
    return *run;
  }
};

TEST_F(BackPressure, AWorkerStandsStillWhileNobodyTakesItsRecords) {
  const Completed run =
      Complete([](Deployment& deployment, Client& client, const std::string& sweep) {
        deployment.StallMetrics();
        absl::SleepFor(absl::Seconds(3));  // what is under way comes to rest
        const Usage before = deployment.WorkerUsage(0);
        const int64_t streams = client.Get(sweep).progress().streams_done();
        absl::SleepFor(absl::Seconds(4));
        const Usage after = deployment.WorkerUsage(0);
        std::cout << "in 4 s: " << after.cpu - before.cpu << " of CPU, "
                  << (after.bytes - before.bytes) / 1024 << " KiB more memory\n";
        EXPECT_LT(after.cpu - before.cpu, absl::Milliseconds(400));
        EXPECT_LT(after.bytes - before.bytes, kMiB);
        EXPECT_EQ(client.Get(sweep).progress().streams_done(), streams);
        EXPECT_LT(streams, client.Get(sweep).progress().streams_total());
        deployment.WakeMetrics();
      });
  EXPECT_TRUE(run.answers == Undisturbed().answers);
}

TEST_F(BackPressure, ASlowServiceSlowsTheWorkerAndItsMemoryStaysFlat) {
  const Completed slow =
      Complete([](Deployment& deployment, Client& client, const std::string& sweep) {
        // Two milliseconds in a hundred: a passage waits longer than it takes to compute.
        while (client.Get(sweep).state() == v1::Sweep::RUNNING) {
          deployment.StallMetrics();
          absl::SleepFor(absl::Milliseconds(98));
          deployment.WakeMetrics();
          absl::SleepFor(absl::Milliseconds(2));
        }
      });
  const Completed& fast = Undisturbed();
  std::cout << "undisturbed: " << fast.took << ", the worker had at most "
            << fast.worker.peak_bytes / kMiB << " MiB; slowed: " << slow.took << ", "
            << slow.worker.peak_bytes / kMiB << " MiB\n";
  EXPECT_GT(slow.took, 1.5 * fast.took);
  EXPECT_LT(slow.worker.peak_bytes, fast.worker.peak_bytes + 16 * kMiB);
  EXPECT_TRUE(slow.answers == fast.answers);
}

}  // namespace
}  // namespace kvscope::cluster_test
