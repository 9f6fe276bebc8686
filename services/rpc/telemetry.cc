#include "services/rpc/telemetry.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "services/rpc/address.h"
#include "services/status_macros.h"
#include "services/version.h"

namespace kvscope::rpc {
namespace {

constexpr std::array<std::string_view, 5> kLevelNames = {"debug", "info", "warning", "error",
                                                         "off"};

std::atomic<LogLevel> log_level = LogLevel::kInfo;

// Never destroyed: threads may still count while the process ends.
const std::shared_ptr<prometheus::Registry>& Registry() {
  static const auto* registry =
      new std::shared_ptr<prometheus::Registry>(std::make_shared<prometheus::Registry>());
  return *registry;
}

std::map<std::string, std::string> Labels(const MetricFamily& family, std::string_view value) {
  if (family.label.empty()) return {};
  return {{std::string(family.label), std::string(value)}};
}

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

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (level < log_level.load(std::memory_order_relaxed)) return;
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

void Count(const MetricFamily& family, std::string_view label_value, double by) {
  prometheus::BuildCounter()
      .Name(std::string(family.name))
      .Help(std::string(family.help))
      .Register(*Registry())
      .Add(Labels(family, label_value))
      .Increment(by);
}

void SetGauge(const MetricFamily& family, double value, std::string_view label_value) {
  prometheus::BuildGauge()
      .Name(std::string(family.name))
      .Help(std::string(family.help))
      .Register(*Registry())
      .Add(Labels(family, label_value))
      .Set(value);
}

struct MetricsEndpoint::State {
  explicit State(const std::string& address) : exposer(address) {}
  prometheus::Exposer exposer;
};

MetricsEndpoint::MetricsEndpoint(std::unique_ptr<State> state) : state_(std::move(state)) {}
MetricsEndpoint::~MetricsEndpoint() = default;

int MetricsEndpoint::port() const { return state_->exposer.GetListeningPorts().at(0); }

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(std::string_view address) {
  KVSCOPE_ASSIGN_OR_RETURN(Address parsed, ParseAddress(address));
  if (parsed.host == "localhost") parsed.host = "127.0.0.1";  // the HTTP server takes numbers only
  SetGauge({"kvscope_build_info", "1, labelled with the version that runs.", "version"}, 1,
           kVersion);
  try {
    auto state = std::make_unique<State>(parsed.ToString());
    state->exposer.RegisterCollectable(Registry());
    return std::unique_ptr<MetricsEndpoint>(new MetricsEndpoint(std::move(state)));
  } catch (const std::exception& error) {
    return absl::UnavailableError(absl::StrCat("cannot serve metrics on ", parsed.ToString(),
                                               ": the port is taken or not ours (", error.what(),
                                               ")"));
  }
}

}  // namespace kvscope::rpc
