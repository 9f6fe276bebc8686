// Clock: the two times a scheduler needs, so that tests can hold them still.
#pragma once

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace kvscope::orchestrator {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;         // of the day, for time stamps; may jump
  virtual absl::Duration Uptime() const = 0;  // only grows, for deadlines
};

class SystemClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
  absl::Duration Uptime() const override;
};

}  // namespace kvscope::orchestrator
