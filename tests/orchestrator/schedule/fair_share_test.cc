// Turns of users: equal shares of streams, no claim to what was not asked for.
#include "services/orchestrator/schedule/fair_share.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace kvscope::orchestrator {
namespace {

// Serves whoever's turn it is, the first named on a tie.
std::string ServeNext(FairShare& share, const std::map<std::string, double>& unit_streams) {
  std::string next;
  for (const auto& [user, streams] : unit_streams) {
    if (next.empty() || share.Start(user) < share.Start(next)) next = user;
  }
  share.Serve(next, unit_streams.at(next));
  return next;
}

TEST(FairShare, UsersTakeTurns) {
  FairShare share;
  std::string order;
  for (int i = 0; i < 6; ++i) order += ServeNext(share, {{"a", 10}, {"b", 10}});
  EXPECT_EQ(order, "ababab");
}

TEST(FairShare, LargeUnitsAreGivenLessOften) {
  FairShare share;
  std::map<std::string, double> streams;
  for (int i = 0; i < 400; ++i) {
    const std::map<std::string, double> units = {{"large", 300}, {"small", 100}};
    const std::string user = ServeNext(share, units);
    streams[user] += units.at(user);
  }
  EXPECT_NEAR(streams["large"], streams["small"], 300);
}

TEST(FairShare, WhoComesLateHasNoClaimToThePast) {
  FairShare share;
  for (int i = 0; i < 100; ++i) ServeNext(share, {{"early", 10}});
  std::string order;
  for (int i = 0; i < 4; ++i) order += ServeNext(share, {{"early", 10}, {"late", 10}})[0];
  EXPECT_EQ(order, "lele");
}

}  // namespace
}  // namespace kvscope::orchestrator
