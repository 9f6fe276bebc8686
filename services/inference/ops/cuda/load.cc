#include "services/inference/ops/cuda/load.h"

#include <dlfcn.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "services/inference/ops/device_error.h"
#include "services/version.h"

namespace kvscope::inference {
namespace {

constexpr const char* kDriver = "libcuda.so.1";
constexpr const char* kLibrary = "libkvscope_cuda.so";

using MakeFunction = decltype(&kvscope_make_cuda_ops);

absl::Status Unavailable(std::string_view what) {
  return absl::UnavailableError(absl::StrCat("the device cuda is off: ", std::string(what)));
}

// Libraries stay loaded: tensors hold memory that only they can free.
void* Open(const std::string& library) { return dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL); }

absl::StatusOr<MakeFunction> FindInLibrary() {
  // Asked first: without a driver the libraries of the toolkit, hundreds of MB, are not read.
  if (Open(kDriver) == nullptr) return Unavailable(absl::StrCat("no NVIDIA driver: ", dlerror()));
  std::error_code ignored;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  void* library = Open(program.parent_path() / kLibrary);
  if (library == nullptr) library = Open(kLibrary);
  if (library == nullptr) return Unavailable(dlerror());
  void* function = dlsym(library, "kvscope_make_cuda_ops");
  if (function == nullptr) return Unavailable(dlerror());
  return reinterpret_cast<MakeFunction>(function);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Ops>> LoadCudaOps(int ordinal) {
  MakeFunction make = kvscope_make_cuda_ops;
  if (make == nullptr) {
    const absl::StatusOr<MakeFunction> found = FindInLibrary();
    if (!found.ok()) return found.status();
    make = *found;
  }
  std::string why_not;
  return CatchDeviceErrors([&]() -> absl::StatusOr<std::unique_ptr<Ops>> {
    std::unique_ptr<Ops> ops(make(kVersion, ordinal, &why_not));
    if (ops == nullptr) return Unavailable(why_not);
    return ops;
  });
}

}  // namespace kvscope::inference
