// What a process tells about itself: JSON lines on stderr and counters for Prometheus.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kvscope::rpc {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

// "debug", "info", "warning", "error" or "off". Errors: InvalidArgument that names them.
absl::StatusOr<LogLevel> ParseLogLevel(std::string_view name);

// Of the whole process; kInfo until set.
void SetLogLevel(LogLevel level);

struct LogField {
  std::string_view name;
  std::string value;
};

// One line, {"time":...,"level":...,"message":...,<fields>}; lines of several threads do not mix.
void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

// Makes the log lines of gRPC and Protobuf kDebug lines of Log. Dial and Server::Start call it.
void TakeOverLibraryLogs();

// A family of counters or gauges; `label` names what tells its members apart ("" for none).
struct MetricFamily {
  std::string_view name;  // kvscope_..., the unit last
  std::string_view help;
  std::string_view label;
};

// Process-wide; the member appears with its first use.
void Count(const MetricFamily& family, std::string_view label_value = "", double by = 1);
void SetGauge(const MetricFamily& family, double value, std::string_view label_value = "");

// Serves the process's metrics, kvscope_build_info among them, as http://ADDRESS/metrics.
class MetricsEndpoint {
 public:
  // Errors: InvalidArgument (no HOST:PORT), Unavailable (port taken).
  static absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Start(std::string_view address);
  ~MetricsEndpoint();
  int port() const;

 private:
  struct State;
  explicit MetricsEndpoint(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kvscope::rpc
