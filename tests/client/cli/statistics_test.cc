// What the report's statistics say of answers whose statistics are known.
#include "services/client/cli/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "kvscope/v1/metrics.pb.h"

namespace kvscope::cli {
namespace {

using orchestrator::ReportInput;
using orchestrator::ReportRow;
using orchestrator::ReportStatistics;

constexpr int kPassages = 40;
constexpr int kQuestions = 5;
constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

// `right(p, q)`: whether the question is answered rightly; a wrong answer hallucinates. `ger(p,
// q)`.
template <typename Right, typename Ger>
void AddCell(SweepAnswers& answers, const std::string& press, double ratio, const Right& right,
             const Ger& ger) {
  AnswerPart& part = answers.parts["hops"];
  part.dataset = "hops";
  part.passages = kPassages;
  part.tag_values = {"forward", "reverse", "Person", "Standard", "0"};
  part.tags.assign(kPassages * kQuestions, {});
  CellAnswers& cell = answers.cells[{"hops", "agnostic", press, ratio}];
  for (int p = 0; p < kPassages; ++p) {
    for (int q = 0; q < kQuestions; ++q) {
      part.tags[p * kQuestions + q] = {q % 2, 2, 3, 4};
      const bool good = right(p, q);
      cell.answers.push_back(
          {.passage = p,
           .question = p * kQuestions + q,
           .f1 = good ? 1.0f : 0.0f,
           .ger = ger(p, q),
           .consensus = 0.5f,
           .outcome = static_cast<uint8_t>(good ? v1::AnswerMetrics::CORRECT
                                                : v1::AnswerMetrics::HALLUCINATION)});
    }
  }
}

constexpr auto kKept = [](int, int) { return 0.0f; };

// Right but for a share of the questions that differs from passage to passage.
auto WrongIn(int tenths) {
  return [tenths](int p, int q) { return (p * 7 + q * 3) % 10 >= tenths; };
}

TEST(Statistics, IntervalsHoldTheMeans) {
  SweepAnswers answers;
  AddCell(answers, "snapkv", 0.5, WrongIn(3), kKept);
  ReportInput input;
  input.rows.push_back({.dataset = "hops", .regime = "agnostic", .press = "snapkv", .ratio = 0.5});
  input.rows.push_back({.dataset = "hops", .regime = "aware", .press = "snapkv", .ratio = 0.5});
  for (const char* value : {"forward", "reverse", "sideways"}) {
    input.tag_rows.push_back({.dataset = "hops",
                              .regime = "agnostic",
                              .press = "snapkv",
                              .ratio = 0.5,
                              .tag = "direction",
                              .value = value});
  }
  AddIntervals(answers, input);
  const ReportRow& row = input.rows[0];
  ASSERT_TRUE(row.f1_interval && row.hallucination_interval);
  EXPECT_LT(row.f1_interval->first, 0.7);
  EXPECT_GT(row.f1_interval->second, 0.7);
  EXPECT_LT(row.f1_interval->second - row.f1_interval->first, 0.2);
  EXPECT_NEAR(row.hallucination_interval->first, 1 - row.f1_interval->second, 0.02);
  EXPECT_FALSE(input.rows[1].f1_interval);  // no such cell was run
  EXPECT_TRUE(input.tag_rows[0].f1_interval && input.tag_rows[1].f1_interval);
  EXPECT_FALSE(input.tag_rows[2].f1_interval);
}

TEST(Statistics, ACliffIsFoundWhereItIs) {
  SweepAnswers answers;
  for (const double ratio : {0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}) {
    AddCell(answers, "snapkv", ratio,
            WrongIn(ratio <= 0.6 ? 1 : static_cast<int>(std::lround((ratio - 0.6) * 30))), kKept);
    AddCell(answers, "knorm", ratio, WrongIn(2), kKept);
  }
  ReportStatistics statistics;
  AddCurves(answers, statistics);
  ASSERT_EQ(statistics.change_points.size(), 2u);
  for (const auto& point : statistics.change_points) {
    if (point.press == "knorm") {
      EXPECT_FALSE(point.ratio) << "a flat curve has no cliff";
      EXPECT_FALSE(point.note.empty());
      continue;
    }
    ASSERT_TRUE(point.ratio && point.interval) << point.note;
    EXPECT_NEAR(*point.ratio, 0.6, 0.06);
    EXPECT_LE(point.interval->first, *point.ratio);
    EXPECT_GE(point.interval->second, *point.ratio);
  }
  EXPECT_EQ(statistics.susceptibility.size(), 20u);
  for (const auto& row : statistics.susceptibility) {
    ASSERT_TRUE(row.chi);
    if (row.press == "snapkv" && row.ratio == 0.8) {
      EXPECT_NEAR(*row.chi, 3, 0.3);
    }
  }
}

TEST(Statistics, ErasureIsToldFromRigidity) {
  SweepAnswers answers;
  AddCell(answers, "snapkv", 0.0, WrongIn(0), kKept);
  // Half of the failures are evicted everywhere; the fifth question stands nowhere.
  AddCell(answers, "snapkv", 0.9, WrongIn(4),
          [](int p, int q) { return q == 4 ? kNone : (p % 2 == 0 ? 1.0f : 0.0f); });
  ReportStatistics statistics;
  AddFailures(answers, statistics);
  ASSERT_EQ(statistics.decomposition.size(), 2u);
  const auto& whole = statistics.decomposition[0];
  EXPECT_EQ(whole.failures, 0);
  EXPECT_FALSE(whole.erasure_share);
  EXPECT_FALSE(whole.note.empty());
  const auto& row = statistics.decomposition[1];
  EXPECT_EQ(row.answers, kPassages * 4);
  ASSERT_TRUE(row.erasure_share && row.rigidity_share && row.erasure_interval);
  EXPECT_NEAR(*row.erasure_share + *row.rigidity_share, 1, 1e-12);
  EXPECT_NEAR(*row.erasure_share, 0.5, 0.1);
  EXPECT_TRUE(statistics.routes.empty());
}

TEST(Statistics, RoutesAreSharesAndMedians) {
  SweepAnswers answers;
  AddCell(answers, "snapkv", 0.5, WrongIn(1), kKept);
  CellAnswers& cell = answers.cells.begin()->second;
  cell.routes = {{.reached_defined = true,
                  .reached_computed = true,
                  .disjoint_defined = 3,
                  .disjoint_computed = 5,
                  .length_defined = 2,
                  .bound = 0.5f},
                 {.reached_computed = true, .disjoint_computed = 4, .bound = kNone}};
  ReportStatistics statistics;
  AddFailures(answers, statistics);
  ASSERT_EQ(statistics.routes.size(), 1u);
  const auto& row = statistics.routes[0];
  EXPECT_EQ(row.answers, 2);
  EXPECT_EQ(row.reachable_defined, 0.5);
  EXPECT_EQ(row.reachable_computed, 1.0);
  EXPECT_EQ(row.disjoint_defined, 1.5);
  EXPECT_EQ(row.disjoint_computed, 4.5);
  EXPECT_EQ(row.route_length, 2.0);
  EXPECT_EQ(row.bound, 0.5);
}

TEST(Statistics, PressesAreComparedOnTheSameQuestions) {
  SweepAnswers answers;
  AddCell(answers, "random", 0.5, WrongIn(6), kKept);
  AddCell(answers, "knorm", 0.5, WrongIn(2), kKept);
  AddCell(answers, "snapkv", 0.5, WrongIn(2), kKept);
  AddCell(answers, "knorm", 0.0, WrongIn(0), kKept);  // nothing to tell apart there
  ReportStatistics statistics;
  AddComparisons(answers, statistics);
  ASSERT_EQ(statistics.comparisons.size(), 3u);
  for (const auto& row : statistics.comparisons) {
    EXPECT_EQ(row.ratio, 0.5);
    ASSERT_TRUE(row.difference && row.p && row.p_corrected) << row.note;
    if (row.against == "random") {
      EXPECT_NEAR(*row.difference, 0.4, 1e-6);
      EXPECT_LT(*row.p_corrected, 0.01);
      EXPECT_TRUE(row.interval && row.mde);
    } else {
      EXPECT_EQ(*row.difference, 0);  // the same answers
      EXPECT_EQ(*row.p_corrected, 1);
    }
    EXPECT_NE(row.press, "random");
  }
}

// Two models that read the same passages tell no more about other passages than one.
TEST(Statistics, APassageOfTwoModelsIsOneCluster) {
  SweepAnswers one;
  AddCell(one, "random", 0.5, WrongIn(6), kKept);
  AddCell(one, "snapkv", 0.5, WrongIn(2), kKept);
  SweepAnswers two = one;
  for (const auto& [key, cell] : one.cells) {
    two.cells[{"hops of b", std::get<1>(key), std::get<2>(key), 0.5}] = cell;
  }
  two.parts["hops of b"] = one.parts["hops"];
  ReportStatistics of_one, of_two;
  AddComparisons(one, of_one);
  AddComparisons(two, of_two);
  ASSERT_TRUE(of_one.comparisons.at(0).interval && of_two.comparisons.at(0).interval);
  EXPECT_NEAR(of_two.comparisons[0].interval->first, of_one.comparisons[0].interval->first, 1e-9);
  EXPECT_NEAR(of_two.comparisons[0].interval->second, of_one.comparisons[0].interval->second, 1e-9);
  EXPECT_EQ(of_two.comparisons[0].p, of_one.comparisons[0].p);
}

TEST(Statistics, OneRatioOnePassageAndNothingGiveNotes) {
  SweepAnswers answers;
  ReportStatistics none;
  AddCurves(answers, none);
  AddFailures(answers, none);
  AddComparisons(answers, none);
  EXPECT_TRUE(none.change_points.empty());
  AddCell(answers, "snapkv", 0.5, WrongIn(3), kKept);
  for (auto& answer : answers.cells.begin()->second.answers) answer.passage = 0;
  answers.parts["hops"].passages = 1;
  ReportStatistics one;
  AddCurves(answers, one);
  ASSERT_EQ(one.change_points.size(), 1u);
  EXPECT_FALSE(one.change_points[0].ratio);
  EXPECT_FALSE(one.change_points[0].note.empty());
  for (const auto& correlation : one.correlations) {
    EXPECT_FALSE(correlation.pearson);
    EXPECT_FALSE(correlation.note.empty());
  }
  ReportInput input;
  input.rows.push_back({.dataset = "hops", .regime = "agnostic", .press = "snapkv", .ratio = 0.5});
  AddIntervals(answers, input);
  EXPECT_FALSE(input.rows[0].f1_interval);
}

TEST(Statistics, DepthShapesAreThoseOfTheRows) {
  ReportInput input;
  input.rows.push_back({.dataset = "hops", .consensus_layer = {0.2, 0.2, 0.5, 0.5, 0.9, 0.9}});
  input.rows.push_back({.dataset = "hops", .consensus_layer = {0.9, 0.9, 0.5, 0.5, 0.2, 0.2}});
  input.rows.push_back({.dataset = "hops"});  // not captured
  AddDepthShapes(input);
  ASSERT_EQ(input.statistics.depth_shapes.size(), 2u);
  EXPECT_EQ(input.statistics.depth_shapes[0].label, "early consensus");
  EXPECT_EQ(input.statistics.depth_shapes[1].label, "funnel");
}

}  // namespace
}  // namespace kvscope::cli
