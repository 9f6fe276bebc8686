#include "services/rpc/caller.h"

#include <array>

#include "services/rpc/caller_interceptor.h"

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

}  // namespace kvscope::rpc
