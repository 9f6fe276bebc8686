#include "services/metrics/graph/reroute.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <climits>

#include "tests/metrics/packed_bits.h"

namespace kvscope::metrics {
namespace {

using ::testing::DoubleEq;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// `rows`: one string a (layer, KV head), layer-major.
absl::StatusOr<std::vector<std::optional<LayerReroute>>> Measure(
    const TopTokens& top, int layers, const std::vector<std::string_view>& rows) {
  const std::vector<uint8_t> bytes = PackRows(rows);
  return MeasureReroute(top, KeepBits::Make(layers, static_cast<int>(rows.size()) / layers,
                                            static_cast<int>(rows.front().size()), bytes)
                                 .value());
}

TEST(Reroute, CountsTheHeadsWhoseConsensusTokenIsGone) {
  // Query heads 0 and 1 read KV head 0, heads 2 and 3 KV head 1.
  const std::vector<int32_t> ids = {2, 2, 2, 0,  //
                                    1, 1, 1, 1,  //
                                    3, 3, 3, 0};
  const auto layers = Measure({1, 3, 4, ids}, 3,
                              {"1101", "1101",   // token 2 is gone everywhere
                               "0010", "0110",   // token 1 survives in KV head 1
                               "0001", "0001"})  // token 3 survives, token 0 does not
                          .value();
  ASSERT_THAT(layers, SizeIs(3));
  EXPECT_EQ(layers[0]->consensus_token, 2);
  EXPECT_THAT(layers[0]->rho, DoubleEq(0.75));
  EXPECT_THAT(layers[0]->must_reroute, DoubleEq(0.75));
  EXPECT_THAT(layers[0]->lost_top, DoubleEq(0.75));
  EXPECT_THAT(layers[1]->rho, DoubleEq(1));
  EXPECT_THAT(layers[1]->must_reroute, DoubleEq(0.5));
  EXPECT_THAT(layers[2]->must_reroute, DoubleEq(0));
  EXPECT_THAT(layers[2]->lost_top, DoubleEq(0.25));
}

TEST(Reroute, OfEquallyPopularTokensTheEarlierCounts) {
  const std::vector<int32_t> ids = {3, 1, 1, 3};
  const auto layers = Measure({1, 1, 4, ids}, 1, {"1110", "1110"}).value();
  EXPECT_EQ(layers[0]->consensus_token, 1);
  EXPECT_THAT(layers[0]->must_reroute, DoubleEq(0));
  EXPECT_THAT(layers[0]->lost_top, DoubleEq(0.5));
}

TEST(Reroute, HeadsWithoutATokenStayInTheDenominator) {
  const std::vector<int32_t> ids = {-1, -1, -1, 2, /**/ -1, -1, -1, -1};
  const auto layers = Measure({1, 2, 4, ids}, 2, {"000", "000", "111", "111"}).value();
  EXPECT_THAT(layers[0]->rho, DoubleEq(0.25));
  EXPECT_THAT(layers[0]->must_reroute, DoubleEq(0.25));
  EXPECT_EQ(layers[1], std::nullopt);
}

TEST(Reroute, WithoutARowThereIsNothingToSay) {
  EXPECT_THAT(Measure({0, 0, 0, {}}, 1, {"1"}).value(), IsEmpty());
}

TEST(Reroute, RefusesWhatDoesNotFit) {
  const auto error = [](const TopTokens& top) {
    return std::string(Measure(top, 1, {"111", "111"}).status().message());
  };
  const std::vector<int32_t> ids = {0, 1, 2, 0};
  EXPECT_EQ(error({1, 1, 4, ids}), "");
  EXPECT_THAT(error({2, 1, 2, ids}), HasSubstr("steps 2"));
  EXPECT_THAT(error({1, 2, 2, ids}), HasSubstr("layers 2"));
  EXPECT_THAT(error({1, 1, 2, ids}), HasSubstr("of 4 ids"));
  EXPECT_THAT(error({1, 1, 0, {}}), HasSubstr("q_heads 0"));
  EXPECT_THAT(error({1, 1, INT_MIN, ids}), HasSubstr("q_heads -2147483648"));
  EXPECT_THAT(error({0, 0, 0, ids}), HasSubstr("steps 0"));
  EXPECT_THAT(error({1, 1, 3, std::span(ids).first(3)}), HasSubstr("2 KV heads"));
  EXPECT_THAT(error({1, 1, 4, std::vector<int32_t>{0, 1, 2, 3}}), HasSubstr("id 3 was found"));
  EXPECT_THAT(error({1, 1, 4, std::vector<int32_t>{0, 1, 2, -2}}), HasSubstr("id -2"));
}

}  // namespace
}  // namespace kvscope::metrics
