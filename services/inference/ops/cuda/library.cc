// What libkvscope_cuda.so exports, and what a program that holds the backend itself defines.
#include "services/inference/ops/cuda/cuda_ops.h"
#include "services/inference/ops/cuda/load.h"
#include "services/version.h"

kvscope::inference::Ops* kvscope_make_cuda_ops(const char* version, int ordinal,
                                               std::string* why_not) {
  if (std::string_view(version) != kvscope::kVersion) {
    *why_not = std::string("the library is of KVScope ") + kvscope::kVersion;
    return nullptr;
  }
  return kvscope::inference::MakeCudaOps(ordinal, *why_not).release();
}
