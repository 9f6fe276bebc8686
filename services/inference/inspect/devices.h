// The devices of this build, as `doctor` lists them.
#pragma once

#include <string>
#include <vector>

namespace kvscope::inference {

struct DeviceState {
  std::string name;
  bool usable;
  std::string says;  // what computes on it, or why this machine has none
};

// Best first. Makes each backend once.
std::vector<DeviceState> InspectDevices();

}  // namespace kvscope::inference
