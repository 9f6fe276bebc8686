// The life of a server process: starts, serves until a signal, drains, ends.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/rpc/flags.h"
#include "services/rpc/server.h"

namespace kvscope::rpc {

// Blocks SIGTERM and SIGINT in this thread and in all that it starts later, so that only
// WaitForSignal sees them. First thing in main.
void BlockSignals();

// Waits for SIGTERM or SIGINT and returns it. A second signal afterwards ends the process at once.
int WaitForSignal();

// Tells on stderr, as a sentence, why the process cannot go on; returns the exit code 1.
int Fail(const absl::Status& status);

// Serves metrics, logs the bound address, writes the port file; then waits for
// a signal, stops serving health, calls `drain` with the time that is left and shuts `server` down.
// Returns the exit code. `server` may be null: a process that only dials out.
int ServeUntilSignal(const ServiceFlags& flags, Server* server,
                     const std::function<void(absl::Duration timeout)>& drain);

}  // namespace kvscope::rpc
