// What the backend asks of its device: an equal step costs an update of a graph, an equal array no
// second copy.
#include <vector>

#include "gtest/gtest.h"
#include "tests/inference/cuda_emulation/emulation.h"
#include "tests/inference/ops/fixture.h"

namespace kvscope::inference {
namespace {

using cuda_emulation::Count;
using cuda_emulation::Counts;

TEST(Economy, AnEqualStepUpdatesTheGraphOfTheLast) {
  Bench bench("cuda");
  Ops& ops = bench.ops();
  Random random(1);
  const Tensor x = bench.Put(random.Normals({4, 8})), y = bench.Put(random.Normals({4, 8}));
  const auto step = [&](int adds, const Tensor& to) {
    const Counts before = Count();
    ops.BeginStep();
    for (int i = 0; i < adds; ++i) ops.Add(to, y);
    bench.Get(to);
    const Counts after = Count();
    return std::vector<int>{after.graphs_built - before.graphs_built,
                            after.graphs_updated - before.graphs_updated};
  };
  EXPECT_EQ(step(2, x), (std::vector<int>{1, 0}));
  EXPECT_EQ(step(2, x), (std::vector<int>{0, 1}));
  EXPECT_EQ(step(2, bench.Put(random.Normals({4, 8}))), (std::vector<int>{0, 1}));
  EXPECT_EQ(step(3, x), (std::vector<int>{1, 0}));
}

// A step that brings a quarter of what the ring of arguments holds: no step waits amid its ops for
// the ring, which would cut its graph in two.
TEST(Economy, AStepIsOneGraphWhereverItsArraysLie) {
  constexpr int kRows = 100'000;
  Bench bench("cuda");
  Ops& ops = bench.ops();
  Random random(1);
  const Tensor x = bench.Put(random.Normals({4, 1})), y = bench.New({kRows, 1});
  std::vector<int32_t> rows(kRows);
  ops.Rows(x, rows, y);  // makes the ring
  const Counts before = Count();
  for (int step = 0; step < 12; ++step) {
    ops.BeginStep();
    for (int layer = 0; layer < 3; ++layer) {
      rows[static_cast<size_t>(step * 3 + layer)] = 1 + layer;  // unlike the arrays before
      ops.Rows(x, rows, y);
    }
    bench.Get(y);
  }
  EXPECT_EQ(Count().graphs_built - before.graphs_built, 1);
  EXPECT_EQ(Count().graphs_updated - before.graphs_updated, 11);
}

TEST(Economy, AnArrayOfEachLayerIsCopiedOnce) {
  Bench bench("cuda");
  Ops& ops = bench.ops();
  Random random(1);
  const Tensor x = bench.Put(random.Normals({3, 2, 8})), cache = bench.New({4, 2, 9, 8});
  std::vector<int32_t> slots = {0, 1, 3}, positions = {4, 2, 8};
  const auto copies = [&] {
    const int before = Count().copies;
    ops.StoreKv(x, slots, positions, cache);
    return Count().copies - before;
  };
  EXPECT_EQ(copies(), 2);
  EXPECT_EQ(copies(), 0);
  positions[1] = 3;
  EXPECT_EQ(copies(), 1);
  // The ring is used up many times: what lay there is not taken for what lies there now.
  for (int i = 0; i < 3000; ++i) {
    slots[0] = i % 3 == 0 ? 2 : 0;
    positions[0] = i % 9;
    positions[2] = i % 7;
    ops.StoreKv(x, slots, positions, cache);
    if (i % 100 != 0) continue;
    const std::vector<float> host = bench.Get(cache), from = bench.Get(x);
    const size_t at = (static_cast<size_t>(slots[0]) * 2 * 9 + static_cast<size_t>(i % 9)) * 8;
    ASSERT_EQ(host[at], from[0]) << i;
  }
}

}  // namespace
}  // namespace kvscope::inference
