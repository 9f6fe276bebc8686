// The claims about the F1 of single data sets, each verdict of each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "services/orchestrator/report/findings.h"
#include "tests/orchestrator/report/finding_input.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Verdict = ReportFinding::Verdict;

// The words that find a claim.
constexpr char kCliff[] = "cliff near";
constexpr char kKnowledge[] = "Knowledge stays";
constexpr char kCoreference[] = "coreference";
constexpr char kHops[] = "Hops";

void AddChangePoint(const Place& place, std::optional<double> ratio,
                    std::optional<ReportInterval> interval, ReportInput& input) {
  input.statistics.change_points.push_back({.dataset = place.dataset,
                                            .regime = place.regime,
                                            .press = place.press,
                                            .ratio = ratio,
                                            .interval = interval});
}

// chi with its peak at `peak`.
void AddChi(const Place& place, double peak, ReportInput& input) {
  for (const double ratio : kTestRatios) {
    input.statistics.susceptibility.push_back({.dataset = place.dataset,
                                               .regime = place.regime,
                                               .press = place.press,
                                               .ratio = ratio,
                                               .chi = ratio == peak ? 5.0 : 0.2,
                                               .interval = ReportInterval{0.1, 6.0}});
  }
}

// Three data sets whose F1 turns at `ratio`, with the interval.
ReportInput CliffAt(double ratio, ReportInterval interval, double peak) {
  ReportInput input;
  for (const char* dataset : {"base", "hops", "knowledge"}) {
    AddCurve({dataset}, FallFrom(0.9, 0.8, 1), input);
    AddChangePoint({dataset}, ratio, interval, input);
    AddChi({dataset}, peak, input);
  }
  return input;
}

TEST(CliffClaim, IsConfirmedWhereChangePointsAndSusceptibilityAgree) {
  const ReportFinding finding = FindingOf(CliffAt(0.84, {0.8, 0.88}, 0.9), kCliff);
  EXPECT_EQ(finding.verdict, Verdict::kConfirmed) << finding.numbers;
  EXPECT_THAT(finding.numbers, HasSubstr("near 0.9 in 3 of 3 curves"));
  EXPECT_THAT(finding.numbers, HasSubstr("median 0.84, median interval 0.80 to 0.88"));
  EXPECT_THAT(finding.numbers, HasSubstr("peaks near it in 3 of 3 (median 0.90)"));
}

TEST(CliffClaim, IsRefutedWhereMostTurnElsewhereOrNowhere) {
  EXPECT_EQ(FindingOf(CliffAt(0.5, {0.45, 0.6}, 0.6), kCliff).verdict, Verdict::kRefuted);
  ReportInput none = CliffAt(0.5, {0.45, 0.6}, 0.6);
  for (ReportChangePoint& point : none.statistics.change_points) {
    point.ratio.reset();
    point.interval.reset();
  }
  const ReportFinding finding = FindingOf(none, kCliff);
  EXPECT_EQ(finding.verdict, Verdict::kRefuted);
  EXPECT_THAT(finding.numbers, HasSubstr("nowhere in 3"));
}

TEST(CliffClaim, IsOpenWhereIntervalsDoNotSettleIt) {
  const auto verdict = [](const ReportInput& input) { return FindingOf(input, kCliff).verdict; };
  EXPECT_EQ(verdict(CliffAt(0.84, {0.6, 0.9}, 0.9)), Verdict::kNotDecidable);   // too wide
  EXPECT_EQ(verdict(CliffAt(0.84, {0.8, 0.88}, 0.5)), Verdict::kNotDecidable);  // chi says no
  ReportInput input = CliffAt(0.84, {0.8, 0.88}, 0.9);
  for (ReportChangePoint& point : input.statistics.change_points) point.interval.reset();
  EXPECT_EQ(verdict(input), Verdict::kNotDecidable);
  input = CliffAt(0.84, {0.8, 0.88}, 0.9);
  input.statistics.susceptibility.clear();
  EXPECT_EQ(verdict(input), Verdict::kNotDecidable);
  input = CliffAt(0.5, {0.45, 0.6}, 0.6);  // one passage: nothing could have been found
  for (ReportChangePoint& point : input.statistics.change_points) point.ratio.reset();
  for (ReportRow& row : input.rows) row.f1_interval.reset();
  EXPECT_EQ(verdict(input), Verdict::kNotDecidable);
}

TEST(CliffClaim, SaysWhatIsMissing) {
  ReportInput input;
  AddCurve({"base"}, FallFrom(0.9, 0.8, 1), input, 0.02, {0.5});  // a single ratio
  ReportFinding finding = FindingOf(input, kCliff);
  EXPECT_EQ(finding.verdict, Verdict::kNotDecidable);
  EXPECT_THAT(finding.numbers, HasSubstr("no curve runs from ratio 0 to 0.9"));
  input = {};
  AddCurve({"base"}, FallFrom(0.9, 0.8, 1), input);
  EXPECT_THAT(FindingOf(input, kCliff).numbers, HasSubstr("no change point was calculated"));
  input = {};
  AddCurve({"base"}, FallFrom(0.05, 0.8, 1), input);
  EXPECT_THAT(FindingOf(input, kCliff).numbers, HasSubstr("starts from an F1 of 0.1 or more"));
}

TEST(CliffClaim, FailsForOnePressAndLeavesRandomOut) {
  ReportInput input = CliffAt(0.84, {0.8, 0.88}, 0.9);
  for (const char* press : {kAdaKv, "random", "adakv(random)"}) {
    AddCurve({"base", "agnostic", press}, FallFrom(0.9, 0.2, 1), input);
    AddChangePoint({"base", "agnostic", press}, 0.3, ReportInterval{0.2, 0.4}, input);
  }
  const ReportFinding finding = FindingOf(input, kCliff);
  EXPECT_EQ(finding.verdict, Verdict::kRefuted);
  EXPECT_THAT(finding.numbers, HasSubstr(std::string("Holds for ") + kChunk + ": F1"));
  EXPECT_THAT(finding.numbers, HasSubstr(std::string("Fails for ") + kAdaKv + ": F1"));
  EXPECT_THAT(finding.numbers, Not(HasSubstr("random")));
}

TEST(KnowledgeClaim, ComparesEveryRatioUpToFourTenths) {
  const auto finding = [](double top, double from, double half = 0.02) {
    ReportInput input;
    AddCurve({"knowledge"}, FallFrom(top, from, 1), input, half);
    return FindingOf(input, kKnowledge);
  };
  EXPECT_EQ(finding(0.95, 0.4).verdict, Verdict::kConfirmed);
  EXPECT_THAT(finding(0.95, 0.4).numbers, HasSubstr("lowest F1 0.95 (0.93 to 0.97)"));
  EXPECT_EQ(finding(0.95, 0.2).verdict, Verdict::kRefuted);
  EXPECT_THAT(finding(0.95, 0.2).numbers, HasSubstr("already at ratio 0.3"));
  EXPECT_EQ(finding(0.8, 0.4).verdict, Verdict::kRefuted);
  EXPECT_THAT(finding(0.8, 0.4).numbers, HasSubstr("already at ratio 0"));
  EXPECT_EQ(finding(0.91, 0.4).verdict, Verdict::kNotDecidable);      // 0.89 to 0.93
  EXPECT_EQ(finding(0.94, 0.4, -1).verdict, Verdict::kNotDecidable);  // no interval: +- 0.05
  EXPECT_EQ(finding(0.96, 0.4, -1).verdict, Verdict::kConfirmed);
  EXPECT_THAT(finding(0.96, 0.4, -1).numbers, HasSubstr("(no interval)"));
}

TEST(KnowledgeClaim, NeedsItsRatiosAndEnoughAnswers) {
  ReportInput input;
  AddCurve({"knowledge"}, FallFrom(0.95, 0.4, 1), input, 0.02, {0, 0.2, 0.6});
  EXPECT_EQ(FindingOf(input, kKnowledge).verdict, Verdict::kNotDecidable);
  EXPECT_THAT(FindingOf(input, kKnowledge).numbers, HasSubstr("no ratio near 0.4 was run"));

  input = {};  // aware lacks the cell at 0.2
  AddCurve({"knowledge"}, FallFrom(0.95, 0.4, 1), input);
  AddCurve({"knowledge", "aware"}, FallFrom(0.95, 0.4, 1), input, 0.02, {0, 0.1, 0.3, 0.4});
  EXPECT_EQ(FindingOf(input, kKnowledge).verdict, Verdict::kNotDecidable);
  EXPECT_THAT(FindingOf(input, kKnowledge).numbers, HasSubstr("aware: no result at ratio 0.2"));

  input = {};
  AddCurve({"knowledge"}, FallFrom(1, 0.4, 1), input, -1);
  for (ReportRow& row : input.rows) row.answers = 20;
  EXPECT_EQ(FindingOf(input, kKnowledge).verdict, Verdict::kNotDecidable);

  input = {};
  AddCurve({"hops"}, FallFrom(1, 0.4, 1), input);
  EXPECT_THAT(FindingOf(input, kKnowledge).numbers, HasSubstr("knowledge was not run"));
}

TEST(CoreferenceClaim, TakesTheSignOfTheDifference) {
  const auto finding = [](double agnostic, double aware, double half = 0.02) {
    ReportInput input;
    AddCurve({"coreference", "agnostic"}, FallFrom(agnostic, 0.4, 1), input, half);
    AddCurve({"coreference", "aware"}, FallFrom(aware, 0.4, 1), input, half);
    return FindingOf(input, kCoreference);
  };
  const ReportFinding hurts = finding(0.8, 0.6);
  EXPECT_EQ(hurts.verdict, Verdict::kConfirmed);
  EXPECT_THAT(hurts.numbers, HasSubstr("difference 0.20 (0.17 to 0.23)"));  // 0.02 * sqrt(2)
  EXPECT_EQ(finding(0.6, 0.8).verdict, Verdict::kRefuted);
  EXPECT_EQ(finding(0.61, 0.6).verdict, Verdict::kNotDecidable);
  EXPECT_EQ(finding(0.65, 0.6, -1).verdict, Verdict::kNotDecidable);  // 0.05 * sqrt(2)
}

TEST(CoreferenceClaim, NeedsBothRegimesAtRatioZero) {
  ReportInput input;
  AddCurve({"coreference"}, FallFrom(0.8, 0.4, 1), input);
  EXPECT_THAT(FindingOf(input, kCoreference).numbers, HasSubstr("have aware in regimes"));
  AddCurve({"coreference", "aware"}, FallFrom(0.8, 0.4, 1), input, 0.02, {0.5});
  EXPECT_EQ(FindingOf(input, kCoreference).verdict, Verdict::kNotDecidable);
  EXPECT_THAT(FindingOf(input, kCoreference).numbers, HasSubstr("0 in ratios"));
}

// hops falls to half at `hops`, base at 0.7 and multi_entity at 0.8.
ReportInput HalfLosses(double hops, double half = 0.02) {
  ReportInput input;
  AddCurve({"hops"}, FallFrom(0.8, hops - 0.1, hops + 0.1), input, half);
  AddCurve({"base"}, FallFrom(0.9, 0.6, 0.8), input, half);
  AddCurve({"multi_entity"}, FallFrom(0.9, 0.7, 0.9), input, half);
  return input;
}

TEST(HopsClaim, ComparesWhereHalfOfF1IsLost) {
  const ReportFinding first = FindingOf(HalfLosses(0.4), kHops);
  EXPECT_EQ(first.verdict, Verdict::kConfirmed) << first.numbers;
  EXPECT_THAT(first.numbers, HasSubstr("hops at 0.40 ("));
  EXPECT_THAT(first.numbers, HasSubstr("base 0.70 ("));
  EXPECT_EQ(FindingOf(HalfLosses(0.85), kHops).verdict, Verdict::kRefuted);
  EXPECT_EQ(FindingOf(HalfLosses(0.7), kHops).verdict, Verdict::kNotDecidable);
  EXPECT_EQ(FindingOf(HalfLosses(0.4, 0.35), kHops).verdict, Verdict::kNotDecidable);
}

TEST(HopsClaim, ACurveThatNeverFallsIsBeyondTheLastRatio) {
  ReportInput input = HalfLosses(0.4);
  AddCurve(
      {"knowledge"}, [](double) { return 0.9; }, input);
  const ReportFinding finding = FindingOf(input, kHops);
  EXPECT_EQ(finding.verdict, Verdict::kConfirmed);
  EXPECT_THAT(finding.numbers, HasSubstr("knowledge beyond 0.95"));
}

TEST(HopsClaim, IsOpenWithoutRivalsOrF1) {
  ReportInput input;
  AddCurve({"hops"}, FallFrom(0.8, 0.3, 0.5), input);
  EXPECT_THAT(FindingOf(input, kHops).numbers, HasSubstr("no other data set"));
  AddCurve({"base"}, FallFrom(0.8, 0.6, 0.8), input);
  EXPECT_EQ(FindingOf(input, kHops).verdict, Verdict::kNotDecidable);  // one rival is too few
  AddCurve({"my own"}, FallFrom(0.8, 0.6, 0.8), input);                // none of the paper's
  EXPECT_EQ(FindingOf(input, kHops).verdict, Verdict::kNotDecidable);
  AddCurve({"knowledge"}, FallFrom(0.05, 0.6, 0.8), input);
  EXPECT_EQ(FindingOf(input, kHops).verdict, Verdict::kNotDecidable);
  EXPECT_THAT(FindingOf(input, kHops).numbers, HasSubstr("knowledge untold"));
  input = {};
  AddCurve({"hops"}, FallFrom(0.8, 0.3, 0.5), input, 0.02, {0, 0.5});
  EXPECT_THAT(FindingOf(input, kHops).numbers, HasSubstr("fewer than 3 ratios more"));
}

}  // namespace
}  // namespace kvscope::orchestrator
