#include "services/rpc/telemetry.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace kvscope::rpc {
namespace {

constexpr std::array<std::string_view, 5> kLevelNames = {"debug", "info", "warning", "error",
                                                         "off"};

std::atomic<LogLevel> log_level = LogLevel::kInfo;

}  // namespace

absl::StatusOr<LogLevel> ParseLogLevel(std::string_view name) {
  for (size_t i = 0; i < kLevelNames.size(); ++i) {
    if (name == kLevelNames[i]) return static_cast<LogLevel>(i);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", std::string(name),
                   "\" is no log level: it must be debug, info, warning, error or off"));
}

void SetLogLevel(LogLevel level) { log_level = level; }
bool Logs(LogLevel level) { return level >= log_level.load(std::memory_order_relaxed); }

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (!Logs(level)) return;
  nlohmann::ordered_json line;
  line["time"] = absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone());
  line["level"] = kLevelNames[static_cast<size_t>(level)];
  line["message"] = message;
  for (const LogField& field : fields) line[std::string(field.name)] = field.value;
  const std::string text =
      line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  std::fwrite(text.data(), 1, text.size(), stderr);  // one call: stdio locks the stream around it
}

void TakeOverLibraryLogs() {
  gpr_set_log_function([](gpr_log_func_args* args) {
    Log(LogLevel::kDebug, args->message, {{"source", "grpc"}});
  });
  google::protobuf::SetLogHandler(
      [](google::protobuf::LogLevel, const char*, int, const std::string& message) {
        Log(LogLevel::kDebug, message, {{"source", "protobuf"}});
      });
}

}  // namespace kvscope::rpc
