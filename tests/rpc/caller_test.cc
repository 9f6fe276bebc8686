#include "services/rpc/caller.h"

#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "kvscope/v1/orchestrator.grpc.pb.h"
#include "services/rpc/channel.h"
#include "services/rpc/server.h"

namespace kvscope::rpc {
namespace {

TEST(Role, NamesReadBothWays) {
  for (const Role role : {Role::kRead, Role::kSubmit, Role::kWorker, Role::kAdmin}) {
    EXPECT_EQ(ParseRole(RoleName(role)), role);
  }
  EXPECT_EQ(ParseRole("Admin"), std::nullopt);
  EXPECT_EQ(ParseRole(""), std::nullopt);
}

TEST(Role, SubmittersReadWorkersOnlyWorkAndAdminsDoAll) {
  const std::set<std::pair<Role, Role>> allowed = {
      {Role::kRead, Role::kRead},     {Role::kSubmit, Role::kRead}, {Role::kSubmit, Role::kSubmit},
      {Role::kWorker, Role::kWorker}, {Role::kAdmin, Role::kRead},  {Role::kAdmin, Role::kSubmit},
      {Role::kAdmin, Role::kWorker},  {Role::kAdmin, Role::kAdmin}};
  for (const Role role : {Role::kRead, Role::kSubmit, Role::kWorker, Role::kAdmin}) {
    for (const Role needed : {Role::kRead, Role::kSubmit, Role::kWorker, Role::kAdmin}) {
      EXPECT_EQ(Allows(role, needed), allowed.contains({role, needed}))
          << RoleName(role) << " for " << RoleName(needed);
    }
  }
}

// Remembers who called it and what else it was told.
class Listener final : public v1::OrchestratorService::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetSweep(grpc::CallbackServerContext* context,
                                     const v1::GetSweepRequest*, v1::Sweep*) override {
    caller = CallerOf(*context);
    for (const auto& [key, value] : context->client_metadata()) {
      seen.insert(std::string(key.data(), key.size()));
    }
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  Caller caller = {.name = "nobody called", .role = Role::kRead};
  std::set<std::string> seen;
};

TEST(Caller, HasNoNameWithoutAuthenticationWhateverItClaims) {
  Listener listener;
  grpc::Service* services[] = {&listener};
  const auto server = Server::Start({.listen = "127.0.0.1:0"}, services);
  ASSERT_TRUE(server.ok()) << server.status();
  for (const auto& channel : {*Dial((*server)->address(), {}), (*server)->InProcessChannel()}) {
    const auto stub = v1::OrchestratorService::NewStub(channel);
    grpc::ClientContext context;
    context.AddMetadata("kvscope-caller", "somebody-else");
    context.AddMetadata("kvscope-role", "read");
    context.AddMetadata("authorization", "Bearer secret");
    context.AddMetadata("kept", "yes");
    v1::Sweep sweep;
    const grpc::Status status = stub->GetSweep(&context, v1::GetSweepRequest(), &sweep);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(listener.caller, Caller());
    EXPECT_TRUE(listener.seen.contains("kept"));
    EXPECT_FALSE(listener.seen.contains("authorization"));
    EXPECT_FALSE(listener.seen.contains("kvscope-caller"));
    listener.seen.clear();
  }
}

}  // namespace
}  // namespace kvscope::rpc
