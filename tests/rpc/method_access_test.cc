#include "services/rpc/method_access.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/rpc/proto_sources.h"

namespace kvscope::rpc {
namespace {

TEST(MethodAccess, EveryMethodOfOurProtosHasItsRole) {
  std::set<std::string> ours;
  for (const MethodSource& method : MethodsOfOurProtos()) ours.insert(method.path);
  std::set<std::string> listed;
  for (const MethodAccess& method : AllMethods()) {
    EXPECT_TRUE(listed.insert(std::string(method.path)).second) << method.path << " is there twice";
    if (method.path.starts_with("/kvscope.")) {
      EXPECT_TRUE(method.needed.has_value()) << method.path << " is open to everybody";
    }
  }
  for (const std::string& method : ours) {
    EXPECT_TRUE(listed.contains(method)) << method << " has no role: say one in method_access.cc";
  }
}

TEST(MethodAccess, ReadersChangeNothingWorkersDoNotSubmitSubmittersDoNotLease) {
  const auto may = [](Role role, const char* path) {
    return Allows(role, *FindMethod(path)->needed);
  };
  constexpr char kCreate[] = "/kvscope.v1.OrchestratorService/CreateSweep";
  constexpr char kGet[] = "/kvscope.v1.OrchestratorService/GetSweep";
  constexpr char kWork[] = "/kvscope.v1.WorkerService/Work";
  EXPECT_TRUE(may(Role::kRead, kGet));
  EXPECT_FALSE(may(Role::kRead, kCreate));
  EXPECT_FALSE(may(Role::kRead, kWork));
  EXPECT_TRUE(may(Role::kSubmit, kGet));
  EXPECT_TRUE(may(Role::kSubmit, kCreate));
  EXPECT_FALSE(may(Role::kSubmit, kWork));
  EXPECT_FALSE(may(Role::kWorker, kGet));
  EXPECT_FALSE(may(Role::kWorker, kCreate));
  EXPECT_TRUE(may(Role::kWorker, kWork));
}

TEST(MethodAccess, WhatIsNotListedIsFoundNowhere) {
  EXPECT_EQ(FindMethod(""), nullptr);
  EXPECT_EQ(FindMethod("/kvscope.v1.OrchestratorService/"), nullptr);
  EXPECT_EQ(FindMethod("/kvscope.v1.OrchestratorService/getsweep"), nullptr);
}

}  // namespace
}  // namespace kvscope::rpc
