#include "services/inference/flow/capture.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace kvscope::inference {
namespace {

// 3 tokens, capacity 4, 2 KV heads, 4 query heads, head_dim 2; every number tells where it lies.
class LayerViewTest : public ::testing::Test {
 protected:
  LayerViewTest() : keys_(2 * 4 * 2), values_(2 * 4 * 2), queries_(3 * 4 * 2) {
    std::iota(keys_.begin(), keys_.end(), 0);
    std::iota(values_.begin(), values_.end(), 100);
    std::iota(queries_.begin(), queries_.end(), 200);
    view_ = {.layer = 1,
             .layers = 2,
             .tokens = 3,
             .first_token = 0,
             .sequence_tokens = 3,
             .q_heads = 4,
             .kv_heads = 2,
             .head_dim = 2,
             .keys_data = keys_.data(),
             .values_data = values_.data(),
             .queries_data = queries_.data(),
             .capacity = 4,
             .rope = nullptr};
  }

  std::vector<float> keys_, values_, queries_;
  LayerView view_;
};

TEST_F(LayerViewTest, ShowsOneHeadAsAMatrix) {
  EXPECT_EQ(view_.group(), 2);
  EXPECT_EQ(view_.keys(1).rows(), 3);
  EXPECT_EQ(view_.keys(1)(0, 0), 8);  // heads are `capacity` tokens apart, not `tokens`
  EXPECT_EQ(view_.keys(1)(2, 1), 13);
  EXPECT_EQ(view_.values(0)(1, 0), 102);
  EXPECT_EQ(view_.queries(3)(0, 0), 206);  // queries are token-major
  EXPECT_EQ(view_.queries(3)(2, 1), 223);
}

TEST_F(LayerViewTest, SliceShowsItsTokensAsTheWholeContext) {
  const LayerView slice = view_.Slice(1, 3).Slice(1, 2);
  EXPECT_EQ(slice.tokens, 1);
  EXPECT_EQ(slice.first_token, 2);
  EXPECT_EQ(slice.sequence_tokens, 3);
  EXPECT_EQ(slice.keys(1).rows(), 1);
  EXPECT_EQ(slice.keys(1)(0, 0), view_.keys(1)(2, 0));
  EXPECT_EQ(slice.values(0)(0, 1), view_.values(0)(2, 1));
  EXPECT_EQ(slice.queries(2)(0, 1), view_.queries(2)(2, 1));
}

TEST_F(LayerViewTest, SliceLeavesAbsentDataAbsent) {
  view_.queries_data = nullptr;
  EXPECT_EQ(view_.Slice(1, 2).queries_data, nullptr);
}

}  // namespace
}  // namespace kvscope::inference
