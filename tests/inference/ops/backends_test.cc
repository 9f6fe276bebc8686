#include "services/inference/ops/backends.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvscope::inference {
namespace {

TEST(MakeOps, MakesEveryListedDevice) {
  for (const std::string_view device : Devices()) {
    auto ops = MakeOps(device);
    if (absl::IsUnavailable(ops.status())) continue;  // this machine lacks it
    ASSERT_TRUE(ops.ok()) << ops.status();
    EXPECT_EQ((*ops)->name(), device);
  }
  EXPECT_TRUE(MakeOps("auto").ok());
}

TEST(MakeOps, SaysWhyADeviceIsOff) {
  const auto ops = MakeOps("cuda");
  if (ops.ok()) GTEST_SKIP() << "this machine has one";
  EXPECT_EQ(ops.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(ops.status().message()),
              testing::MatchesRegex("the device cuda is off: .+"));
}

TEST(MakeOps, NamesTheAllowedDevices) {
  const auto ops = MakeOps("tpu");
  EXPECT_EQ(ops.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(
      std::string(ops.status().message()),
      testing::AllOf(testing::HasSubstr("'tpu'"), testing::HasSubstr("cuda, cpu, reference")));
}

TEST(Upload, KeepsTheContent) {
  for (const std::string_view device : Devices()) {
    auto ops = MakeOps(device);
    if (!ops.ok()) continue;
    const Tensor host = AllocateHost(DType::kFloat32, {2});
    host.f32()[0] = 1;
    host.f32()[1] = 2;
    float back[2];
    (*ops)->ToHost((*ops)->Upload(host), back);
    EXPECT_EQ(back[1], 2);
  }
}

}  // namespace
}  // namespace kvscope::inference
