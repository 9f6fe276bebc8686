#include "services/inference/ops/backends.h"

#include <omp.h>

#include <string>

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

absl::StatusOr<std::unique_ptr<Ops>> MakeOps(std::string_view device) {
  if (device == "cuda") return LoadCudaOps();
  // Not yet cuda: its results were never compared on a real device.
  if (device == "cpu" || device == "auto") return MakeCpuOps();
  if (device == "reference") return MakeReferenceOps();
  const std::vector<std::string> names(Devices().begin(), Devices().end());
  return absl::InvalidArgumentError(absl::StrCat(
      "device is '", std::string(device), "'; this build has auto, ", absl::StrJoin(names, ", ")));
}

void SetComputeThreads(int threads) {
  KVSCOPE_CHECK(threads >= 1, "at least one thread");
  omp_set_num_threads(threads);
}

}  // namespace kvscope::inference
