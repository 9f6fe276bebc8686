// The devices of this build, as `doctor` lists them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kvscope::inference {

struct DeviceState {
  std::string name;
  bool usable;
  std::string says;  // what computes on it, or why this machine has none
  std::optional<int64_t> free_bytes = std::nullopt;  // of its own memory, where it has that
};

// `device`: as MakeOps takes it.
DeviceState InspectDevice(const std::string& device);

// Best first. Makes each backend once.
std::vector<DeviceState> InspectDevices();

}  // namespace kvscope::inference
