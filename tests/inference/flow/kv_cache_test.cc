#include "services/inference/flow/kv_cache.h"

#include <vector>

#include "gtest/gtest.h"
#include "services/inference/ops/reference/reference_ops.h"

namespace kvscope::inference {
namespace {

TEST(KvCache, HoldsAContextOrSuffixes) {
  const std::unique_ptr<Ops> ops = MakeReferenceOps();
  const KvCache context = KvCache::Context(*ops, 3, 2, 10, 4);
  EXPECT_EQ(context.layers(), 3);
  EXPECT_EQ(context.capacity(), 10);
  EXPECT_EQ(context.keys(2).shape(), (std::vector<int64_t>{2, 10, 4}));
  EXPECT_NE(context.keys(0).data(), context.values(0).data());
  EXPECT_EQ(static_cast<int64_t>(context.size_bytes()), 10 * KvBytesPerToken(3, 2, 4));

  const KvCache suffixes = KvCache::Suffixes(*ops, 1, 5, 2, 7, 4);
  EXPECT_EQ(suffixes.slots(), 5);
  EXPECT_EQ(suffixes.values(0).shape(), (std::vector<int64_t>{5, 2, 7, 4}));
}

}  // namespace
}  // namespace kvscope::inference
