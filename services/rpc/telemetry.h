// What a process tells about itself: JSON lines on stderr. (What it counts: instruments.h.)
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kvscope::rpc {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

// "debug", "info", "warning", "error" or "off". Errors: InvalidArgument that names them.
absl::StatusOr<LogLevel> ParseLogLevel(std::string_view name);

// Of the whole process; kInfo until set.
void SetLogLevel(LogLevel level);
// Whether a line of this level is written: for callers whose fields are costly to make.
bool Logs(LogLevel level);

struct LogField {
  std::string_view name;
  std::string value;
};

// One line, {"time":...,"level":...,"message":...,<fields>}; lines of several threads do not mix.
// A field has one name everywhere: "sweep" and "unit" are ids, "request" is what a client called
// its mutation (request_id), "worker" is the name of Hello, "method" an RPC's path.
void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

// Makes the log lines of gRPC and Protobuf kDebug lines of Log. Dial and Server::Start call it.
void TakeOverLibraryLogs();

}  // namespace kvscope::rpc
