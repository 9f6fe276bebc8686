// Which role each RPC needs: the one table of it.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "services/rpc/caller.h"

namespace kvscope::rpc {

struct MethodAccess {
  std::string_view path;       // "/kvscope.v1.OrchestratorService/GetSweep"
  std::optional<Role> needed;  // unset: everybody may call it, without a token
};

// Every method of every service that our servers offer.
std::span<const MethodAccess> AllMethods();

// Null: no such method, so nobody may call it.
const MethodAccess* FindMethod(std::string_view path);

}  // namespace kvscope::rpc
