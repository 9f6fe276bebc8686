// What a device beside the host does in its own time: steps that are started as one, copies to the
// host that run beside later ops, memory that is kept. Backends on the host do it at once.
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/inference/ops/fixture.h"

namespace kvscope::inference {
namespace {

class StepsTest : public testing::TestWithParam<std::string> {
 protected:
  Bench bench_{GetParam()};
  Ops& ops_ = bench_.ops();
  Random random_{5};
};

// Steps of several sizes, as decoding makes them: each token is the argmax after the one before.
TEST_P(StepsTest, AStepGivesWhatItsOpsGive) {
  constexpr int64_t kWidth = 24, kVocab = 50;
  const Tensor table = bench_.Put(random_.Normals({kVocab, kWidth}));
  const auto linear = ops_.Pack(random_.Normals({kVocab, kWidth}), Tensor(), DType::kFloat32);
  const auto decode = [&](bool in_steps) {
    std::vector<int32_t> said, ids = {3, 14, 15, 9, 26};
    for (const size_t rows : {5, 5, 5, 2, 2, 4, 1}) {
      ids.resize(rows, 7);
      const Tensor x = bench_.New({static_cast<int64_t>(rows), kWidth});
      const Tensor logits = bench_.New({static_cast<int64_t>(rows), kVocab});
      if (in_steps) ops_.BeginStep();
      ops_.Embed(table, ids, x);
      for (int layer = 0; layer < 3; ++layer) ops_.Add(x, x);
      ops_.Linear(*linear, x, logits);
      ops_.Argmax(logits, ids);
      said.insert(said.end(), ids.begin(), ids.end());
    }
    return said;
  };
  EXPECT_EQ(decode(true), decode(false));
}

TEST_P(StepsTest, AStepThatIsLeftIsDoneBeforeTheNextCopy) {
  const Tensor x = bench_.Put(random_.Normals({4, 8}));
  const std::vector<float> before = bench_.Get(x);
  ops_.BeginStep();
  ops_.Add(x, x);
  ops_.BeginStep();
  ops_.Add(x, x);
  const std::vector<float> after = bench_.Get(x);
  for (size_t i = 0; i < after.size(); ++i) EXPECT_EQ(after[i], 4 * before[i]);
}

TEST_P(StepsTest, MemoryThatIsFreedInAStepServesItsOps) {
  const Tensor x = bench_.Put(random_.Normals({4, 8}));
  const std::vector<float> before = bench_.Get(x);
  for (int step = 0; step < 3; ++step) {
    Tensor half = bench_.New({4, 8});
    ops_.BeginStep();
    ops_.Columns(x, 0, half);
    ops_.Add(x, half);
    half = Tensor();
    ops_.Add(x, x);
    const std::vector<float> after = bench_.Get(x);
    const float factor = std::pow(4.0f, static_cast<float>(step + 1));
    for (size_t i = 0; i < after.size(); ++i) ASSERT_EQ(after[i], factor * before[i]);
  }
}

TEST_P(StepsTest, CopiesToTheHostTakeWhatWasThere) {
  constexpr int64_t kSize = 5000;
  const Tensor x = bench_.Put(random_.Normals({1, kSize})),
               y = bench_.Put(random_.Normals({kSize}));
  const std::vector<float> once = bench_.Get(x);
  const Tensor host = ops_.AllocateForCopies(DType::kFloat32, {kSize});
  ops_.Add(x, x);  // before the copy
  const std::function<void()> wait = ops_.StartToHost(x, host.data());
  for (int i = 0; i < 3; ++i) ops_.Add(y, y);  // beside it
  wait();
  for (int64_t i = 0; i < kSize; ++i) {
    ASSERT_EQ(host.f32()[i], 2 * once[static_cast<size_t>(i)]) << i;
  }
  ops_.Add(x, x);  // after it: the host's copy stays
  bench_.Get(x);
  EXPECT_EQ(host.f32()[0], 2 * once[0]);
}

TEST_P(StepsTest, MemoryIsCountedAndKept) {
  constexpr int64_t kBytes = 8 << 20;
  EXPECT_TRUE(ops_.ReserveMemory(kBytes));
  const auto before = ops_.memory();
  if (!before.has_value()) GTEST_SKIP() << GetParam() << " uses the host's memory";
  EXPECT_GT(before->total, 0);
  EXPECT_GE(before->free, kBytes);
  {
    const Tensor tensor = ops_.Allocate(DType::kFloat32, {kBytes / 4});
    EXPECT_LE(ops_.memory()->free, before->free - kBytes);
  }
  EXPECT_EQ(ops_.memory()->free, before->free);
  EXPECT_FALSE(ops_.ReserveMemory(before->total + 1));
  EXPECT_EQ(ops_.memory()->free, before->free);
}

INSTANTIATE_TEST_SUITE_P(Devices, StepsTest, testing::ValuesIn(UsableDevices()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace kvscope::inference
