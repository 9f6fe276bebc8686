// The CUDA backend's library itself: it loads where the toolkit is, has one door, and says why it
// makes nothing where there is no device.
#include <dlfcn.h>

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "services/inference/ops/cuda/load.h"
#include "services/version.h"

namespace kvscope::inference {
namespace {

class CudaLibrary : public testing::Test {
 protected:
  void SetUp() override {
    library_ = dlopen(KVSCOPE_CUDA_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library_, nullptr) << dlerror();
    make_ = reinterpret_cast<decltype(make_)>(dlsym(library_, "kvscope_make_cuda_ops"));
    ASSERT_NE(make_, nullptr) << dlerror();
  }

  void* library_ = nullptr;
  Ops* (*make_)(const char*, int, std::string*) = nullptr;
};

TEST_F(CudaLibrary, MakesOpsOrSaysWhyNot) {
  std::string why_not;
  const std::unique_ptr<Ops> ops(make_(kVersion, 0, &why_not));
  if (ops == nullptr) {
    EXPECT_NE(why_not, "");
  } else {
    EXPECT_EQ(ops->name(), "cuda");
  }
}

TEST_F(CudaLibrary, RefusesAnotherVersion) {
  std::string why_not;
  EXPECT_EQ(make_("0.0.0", 0, &why_not), nullptr);
  EXPECT_EQ(why_not, std::string("the library is of KVScope ") + kVersion);
}

}  // namespace
}  // namespace kvscope::inference
