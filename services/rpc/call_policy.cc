#include "services/rpc/call_policy.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "services/rpc/grpc_status.h"

namespace kvscope::rpc {
namespace {

constexpr std::chrono::minutes kUnaryDeadline(1);
constexpr std::chrono::hours kStreamDeadline(24);
constexpr absl::Duration kPatience = absl::Minutes(1);

constexpr std::string_view kRetried[] = {
    "kvscope.v1.OrchestratorService/CreateSweep", "kvscope.v1.OrchestratorService/GetSweep",
    "kvscope.v1.OrchestratorService/ListSweeps",  "kvscope.v1.OrchestratorService/CancelSweep",
    "kvscope.v1.OrchestratorService/ResumeSweep", "kvscope.v1.OrchestratorService/DeleteSweep",
    "kvscope.v1.OrchestratorService/ListCells",   "kvscope.v1.OrchestratorService/ListUnits",
    "kvscope.v1.OrchestratorService/ListModels",
};

}  // namespace

UnaryContext::UnaryContext() { set_deadline(std::chrono::system_clock::now() + kUnaryDeadline); }

StreamContext::StreamContext() : StreamContext(std::chrono::system_clock::time_point::max()) {}

StreamContext::StreamContext(std::chrono::system_clock::time_point callers_deadline) {
  set_deadline(std::min(callers_deadline, std::chrono::system_clock::now() + kStreamDeadline));
}

absl::Status CallPatiently(const std::function<absl::Status()>& call) {
  const absl::Time end = absl::Now() + kPatience;
  while (true) {
    absl::Status status = call();
    const std::optional<absl::Duration> delay = RetryDelay(status);
    if (status.ok() || !delay.has_value() || absl::Now() + *delay > end) return status;
    absl::SleepFor(*delay);
  }
}

std::span<const std::string_view> RetriedMethods() { return kRetried; }

std::string ServiceConfig() {
  using Json = nlohmann::json;
  Json names = Json::array();
  for (const std::string_view method : kRetried) {
    const size_t slash = method.find('/');
    names.push_back(
        Json::object({{"service", method.substr(0, slash)}, {"method", method.substr(slash + 1)}}));
  }
  const Json policy = Json::object({{"maxAttempts", 5},  // gRPC's limit
                                    {"initialBackoff", "0.2s"},
                                    {"maxBackoff", "5s"},
                                    {"backoffMultiplier", 3},
                                    {"retryableStatusCodes", Json::array({"UNAVAILABLE"})}});
  const Json method = Json::object({{"name", names}, {"retryPolicy", policy}});
  return Json::object({{"methodConfig", Json::array({method})}}).dump();
}

}  // namespace kvscope::rpc
