// Every budget by hand, and what all budgets of the registry promise.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "services/inference/budgets/budget.h"
#include "services/inference/budgets/top_k.h"

namespace kvscope::inference {
namespace {

using ::testing::ElementsAre;

const BudgetInfo& Info(std::string_view name) {
  const auto found = std::find_if(Budgets().begin(), Budgets().end(),
                                  [&](const BudgetInfo* info) { return info->name == name; });
  EXPECT_NE(found, Budgets().end()) << name;
  return **found;
}

RowMatrix ToMatrix(const std::vector<std::vector<float>>& rows) {
  RowMatrix matrix(rows.size(), rows[0].size());
  for (size_t i = 0; i < rows.size(); ++i) {
    std::copy(rows[i].begin(), rows[i].end(), matrix.row(i).data());
  }
  return matrix;
}

KeepSet KeepOneLayer(const Budget& budget, const RowMatrix& scores, double ratio) {
  KeepSet kept(1, scores.rows(), scores.cols());
  budget.Keep({scores.data(), scores.rows(), scores.cols()}, 0, ratio, kept);
  return kept;
}

// The kept tokens of each head.
std::vector<std::vector<int>> Kept(const KeepSet& set) {
  std::vector<std::vector<int>> heads(set.kv_heads());
  for (int head = 0; head < set.kv_heads(); ++head) {
    for (int token = 0; token < set.tokens(); ++token) {
      if (set.kept(0, head, token)) heads[head].push_back(token);
    }
  }
  return heads;
}

std::vector<std::vector<int>> Kept(std::string_view budget, const ParameterValues& values,
                                   const std::vector<std::vector<float>>& scores, double ratio) {
  return Kept(KeepOneLayer(*Info(budget).make(values), ToMatrix(scores), ratio));
}

TEST(KeptCount, CountsAsTheOracle) {
  std::ifstream file(KVSCOPE_SOURCE_DIR "/tests/golden/metrics/n_kept.json");
  const auto golden = nlohmann::json::parse(file);
  const auto ratios = golden["ratios"].get<std::vector<double>>();
  ASSERT_GT(golden["rows"].size(), 100u);
  for (const auto& row : golden["rows"]) {
    const auto counts = row.get<std::vector<int>>();
    ASSERT_EQ(counts.size(), ratios.size() + 1);
    for (size_t i = 0; i < ratios.size(); ++i) {
      EXPECT_EQ(KeptCount(counts[0], ratios[i]), std::max(1, counts[i + 1]))
          << counts[0] << " tokens, ratio " << ratios[i];
    }
  }
}

TEST(KeptCount, Truncates) {
  EXPECT_EQ(KeptCount(240, 0.9), 23);  // 1 - 0.9 is below 0.1
  EXPECT_EQ(KeptCount(240, 0), 240);
  EXPECT_EQ(KeptCount(3, 0.99), 1);
}

TEST(Uniform, KeepsTheBestOfEachHead) {
  EXPECT_THAT(Kept("uniform", {}, {{1, 4, 2, 3}, {9, 9, 9, 9}}, 0.5),
              ElementsAre(ElementsAre(1, 3), ElementsAre(0, 1)));
}

TEST(Chunk, RoundsInEveryChunk) {
  // Chunks of 3, 3 and 1 tokens: int(3 · 0.5) = 1 each, and the floor of 1 for the last.
  EXPECT_THAT(Kept("chunk", {3}, {{1, 2, 3, 9, 8, 7, 0}}, 0.5), ElementsAre(ElementsAre(2, 3, 6)));
}

TEST(Chunk, AsksForScoresOfEveryChunk) {
  EXPECT_EQ(Info("chunk").make({64})->score_span_tokens(), 64);
  EXPECT_EQ(Info("uniform").make({})->score_span_tokens(), 0);
  EXPECT_EQ(Info("adakv").make({0.2})->score_span_tokens(), 0);
}

TEST(AdaKv, LetsTheBetterHeadKeepMore) {
  // 2 heads · 5 pairs; each is sure of max(1, int(5 · 0.2)) = 1.
  EXPECT_THAT(Kept("adakv", {0.2},
                   {{0, 0, 0, 0, 1, 0, 0, 0, 0, 0}, {11, 12, 13, 14, 15, 16, 17, 18, 19, 20}}, 0.5),
              ElementsAre(ElementsAre(4), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9)));
}

TEST(AdaKv, SafeguardGrowsWithItsShare) {
  EXPECT_THAT(Kept("adakv", {0.5}, {{0, 1, 2, 3, 4, 5, 6, 7}, {9, 9, 9, 9, 9, 9, 9, 9}}, 0.5),
              ElementsAre(ElementsAre(6, 7), ElementsAre(0, 1, 2, 3, 4, 5)));
  EXPECT_THAT(Kept("adakv", {1}, {{0, 1, 2, 3}, {9, 9, 9, 9}}, 0.5),
              ElementsAre(ElementsAre(2, 3), ElementsAre(0, 1)));
}

TEST(AdaKv, SafeguardIsAtLeastOnePairUnlessItIsZero) {
  EXPECT_THAT(Kept("adakv", {0.001}, {{0, 1, 2, 3}, {9, 9, 9, 9}}, 0.5),
              ElementsAre(ElementsAre(3), ElementsAre(0, 1, 2)));
  EXPECT_THAT(Kept("adakv", {0}, {{0, 1, 2, 3}, {9, 9, 9, 9}}, 0.5),
              ElementsAre(ElementsAre(), ElementsAre(0, 1, 2, 3)));
}

TEST(AdaKv, GivesTiesToTheLowerHeadThenTheEarlierToken) {
  EXPECT_THAT(Kept("adakv", {0.2}, {{5, 5, 5, 5}, {5, 5, 5, 5}}, 0.5),
              ElementsAre(ElementsAre(0, 1, 2), ElementsAre(0)));
}

TEST(AdaKv, LeavesItsScoresAlone) {
  const RowMatrix scores = ToMatrix({{0, 1, 2, 3}, {9, 8, 7, 6}});
  const RowMatrix before = scores;
  KeepOneLayer(*Info("adakv").make({0.2}), scores, 0.5);
  EXPECT_EQ(scores, before);
}

// What every budget of the registry promises.
class AnyBudget : public ::testing::TestWithParam<const BudgetInfo*> {
 protected:
  std::unique_ptr<Budget> Default() const {
    ParameterValues values;
    for (const ParameterInfo& info : GetParam()->parameters) {
      values.push_back(std::stod(std::string(info.default_value)));
    }
    return GetParam()->make(values);
  }

  static RowMatrix Draw(int heads, int tokens, int distinct) {
    std::mt19937 generator(tokens);
    RowMatrix scores(heads, tokens);
    for (float& score : scores.reshaped()) score = static_cast<float>(generator() % distinct);
    return scores;
  }
};

TEST_P(AnyBudget, KeepsTheCountedShareAndNoHeadEmpty) {
  const auto budget = Default();
  for (const int tokens : {1, 2, 63, 64, 240, 1000}) {
    const RowMatrix scores = Draw(3, tokens, 10);
    for (const double ratio : {0.05, 0.3, 0.5, 0.9, 0.99}) {
      const KeepSet kept = KeepOneLayer(*budget, scores, ratio);
      EXPECT_EQ(kept.kept_count(), 3 * KeptCount(tokens, ratio)) << tokens << " at " << ratio;
      EXPECT_EQ(kept.empty_heads(), 0) << tokens << " at " << ratio;
    }
  }
}

TEST_P(AnyBudget, KeepsLessAndLessAsTheRatioGrows) {
  const auto budget = Default();
  const RowMatrix scores = Draw(4, 500, 1 << 30);
  KeepSet larger = KeepSet::Everything(1, 4, 500);
  for (const double ratio : {0.1, 0.2, 0.35, 0.5, 0.75, 0.9, 0.97}) {
    const KeepSet kept = KeepOneLayer(*budget, scores, ratio);
    for (int head = 0; head < 4; ++head) {
      for (int word = 0; word < kept.words(); ++word) {
        EXPECT_EQ(kept.row(0, head)[word] & ~larger.row(0, head)[word], 0u) << ratio;
      }
    }
    larger = kept;
  }
}

TEST_P(AnyBudget, MarksItsLayerOnly) {
  const RowMatrix scores = Draw(2, 100, 100);
  KeepSet kept(3, 2, 100);
  Default()->Keep({scores.data(), 2, 100}, 1, 0.5, kept);
  EXPECT_EQ(kept.kept_count(0, 0) + kept.kept_count(0, 1), 0);
  EXPECT_EQ(kept.kept_count(1, 0) + kept.kept_count(1, 1), 100);
  EXPECT_EQ(kept.kept_count(2, 0) + kept.kept_count(2, 1), 0);
}

INSTANTIATE_TEST_SUITE_P(Registry, AnyBudget, ::testing::ValuesIn(Budgets()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace kvscope::inference
