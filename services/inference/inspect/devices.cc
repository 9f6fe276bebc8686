#include "services/inference/inspect/devices.h"

#include <map>
#include <string_view>

#include "services/inference/ops/backends.h"

namespace kvscope::inference {

DeviceState InspectDevice(const std::string& device) {
  static const auto& computes = *new std::map<std::string_view, std::string>{
      {"cuda", "cuBLAS products, own attention"},
      {"cpu", "oneDNN products, own attention"},
      {"reference", "plain loops, for checking"},
  };
  const absl::StatusOr<std::unique_ptr<Ops>> ops = MakeOps(device);
  if (!ops.ok()) return {device, false, std::string(ops.status().message())};
  const std::optional<DeviceMemoryState> memory = (*ops)->memory();
  return {device, true, computes.at((*ops)->name()),
          memory.has_value() ? std::optional(memory->free) : std::nullopt};
}

std::vector<DeviceState> InspectDevices() {
  std::vector<DeviceState> states;
  for (const std::string_view device : Devices()) {
    states.push_back(InspectDevice(std::string(device)));
  }
  return states;
}

}  // namespace kvscope::inference
