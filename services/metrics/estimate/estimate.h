// A number with its interval: what every estimate of this folder returns.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace kvscope::metrics {

// Never NaN or infinite: what cannot be said is null, and `note` says why.
struct Estimate {
  std::optional<double> value;
  std::optional<double> low;  // of the interval (95 % unless asked otherwise); both ends or none
  std::optional<double> high;
  int32_t passages = 0;  // clusters that the interval rests on
  std::string note;      // why something is null, or what to mind; empty where all is well
};

struct BootstrapOptions {
  int draws = 2000;          // fewer than 100 count as 100
  uint64_t seed = 1;         // the same seed gives the same bits on every machine
  double confidence = 0.95;  // inside (0, 1)

  int draw_count() const { return draws < 100 ? 100 : draws; }
};

}  // namespace kvscope::metrics
