// The claims about questions with one tag, each verdict of each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/orchestrator/report/findings.h"
#include "services/orchestrator/report/tag_contrast.h"
#include "tests/orchestrator/report/finding_input.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::HasSubstr;
using Verdict = ReportFinding::Verdict;

constexpr char kForward[] = "Forward";
constexpr char kFragile[] = "are fragile";

// A curve that retains `share` of `top` from the first ratio on.
Curve Keep(double top, double share) {
  return [=](double ratio) { return ratio == 0 ? top : top * share; };
}

ReportInput Directions(double forward, double reverse, double half = 0.02) {
  ReportInput input;
  const Place place = {"multi_presence"};
  AddCurve(place, Keep(0.9, (forward + reverse) / 2), input, half);
  AddTagCurve(place, "direction", "forward", Keep(0.7, forward), input, half);
  AddTagCurve(place, "direction", "reverse", Keep(0.9, reverse), input, half);
  return input;
}

TEST(DirectionClaim, ComparesWhatIsRetained) {
  const ReportFinding faster = FindingOf(Directions(0.4, 0.8), kForward);
  EXPECT_EQ(faster.verdict, Verdict::kConfirmed) << faster.numbers;
  // forward: 0.28 of 0.7, the ends (0.26 / 0.72, 0.30 / 0.68); reverse: 0.72 of 0.9
  EXPECT_THAT(faster.numbers, HasSubstr("forward retains 0.40 (0.36 to 0.44), reverse 0.80"));
  EXPECT_EQ(FindingOf(Directions(0.8, 0.4), kForward).verdict, Verdict::kRefuted);
  EXPECT_EQ(FindingOf(Directions(0.6, 0.62), kForward).verdict, Verdict::kNotDecidable);
  EXPECT_EQ(FindingOf(Directions(0.4, 0.8, 0.2), kForward).verdict, Verdict::kNotDecidable);
}

TEST(DirectionClaim, SaysWhatIsMissing) {
  ReportInput input;
  AddCurve({"multi_presence"}, Keep(0.9, 0.5), input);
  EXPECT_THAT(FindingOf(input, kForward).numbers, HasSubstr("no questions with direction"));
  for (const char* value : {"forward", "reverse"}) {  // two ratios only
    AddTagCurve({"multi_presence"}, "direction", value, Keep(0.9, 0.5), input, 0.02, {0, 0.4, 0.9});
  }
  EXPECT_EQ(FindingOf(input, kForward).verdict, Verdict::kNotDecidable);
  EXPECT_THAT(FindingOf(input, kForward).numbers, HasSubstr("at 3 ratios from 0.1 to 0.9"));
}

TEST(DirectionClaim, ComparesOnlyRatiosThatBothHave) {
  ReportInput input;
  const Place place = {"multi_presence"};
  AddCurve(place, Keep(0.9, 0.5), input);
  AddTagCurve(place, "direction", "forward", FallFrom(0.9, 0, 1), input);
  AddTagCurve(place, "direction", "reverse", FallFrom(0.9, 0, 1), input, 0.02,
              {0, 0.1, 0.2, 0.3, 0.4});
  const ReportFinding finding = FindingOf(input, kForward);
  EXPECT_EQ(finding.verdict, Verdict::kNotDecidable);
  EXPECT_THAT(finding.numbers, HasSubstr("reverse less forward 0.00"));
}

// Answer types that retain their share; all answers of the cells retain 0.5.
ReportInput Types(const std::vector<std::pair<std::string, double>>& types, double half = 0.02) {
  ReportInput input;
  for (const char* dataset : {"base", "hops"}) {
    AddCurve({dataset}, Keep(0.9, 0.5), input, half);
    for (const auto& [type, share] : types) {
      AddTagCurve({dataset}, "answer_type", type, Keep(0.9, share), input, half);
    }
  }
  return input;
}

TEST(AnswerTypeClaim, WantsEveryTypeOnItsSide) {
  const std::vector<std::pair<std::string, double>> as_claimed = {
      {"Events", 0.3}, {"Organization", 0.35}, {"Creature", 0.3},
      {"Person", 0.7}, {"Location", 0.65},     {"Thing", 0.5}};
  const ReportFinding finding = FindingOf(Types(as_claimed), kFragile);
  EXPECT_EQ(finding.verdict, Verdict::kConfirmed) << finding.numbers;
  EXPECT_THAT(finding.numbers, HasSubstr("Events retains 0.30, against all -0.20 (-0.2"));
  EXPECT_THAT(finding.numbers, HasSubstr("Location retains 0.65, against all 0.15 ("));

  auto types = as_claimed;
  types[0].first = "Event";  // other data sets' word
  EXPECT_EQ(FindingOf(Types(types), kFragile).verdict, Verdict::kConfirmed);
  types[1].second = 0.7;  // Organization is stable
  EXPECT_EQ(FindingOf(Types(types), kFragile).verdict, Verdict::kRefuted);
  types[1].second = 0.49;
  EXPECT_EQ(FindingOf(Types(types), kFragile).verdict, Verdict::kNotDecidable);
  EXPECT_EQ(FindingOf(Types(as_claimed, 0.15), kFragile).verdict, Verdict::kNotDecidable);
}

TEST(AnswerTypeClaim, IsOpenWhereTypesAreMissing) {
  const ReportFinding some = FindingOf(Types({{"Events", 0.3}, {"Person", 0.7}}), kFragile);
  EXPECT_EQ(some.verdict, Verdict::kNotDecidable);
  EXPECT_THAT(some.numbers, HasSubstr("Creature untold"));
  const ReportFinding one = FindingOf(Types({{"Events", 0.3}}), kFragile);  // nothing beside it
  EXPECT_EQ(one.verdict, Verdict::kNotDecidable);
  EXPECT_THAT(one.numbers, HasSubstr("needs answer types"));
  EXPECT_EQ(FindingOf(Types({}), kFragile).verdict, Verdict::kNotDecidable);
}

TEST(ContrastTag, AveragesDataSetsOnceWhateverTheirSeries) {
  ReportInput input;
  const auto add = [&](const Place& place, double share) {
    AddCurve(place, Keep(1, 0.5), input, 0);
    AddTagCurve(place, "hop", "0", Keep(1, share), input, 0);
    AddTagCurve(place, "hop", "1", Keep(1, 0.5), input, 0);
  };
  add({"base", "agnostic"}, 0.2);
  add({"base", "aware"}, 0.4);
  add({"hops", "agnostic"}, 0.7);
  const std::vector<SweepModel> models = SweepModels(input);
  const auto contrasts = ContrastTag(models, "hop", [](const SeriesKey&) { return true; });
  ASSERT_EQ(contrasts.size(), 2u);
  EXPECT_EQ(contrasts[0].value, "0");
  EXPECT_EQ(contrasts[0].datasets, 2u);
  EXPECT_NEAR(contrasts[0].retained.value, 0.5, 1e-12);  // (0.3 + 0.7) / 2
  EXPECT_NEAR(contrasts[0].difference.value, 0, 1e-12);
  const auto aware =
      ContrastTag(models, "hop", [](const SeriesKey& k) { return k.regime == "aware"; });
  ASSERT_EQ(aware.size(), 2u);
  EXPECT_NEAR(aware[0].difference.value, -0.1, 1e-12);
}

}  // namespace
}  // namespace kvscope::orchestrator
