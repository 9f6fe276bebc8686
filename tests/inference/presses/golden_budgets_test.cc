// Budgets on kvpress's own scores: the same numbers must give the same keep sets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "services/inference/presses/apply.h"
#include "tests/inference/presses/golden_cases.h"

namespace kvscope::inference {
namespace {

class GoldenBudgets : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenBudgets, CutWhatKvpressCuts) {
  const std::vector<std::string> files = GoldenFiles(GetParam());
  for (const GoldenPress& golden_press : GoldenPresses()) {
    if (std::find(files.begin(), files.end(), golden_press.name) == files.end()) continue;
    const GoldenCase golden = ReadGoldenCase(GetParam(), golden_press);
    const Press press = *ParsePress(golden.expression, 0);
    EXPECT_EQ(golden.cuts.size(), 5u) << golden.name;
    if (golden.scores.layers() == 0) continue;  // streaming_llm: scores that know the ratio
    const std::vector<float> exact(golden.scores.layers(), 0.0f);
    for (const GoldenCut& cut : golden.cuts) {
      SCOPED_TRACE(golden.name + " at " + std::to_string(cut.ratio));
      const KeepSet kept = Keep(press, golden.scores, cut.ratio);
      EXPECT_EQ(kept.kept_count(), cut.kept.kept_count());
      if (!cut.ties) {
        EXPECT_EQ(kept, cut.kept);
      }
      ExpectSameKeepSet(kept, cut, golden, exact);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenBudgets, ::testing::ValuesIn(GoldenModels()),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(GoldenPresses, CoverEveryFile) {
  std::set<std::string> known;
  for (const GoldenPress& press : GoldenPresses()) known.insert(press.name);
  for (const std::string& model : GoldenModels()) {
    EXPECT_THAT(GoldenFiles(model), ::testing::Not(::testing::IsEmpty())) << model;
    for (const std::string& file : GoldenFiles(model)) {
      EXPECT_TRUE(known.contains(file)) << model << "/" << file << " has no press here";
    }
  }
}

TEST(GoldenPresses, CoverEveryScorerAndBudget) {
  std::string all;
  for (const GoldenPress& press : GoldenPresses()) all += std::string(press.expression) + "\n";
  for (const ScorerInfo* info : Scorers()) {
    EXPECT_THAT(all, ::testing::HasSubstr(std::string(info->name)));
  }
  for (const BudgetInfo* info : Budgets()) {
    if (info == Budgets().front()) continue;  // uniform: every bare scorer
    EXPECT_THAT(all, ::testing::HasSubstr(std::string(info->name) + "("));
  }
}

}  // namespace
}  // namespace kvscope::inference
