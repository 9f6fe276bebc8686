#include "services/inference/ops/backends.h"

#include <omp.h>

#include <charconv>
#include <optional>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/inference/ops/cpu/cpu_ops.h"
#include "services/inference/ops/cuda/load.h"
#include "services/inference/ops/reference/reference_ops.h"
#include "services/inference/tensor/check.h"

namespace kvscope::inference {

const std::vector<std::string_view>& Devices() {
  static const auto& devices = *new std::vector<std::string_view>{"cuda", "cpu", "reference"};
  return devices;
}

namespace {

// 0 of "cuda", 2 of "cuda:2"; none of what names no such device.
std::optional<int> CudaOrdinal(std::string_view device) {
  if (device == "cuda") return 0;
  constexpr std::string_view kPrefix = "cuda:";
  int ordinal = 0;
  if (!device.starts_with(kPrefix)) return std::nullopt;
  device.remove_prefix(kPrefix.size());
  const auto [end, error] = std::from_chars(device.data(), device.data() + device.size(), ordinal);
  if (error != std::errc() || end != device.data() + device.size() || ordinal < 0) {
    return std::nullopt;
  }
  return ordinal;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Ops>> MakeOps(std::string_view device) {
  if (const std::optional<int> ordinal = CudaOrdinal(device)) return LoadCudaOps(*ordinal);
  // Not yet cuda: its results were never compared on a real device.
  if (device == "cpu" || device == "auto") return MakeCpuOps();
  if (device == "reference") return MakeReferenceOps();
  const std::vector<std::string> names(Devices().begin(), Devices().end());
  return absl::InvalidArgumentError(
      absl::StrCat("device is '", std::string(device), "'; this build has auto, ",
                   absl::StrJoin(names, ", "), " (cuda:N for the device of that number)"));
}

std::string_view DeviceKind(std::string_view device) {
  return CudaOrdinal(device).has_value() ? "cuda" : device;
}

void SetComputeThreads(int threads) {
  KVSCOPE_CHECK(threads >= 1, "at least one thread");
  omp_set_num_threads(threads);
}

}  // namespace kvscope::inference
