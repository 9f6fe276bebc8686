#include "services/orchestrator/service/executor.h"

#include <gmock/gmock.h>

#include <string>

#include "absl/synchronization/notification.h"

namespace kvscope::orchestrator {
namespace {

TEST(Executor, RunsUrgentTasksBeforeThoseThatWait) {
  absl::Notification busy, go, done;
  std::string order;
  Executor executor;
  executor.Post([&] {
    busy.Notify();
    go.WaitForNotification();
  });
  busy.WaitForNotification();
  executor.Post([&] { order += 'a'; });
  EXPECT_TRUE(executor.TryPost([&] { order += 'b'; }));
  executor.PostUrgent([&] { order += 'X'; });
  executor.PostUrgent([&] { order += 'Y'; });
  executor.Post([&] { done.Notify(); });
  go.Notify();
  done.WaitForNotification();
  EXPECT_EQ(order, "XYab");
}

}  // namespace
}  // namespace kvscope::orchestrator
