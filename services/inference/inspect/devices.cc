#include "services/inference/inspect/devices.h"

#include <map>
#include <string_view>

#include "services/inference/ops/backends.h"

namespace kvscope::inference {

std::vector<DeviceState> InspectDevices() {
  static const auto& computes = *new std::map<std::string_view, std::string>{
      {"cuda", "cuBLAS products, own attention"},
      {"cpu", "oneDNN products, own attention"},
      {"reference", "plain loops, for checking"},
  };
  std::vector<DeviceState> states;
  for (const std::string_view device : Devices()) {
    const absl::Status status = MakeOps(device).status();
    states.push_back({std::string(device), status.ok(),
                      status.ok() ? computes.at(device) : std::string(status.message())});
  }
  return states;
}

}  // namespace kvscope::inference
