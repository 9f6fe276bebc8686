// Finds the CUDA backend when it is asked for, so that programs start on machines without a driver.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/inference/ops/ops.h"

// The one function of the backend's library. `version`: the caller's kVersion; `ordinal`: of the
// device. Null, and the reason, where the machine has no such device, or none that it runs on.
// Weak: a program may hold the backend itself.
extern "C" [[gnu::weak, gnu::visibility("default")]] kvscope::inference::Ops* kvscope_make_cuda_ops(
    const char* version, int ordinal, std::string* why_not);

namespace kvscope::inference {

// From the program itself, else from libkvscope_cuda.so: in the program's folder, or where the
// loader finds it. Errors: Unavailable with the reason (no driver, no library, no device); those of
// StatusOf where there is one that is full, or has failed.
absl::StatusOr<std::unique_ptr<Ops>> LoadCudaOps(int ordinal);

}  // namespace kvscope::inference
