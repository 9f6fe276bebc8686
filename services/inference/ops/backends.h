// Backends: the implementations of Ops, by the name of their device.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/inference/ops/ops.h"

namespace kvscope::inference {

// The devices of this build, best first; `auto` is none of them.
const std::vector<std::string_view>& Devices();

// `device`: one of Devices(), "cuda:N" for the CUDA device of that ordinal ("cuda": the first), or
// "auto" for the best that is trusted on every machine: cpu. Errors:
// InvalidArgument that names the allowed devices; Unavailable with the reason where the machine
// lacks the device.
absl::StatusOr<std::unique_ptr<Ops>> MakeOps(std::string_view device);

// What computes, whichever of several: "cuda" of "cuda:1".
std::string_view DeviceKind(std::string_view device);

// Cores that backends on the host use when called from the calling thread; all of the machine's
// unless set. Call it before that thread makes its Ops: small models run faster as several Ops of
// one core each than as one of several.
void SetComputeThreads(int threads);

}  // namespace kvscope::inference
