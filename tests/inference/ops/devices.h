// The devices that a test runs on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/inference/ops/backends.h"

namespace kvscope::inference {

// Those of the build that this machine has, best first.
inline std::vector<std::string> UsableDevices() {
  std::vector<std::string> devices;
  for (const std::string_view device : Devices()) {
    if (MakeOps(device).ok()) devices.emplace_back(device);
  }
  return devices;
}

// Without `reference`: those that are checked against it.
inline std::vector<std::string> OtherDevices() {
  std::vector<std::string> devices = UsableDevices();
  std::erase(devices, "reference");
  return devices;
}

}  // namespace kvscope::inference
