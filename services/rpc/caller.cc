#include "services/rpc/caller.h"

#include <array>
#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "services/rpc/caller_interceptor.h"
#include "services/rpc/grpc_status.h"

namespace kvscope::rpc {
namespace {

constexpr std::array<std::string_view, 4> kRoleNames = {"read", "submit", "worker", "admin"};

}  // namespace

std::string_view RoleName(Role role) { return kRoleNames[static_cast<size_t>(role)]; }

std::optional<Role> ParseRole(std::string_view name) {
  for (size_t i = 0; i < kRoleNames.size(); ++i) {
    if (name == kRoleNames[i]) return static_cast<Role>(i);
  }
  return std::nullopt;
}

bool Allows(Role role, Role needed) {
  if (role == Role::kAdmin || role == needed) return true;
  return role == Role::kSubmit && needed == Role::kRead;
}

Caller CallerOf(const grpc::ServerContextBase& context) {
  Caller caller;
  const auto& metadata = context.client_metadata();
  const auto name = metadata.find(kCallerKey);
  const auto role = metadata.find(kRoleKey);
  if (name == metadata.end() || role == metadata.end()) return caller;
  caller.name.assign(name->second.data(), name->second.size());
  caller.role = ParseRole({role->second.data(), role->second.size()}).value_or(Role::kRead);
  return caller;
}

absl::Status CheckRate(const grpc::ServerContextBase& context) {
  const auto& metadata = context.client_metadata();
  const auto wait = metadata.find(kWaitKey);
  if (wait == metadata.end()) return absl::OkStatus();
  int64_t milliseconds = 0;
  (void)absl::SimpleAtoi(std::string(wait->second.data(), wait->second.size()), &milliseconds);
  return WithRetryDelay(
      absl::ResourceExhaustedError(absl::StrCat(
          "too many calls of one caller a second: try again in ", milliseconds, " ms")),
      absl::Milliseconds(milliseconds));
}

}  // namespace kvscope::rpc
