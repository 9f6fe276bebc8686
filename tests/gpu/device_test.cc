// Says why no suite of this program runs, where none does.
#include <iostream>

#include "gtest/gtest.h"
#include "services/inference/ops/backends.h"

namespace kvscope::inference {
namespace {

TEST(Device, IsThere) {
  const auto ops = MakeOps("cuda");
  if (!ops.ok()) GTEST_SKIP() << ops.status().message();
  const auto memory = (*ops)->memory();
  ASSERT_TRUE(memory.has_value());
  std::cout << "memory of the device: " << (memory->total >> 20) << " MiB, " << (memory->free >> 20)
            << " MiB free\n";
}

}  // namespace
}  // namespace kvscope::inference
