// Following a sweep with a progress bar.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "services/client/cli/session.h"

namespace kvscope::cli {

// Draws the bar until the sweep has ended and returns it. A stream that breaks is taken up
// again, for five minutes without a word from the orchestrator.
// Errors: Cancelled at Ctrl-C (the sweep itself is left alone); Aborted if the sweep failed or was
// cancelled, with its own sentence; what the service answers.
absl::StatusOr<v1::Sweep> WatchUntilEnd(Session& session, const std::string& sweep_id,
                                        const std::string& label);

}  // namespace kvscope::cli
