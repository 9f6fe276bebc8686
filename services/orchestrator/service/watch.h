// WatchSweep: the sweep now and at every change until it ends.
#pragma once

#include <string>

#include "kvscope/v1/orchestrator.grpc.pb.h"
#include "services/orchestrator/service/desk.h"

namespace kvscope::orchestrator {

// The reactor of one call; deletes itself. At most one message a pulse of the desk (200 ms), and
// none while the last is still being sent: a slow client misses steps, never the end.
grpc::ServerWriteReactor<v1::Sweep>* StartWatch(Desk& desk, const std::string& sweep);

}  // namespace kvscope::orchestrator
