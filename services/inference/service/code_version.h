// The worker's code version: part of every unit's key.
#pragma once

#include <string>

#include "services/version.h"

namespace kvscope::inference {

// Two workers of equal code version yield equal results, such as "0.1.0+results1".
inline std::string CodeVersion() {
  return std::string(kVersion) + "+results" + std::to_string(kResultsVersion);
}

}  // namespace kvscope::inference
