#include "services/orchestrator/schedule/clock.h"

#include <chrono>

namespace kvscope::orchestrator {

absl::Duration SystemClock::Uptime() const {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace kvscope::orchestrator
