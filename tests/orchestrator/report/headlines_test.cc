#include "services/orchestrator/report/headlines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/orchestrator/report/press_ranking.h"
#include "tests/orchestrator/report/finding_input.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

const std::string kLong = kChunk;

void AddComparison(const std::string& press, const std::string& against, double ratio,
                   double difference, double p, ReportInput& input) {
  input.statistics.comparisons.push_back(
      {.press = press,
       .against = against,
       .ratio = ratio,
       .difference = difference,
       .interval = ReportInterval{difference - 0.02, difference + 0.02},
       .p = p / 10,
       .p_corrected = p});
}

// AdaKV keeps 0.8, chunk 0.7 and random 0.2 at the harsh ratios.
ReportInput ThreePresses() {
  ReportInput input;
  const auto add = [&](const std::string& press, double f1) {
    AddCurve(
        {"base", "agnostic", press}, [=](double ratio) { return ratio < 0.5 ? 0.9 : f1; }, input);
  };
  add(kAdaKv, 0.8);
  add(kChunk, 0.7);
  add("random", 0.2);
  return input;
}

TEST(Headlines, NameTheBestPressWithItsTests) {
  ReportInput input = ThreePresses();
  AddComparison(kAdaKv, kChunk, 0.5, 0.08, 0.001, input);
  AddComparison(kChunk, kAdaKv, 0.7, -0.10, 0.002, input);  // the other way round
  AddComparison(kAdaKv, kChunk, 0.9, 0.12, 0.3, input);
  AddComparison(kAdaKv, kChunk, 0.1, -0.5, 0.001, input);  // not harsh
  EXPECT_THAT(
      Headlines(input),
      Contains("adakv(expected_attention) is the best press: mean F1 0.800 over ratios 0.5 to "
               "0.9, before " +
               kLong +
               " with 0.700. Of 3 paired tests over all data it wins 2, loses 0, and 1 is "
               "undecided. The median difference: 0.100 (0.080 to 0.120), corrected p 0.002, "
               "at ratio 0.7."));
}

TEST(Headlines, CallALeadUncertainWithoutTests) {
  EXPECT_THAT(Headlines(ThreePresses()),
              Contains("adakv(expected_attention) leads, which is not certain: mean F1 0.800 over "
                       "ratios 0.5 to 0.9, before " +
                       kLong + " with 0.700. No paired test of the two was calculated."));
  ReportInput input = ThreePresses();
  AddComparison(kAdaKv, kChunk, 0.5, 0.01, 0.9, input);
  EXPECT_THAT(Headlines(input), Contains(HasSubstr("leads, which is not certain")));
}

TEST(Headlines, NameNoBestOfEquals) {
  ReportInput input = ThreePresses();
  for (ReportRow& row : input.rows) row.f1 = 0.7;
  EXPECT_THAT(Headlines(input),
              Contains(StartsWith("No press leads: adakv(expected_attention) and " + kLong +
                                  " both have mean F1 0.700 over ratios 0.5 to 0.9.")));
}

TEST(Headlines, CompareTheBestWithRandom) {
  ReportInput input = ThreePresses();
  EXPECT_THAT(Headlines(input), Contains(HasSubstr("is not clearly better than random")));
  AddComparison(kAdaKv, "random", 0.5, 0.6, 0.001, input);
  EXPECT_THAT(
      Headlines(input),
      Contains("adakv(expected_attention) is better than random: mean F1 0.800 against 0.200 "
               "over ratios 0.5 to 0.9. Of 1 paired test over all data it wins 1, loses 0, "
               "and 0 are undecided. The difference: 0.600 (0.580 to 0.620), corrected p "
               "0.001, at ratio 0.5."));
  std::erase_if(input.rows, [](const ReportRow& row) { return row.press == "random"; });
  EXPECT_THAT(Headlines(input), Contains(HasSubstr("have random in presses")));

  input = ThreePresses();  // random wins
  for (ReportRow& row : input.rows) {
    if (row.press == "random") row.f1 = 0.85;
  }
  AddComparison("random", kAdaKv, 0.5, 0.05, 0.001, input);
  EXPECT_THAT(Headlines(input),
              Contains(StartsWith("adakv(expected_attention) is worse than random")));
}

TEST(Headlines, SayWhereEachPressBreaks) {
  ReportInput input = ThreePresses();
  auto& points = input.statistics.change_points;
  points.push_back({"base", "agnostic", kAdaKv, 0.85, ReportInterval{0.8, 0.9}});
  points.push_back({"base", "agnostic", kChunk, 0.4, ReportInterval{0.3, 0.5}});
  points.push_back({"hops", "agnostic", kChunk, 0.6, ReportInterval{0.5, 0.7}});
  points.push_back({"base", "aware", kChunk});
  points.push_back({"base", "agnostic", "random", 0.1, ReportInterval{0.1, 0.2}});
  const std::vector<std::string> headlines = Headlines(input);
  EXPECT_EQ(headlines[0], "adakv(expected_attention) has a cliff at ratio 0.85 (0.80 to 0.90).");
  EXPECT_EQ(headlines[1], kLong +
                              " has a cliff in 2 of 3 curves, in the median at ratio 0.50 (0.40 to "
                              "0.60 in the median of the intervals).");
  EXPECT_THAT(headlines[2], HasSubstr("leads"));
  points = {{"base", "agnostic", kAdaKv}};
  EXPECT_EQ(Headlines(input)[0],
            "adakv(expected_attention) shows no cliff: no change point of F1 in 1 curve.");
  EXPECT_EQ(Headlines(input)[1], "Whether " + kLong + " has a cliff was not calculated.");
  points.clear();
  EXPECT_THAT(Headlines(input)[0], StartsWith("Whether there is a cliff is undecided"));
}

TEST(Headlines, NameFragileTags) {
  ReportInput input = ThreePresses();
  for (const char* press : {kAdaKv, kChunk, "random"}) {
    const Place place = {"base", "agnostic", press};
    AddTagCurve(place, "hop", "0", FallFrom(0.9, 0.9, 1), input);
    AddTagCurve(
        place, "hop", "3", [](double ratio) { return ratio == 0 ? 0.9 : 0.09; }, input);
  }
  EXPECT_THAT(Headlines(input),
              Contains(StartsWith("Clearly fragile, by what they retain on average "
                                  "over ratios 0.1 to 0.9: hop 3 (10 % of their "
                                  "F1, beside 91 % of all answers of the same "
                                  "cells).")));
  for (ReportTagRow& row : input.tag_rows) row.f1_interval = ReportInterval{0.05, 1};
  EXPECT_THAT(Headlines(input),
              Contains("No tag is clearly more fragile than the rest (2 compared)."));
  input.tag_rows.clear();
  EXPECT_THAT(Headlines(input), Contains(StartsWith("Which tags are fragile is undecided")));
}

TEST(Headlines, SplitFailuresIntoErasureAndRigidity) {
  ReportInput input = ThreePresses();
  const auto add = [&](const std::string& press, double ratio, int64_t failures, double erasure) {
    input.statistics.decomposition.push_back({.dataset = "base",
                                              .regime = "agnostic",
                                              .press = press,
                                              .ratio = ratio,
                                              .answers = 100,
                                              .failures = failures,
                                              .erasure_share = erasure});
  };
  add(kAdaKv, 0, 10, 0);
  add(kAdaKv, 0.5, 20, 0.1);
  add(kChunk, 0.5, 20, 0.3);
  add(kAdaKv, 0.9, 80, 0.75);
  add("random", 0.9, 90, 1);
  EXPECT_THAT(
      Headlines(input),
      Contains("Of the wrong answers, at ratio 0.5, 20 % of 40 failures are erasure and 80 % "
               "rigidity; at ratio 0.9, 75 % of 80 failures are erasure and 25 % rigidity. "
               "Rigidity counts what is wrong without compression, too: 10 % of the answers."));
  input.statistics.decomposition = {{.press = kAdaKv, .ratio = 0.9, .answers = 10}};  // no failure
  EXPECT_THAT(Headlines(input), Contains(HasSubstr("is undecided: it takes failures")));
}

TEST(Headlines, AreHonestAboutTooLittle) {
  EXPECT_THAT(Headlines({}),
              ElementsAre("Nothing can be said yet: the sweep has no finished cell."));
  ReportInput full;  // ratio 0 alone
  AddCurve({"base"}, FallFrom(0.9, 0.5, 1), full, 0.02, {0});
  EXPECT_THAT(Headlines(full), Contains(HasSubstr("no compressed cell in common")));
  ReportInput one;
  AddCurve({"base"}, FallFrom(0.9, 0.9, 1), one, 0.02, {0, 0.3});
  EXPECT_THAT(Headlines(one),
              Contains("Only one press was run, " + kLong +
                       ": mean F1 0.900 at ratio 0.3; which is best takes another."));
  ReportInput random;
  AddCurve({"base", "agnostic", "random"}, FallFrom(0.9, 0.9, 1), random);
  EXPECT_THAT(Headlines(random), Contains(StartsWith("Only random presses were run")));
}

TEST(Headlines, AreFewWhateverTheSweep) {
  ReportInput input;
  for (int press = 0; press < 12; ++press) {
    const std::string name = "press" + std::to_string(press);
    AddCurve({"base", "agnostic", name}, FallFrom(0.9, 0.05 * press, 1), input);
    input.statistics.change_points.push_back({"base", "agnostic", name, 0.5});
  }
  EXPECT_THAT(Headlines(input), SizeIs(7));
  EXPECT_EQ(Headlines(input)[0], "press11 has a cliff at ratio 0.50, of unknown precision.");
}

TEST(RankPresses, ComparesOnlyCellsThatAllHave) {
  const std::vector<ReportRow> rows = {
      {.dataset = "easy", .regime = "r", .press = "a", .ratio = 0.5, .f1 = 1},
      {.dataset = "hard", .regime = "r", .press = "a", .ratio = 0.5, .f1 = 0.3},
      {.dataset = "hard", .regime = "r", .press = "b", .ratio = 0.5, .f1 = 0.4}};
  const std::vector<std::string> presses = {"a", "b"};
  const PressRanking ranking = RankPresses(rows, presses, 0.5, 0.9);
  ASSERT_EQ(ranking.presses.size(), 2u);
  EXPECT_EQ(ranking.presses[0].press, "b");
  EXPECT_EQ(ranking.cells, 1u);
  EXPECT_TRUE(RankPresses(rows, presses, 0.6, 0.9).presses.empty());
}

TEST(CountTests, PrefersTestsOverAllData) {
  std::vector<ReportComparison> comparisons = {
      {.dataset = "x",
       .regime = "r",
       .press = "a",
       .against = "b",
       .ratio = 0.5,
       .difference = -0.1,
       .p = 0.01},
      {.press = "a", .against = "b", .ratio = 0.5, .difference = 0.1, .p = 0.01}};
  PairTests tests = CountTests(comparisons, "a", "b", 0.5, 0.9, 0.05);
  EXPECT_TRUE(tests.pooled);
  EXPECT_EQ(tests.better, 1u);
  EXPECT_EQ(tests.count(), 1u);
  tests = CountTests(comparisons, "b", "a", 0.5, 0.9, 0.05);
  EXPECT_EQ(tests.worse, 1u);
  comparisons[1].interval = ReportInterval{-0.1, 0.3};  // covers 0, whatever p says
  EXPECT_EQ(CountTests(comparisons, "a", "b", 0.5, 0.9, 0.05).undecided, 1u);
  comparisons.pop_back();
  EXPECT_EQ(CountTests(comparisons, "a", "b", 0.5, 0.9, 0.05).worse, 1u);
  EXPECT_EQ(CountTests({}, "a", "b", 0, 1, 0.05).count(), 0u);
}

}  // namespace
}  // namespace kvscope::orchestrator
