#include "services/metrics/estimate/correlation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "services/metrics/estimate/random.h"

namespace kvscope::metrics {
namespace {

using ::testing::DoubleNear;
using ::testing::HasSubstr;
using ::testing::Optional;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr CorrelationKind kKinds[] = {CorrelationKind::kPearson, CorrelationKind::kSpearman};

struct Data {
  std::vector<int32_t> passage;
  std::vector<double> x, y;
};

// `each` answers a passage; y follows x; `repeat` times the same answer.
Data Correlated(int passages, int each, int repeat) {
  Data data;
  Random random(6);
  for (int g = 0; g < passages; ++g) {
    for (int i = 0; i < each; ++i) {
      const double x = random.Below(1000), y = x / 2 + random.Below(1000);
      for (int r = 0; r < repeat; ++r) {
        data.passage.push_back(g);
        data.x.push_back(x);
        data.y.push_back(y);
      }
    }
  }
  return data;
}

TEST(CorrelateAnswers, IndependentAnswersAreNearFisher) {
  const Data data = Correlated(300, 1, 1);
  for (const CorrelationKind kind : kKinds) {
    const Estimate plain = *CorrelatePairs(data.x, data.y, kind);
    const Estimate clustered = *CorrelateAnswers({data.passage, 300}, data.x, data.y, kind);
    EXPECT_THAT(clustered.value, Optional(DoubleNear(*plain.value, 1e-12)));
    const double width = *plain.high - *plain.low;
    EXPECT_NEAR(*clustered.high - *clustered.low, width, 0.15 * width);
  }
}

TEST(CorrelateAnswers, RepeatedAnswersTellNothingNew) {
  const Data once = Correlated(60, 1, 1), often = Correlated(60, 1, 10);
  for (const CorrelationKind kind : kKinds) {
    const Estimate of_once = *CorrelateAnswers({once.passage, 60}, once.x, once.y, kind);
    const Estimate of_often = *CorrelateAnswers({often.passage, 60}, often.x, often.y, kind);
    EXPECT_NEAR(*of_once.low, *of_often.low, 1e-9);
    EXPECT_NEAR(*of_once.high, *of_often.high, 1e-9);
    const Estimate plain = *CorrelatePairs(often.x, often.y, kind);
    EXPECT_LT(*plain.high - *plain.low, 0.5 * (*of_often.high - *of_often.low));
  }
}

TEST(CorrelateAnswers, NotesWhereThereIsNothingToCorrelate) {
  const std::vector<int32_t> passage = {0, 1, 2, 3, 4};
  const std::vector<double> x = {1, 2, 3, 4, 5}, flat = {7, 7, 7, 7, 7};
  for (const CorrelationKind kind : kKinds) {
    const Estimate constant = *CorrelateAnswers({passage, 5}, x, flat, kind);
    EXPECT_EQ(constant.value, std::nullopt);
    EXPECT_THAT(constant.note, HasSubstr("does not vary"));
    const Estimate line = *CorrelateAnswers({passage, 5}, x, x, kind);
    EXPECT_THAT(line.value, Optional(DoubleNear(1, 1e-12)));
    EXPECT_EQ(line.low, std::nullopt);
    EXPECT_THAT(line.note, HasSubstr("one line"));
    const Estimate few =
        *CorrelateAnswers({passage, 5}, x, std::vector<double>{1, kNan, 2, 1, kNan}, kind);
    EXPECT_EQ(few.value, std::nullopt);
    EXPECT_EQ(few.note, "3 pairs: a correlation needs at least 4");
    const std::vector<int32_t> same(5, 0);
    const Estimate one = *CorrelateAnswers({same, 1}, x, std::vector<double>{1, 3, 2, 5, 4}, kind);
    EXPECT_THAT(one.value, Optional(DoubleNear(0.8, 1e-12)));
    EXPECT_EQ(one.low, std::nullopt);
    EXPECT_EQ(one.note, "one passage: no interval");
  }
  EXPECT_FALSE(CorrelateAnswers({passage, 5}, x, std::vector<double>{1}, kKinds[0]).ok());
  EXPECT_FALSE(CorrelatePairs(x, std::vector<double>{1}, kKinds[0]).ok());
}

TEST(CorrelateCells, CorrelatesMeansOverPassages) {
  // Five cells whose means are x = 0 .. 4 and y = 1, 0, 3, 2, 4 in every passage, plus noise.
  const double y_means[] = {1, 0, 3, 2, 4};
  Data data;
  std::vector<int32_t> cell;
  Random random(3);
  for (int g = 0; g < 40; ++g) {
    for (int c = 0; c < 5; ++c) {
      data.passage.push_back(g);
      cell.push_back(c);
      data.x.push_back(c);
      data.y.push_back(y_means[c] + random.Below(2) - 0.5);
    }
  }
  const CellCorrelation result = *CorrelateCells({data.passage, 40}, cell, 7, data.x, data.y);
  EXPECT_EQ(result.cells, 5);  // cells 5 and 6 have no answers
  EXPECT_NEAR(*result.pearson.value, 0.8, 0.05);
  EXPECT_THAT(result.spearman.value, Optional(DoubleNear(0.8, 1e-9)));
  EXPECT_LT(*result.pearson.low, *result.pearson.value);
  EXPECT_GT(*result.pearson.high, *result.pearson.value);
  EXPECT_EQ(result.pearson.passages, 40);
}

TEST(CorrelateCells, TooFewCells) {
  const std::vector<int32_t> passage = {0, 1, 2}, cell = {0, 1, 2};
  const std::vector<double> x = {1, 2, 3};
  const CellCorrelation result = *CorrelateCells({passage, 3}, cell, 3, x, x);
  EXPECT_EQ(result.pearson.value, std::nullopt);
  EXPECT_THAT(result.spearman.note, HasSubstr("3 pairs"));
  const std::vector<int32_t> outside = {0, 1, 3};
  EXPECT_THAT(CorrelateCells({passage, 3}, outside, 3, x, x).status().message(),
              HasSubstr("cell: 3 is outside [0, 3)"));
  EXPECT_THAT(CorrelateCells({passage, 3}, cell, 1 << 30, x, x).status().message(),
              HasSubstr("cells: 1073741824 is outside"));
}

}  // namespace
}  // namespace kvscope::metrics
