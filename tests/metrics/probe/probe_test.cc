#include "services/metrics/probe/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace kvscope::metrics {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kWidth = 6;

struct Corpus {
  ProbeRows rows;
  std::vector<float> features;

  void Add(const std::string& tag, const std::string& passage, std::vector<float> values) {
    rows.tags.push_back(tag);
    rows.passages.push_back(passage);
    values.resize(kWidth);
    features.insert(features.end(), values.begin(), values.end());
  }
  absl::StatusOr<ProbeFit> Fit(const ProbeOptions& options = {}) const {
    const auto plan = PlanProbe(rows, options);
    if (!plan.ok()) return plan.status();
    return FitProbe(FeatureMatrix(features, kWidth), rows, *plan, options);
  }
};

// `signal` is how far the tags' centers are apart, in standard deviations.
Corpus Draw(int passages, int each, const std::vector<std::string>& tags, double signal,
            uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  Corpus corpus;
  for (int p = 0; p < passages; ++p) {
    for (int q = 0; q < each; ++q) {
      const size_t tag = random() % tags.size();
      std::vector<float> values;
      for (size_t i = 0; i < kWidth; ++i) {
        values.push_back(static_cast<float>(normal(random) + (i == tag ? signal : 0)));
      }
      corpus.Add(tags[tag], "p" + std::to_string(p), values);
    }
  }
  return corpus;
}

TEST(Probe, TellsWhatIsThereAndNotWhatIsNot) {
  const ProbeFit clear = Draw(60, 5, {"A", "B", "C"}, 12).Fit().value();
  EXPECT_THAT(clear.note, IsEmpty());
  EXPECT_EQ(clear.macro_f1->value, 1);
  EXPECT_EQ(clear.macro_f1->low, 1);
  EXPECT_EQ(clear.train_count + clear.validation_count, 300);
  EXPECT_NEAR(static_cast<double>(clear.train_count), 210, 10);
  EXPECT_EQ(clear.train_passages + clear.validation_passages, 60);
  ASSERT_EQ(clear.tags.size(), 3u);
  int64_t train = 0, validation = 0;
  for (const ProbeTag& tag : clear.tags) {
    EXPECT_EQ(tag.f1->value, 1);
    train += tag.train_count;
    validation += tag.validation_count;
  }
  EXPECT_EQ(train, clear.train_count);
  EXPECT_EQ(validation, clear.validation_count);

  const ProbeFit noise = Draw(200, 5, {"A", "B", "C"}, 0).Fit().value();
  EXPECT_NEAR(noise.macro_f1->value, 1.0 / 3, 0.1);
  EXPECT_LT(*noise.macro_f1->low, 1.0 / 3 + 0.02);
  EXPECT_GT(*noise.macro_f1->high, noise.macro_f1->value);
}

TEST(Probe, SeedDecides) {
  const Corpus corpus = Draw(60, 5, {"A", "B", "C"}, 1.5);
  const ProbeFit one = corpus.Fit({.seed = 1}).value(), again = corpus.Fit({.seed = 1}).value();
  EXPECT_EQ(one.macro_f1->value, again.macro_f1->value);
  EXPECT_EQ(one.macro_f1->low, again.macro_f1->low);
  EXPECT_NE(corpus.Fit({.seed = 2}).value().macro_f1->low, one.macro_f1->low);
}

void ExpectNote(const absl::StatusOr<ProbeFit>& fit, const std::string& note) {
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_FALSE(fit->macro_f1.has_value());
  for (const ProbeTag& tag : fit->tags) EXPECT_FALSE(tag.f1.has_value());
  EXPECT_THAT(fit->note, HasSubstr(note));
}

TEST(Probe, NoteWhereThereIsNothingToTellApart) {
  ExpectNote(Corpus().Fit(), "no row has a tag");
  ExpectNote(Draw(20, 5, {""}, 1).Fit(), "no row has a tag");
  ExpectNote(Draw(20, 5, {"Person"}, 1).Fit(), "there is no tag to tell Person from");
  Corpus two = Draw(20, 5, {"Person"}, 1);
  two.Add("Events", "p1", {});
  ExpectNote(two.Fit(), "to tell Person from: the others have too few rows");
  EXPECT_THAT(two.Fit()->tags[0].note, "rows: 1, passages: 1; at least 5 and 2 are needed");
  ExpectNote(Draw(1, 100, {"A", "B"}, 1).Fit(), "no tag has rows enough");  // one passage
  ExpectNote(Draw(2, 2, {"A", "B"}, 1).Fit(), "no tag has rows enough");
}

TEST(Probe, LeavesOutTagsWithTooFewRows) {
  Corpus corpus = Draw(60, 5, {"A", "B", ""}, 12);
  for (int row = 0; row < 4; ++row) corpus.Add("Few", "p" + std::to_string(row), {});
  for (int row = 0; row < 9; ++row) corpus.Add("Together", "p7", {});
  const ProbeFit fit = corpus.Fit().value();
  EXPECT_EQ(fit.macro_f1->value, 1);
  EXPECT_EQ(fit.note, "without Few, Together: too few rows");
  ASSERT_EQ(fit.tags.size(), 4u);
  EXPECT_EQ(fit.tags[2].tag, "Few");
  EXPECT_FALSE(fit.tags[2].f1.has_value());
  EXPECT_THAT(fit.tags[2].note, HasSubstr("rows: 4, passages: 4"));
  EXPECT_THAT(fit.tags[3].note, HasSubstr("rows: 9, passages: 1"));
  EXPECT_EQ(fit.tags[2].train_count + fit.tags[2].validation_count, 0);
}

// Three passages, each pair of which shares a tag: whichever is alone on a side lacks one.
TEST(Probe, LeavesOutTagsOnOneSideOfTheSplit) {
  Corpus corpus;
  for (int row = 0; row < 5; ++row) corpus.Add("A", "x", {1});
  for (int row = 0; row < 5; ++row) corpus.Add("B", "x", {2});
  for (int row = 0; row < 5; ++row) corpus.Add("A", "y", {1});
  for (int row = 0; row < 5; ++row) corpus.Add("C", "y", {3});
  for (int row = 0; row < 5; ++row) corpus.Add("B", "z", {2});
  for (int row = 0; row < 5; ++row) corpus.Add("C", "z", {3});
  const ProbePlan plan = PlanProbe(corpus.rows, {}).value();
  EXPECT_THAT(plan.note, IsEmpty());
  ASSERT_EQ(plan.fitted.size(), 2u);
  int left_out = 0;
  for (const ProbeTag& tag : plan.tags) {
    if (tag.note.empty()) continue;
    ++left_out;
    EXPECT_THAT(tag.note, HasSubstr("of its rows, 10 are for training and 0 for validation"));
  }
  EXPECT_EQ(left_out, 1);
  const ProbeFit fit = corpus.Fit().value();
  EXPECT_TRUE(fit.macro_f1.has_value());
  EXPECT_FALSE(fit.macro_f1->low.has_value());  // a single validation passage
  EXPECT_EQ(fit.validation_passages, 1);
  EXPECT_THAT(fit.note, HasSubstr("without "));
}

TEST(Probe, NoteWhereAFeatureIsNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    for (const size_t place : {size_t{0}, size_t{777}, size_t{60 * 5 * kWidth - 1}}) {
      Corpus corpus = Draw(60, 5, {"A", "B"}, 3);
      corpus.features[place] = bad;
      const size_t row = place / kWidth;
      ExpectNote(corpus.Fit(),
                 "a hidden state is not finite, in passage '" + corpus.rows.passages[row] + "'");
    }
  }
  Corpus untagged = Draw(60, 5, {"A", "B"}, 3);
  untagged.Add("", "p1", {std::numeric_limits<float>::quiet_NaN()});
  EXPECT_TRUE(untagged.Fit()->macro_f1.has_value());  // its features are not used
}

TEST(Probe, ConstantFeaturesGiveAScoreAndNoNaN) {
  Corpus corpus = Draw(60, 5, {"A", "B"}, 3);
  std::fill(corpus.features.begin(), corpus.features.end(), 0.3f);
  const ProbeFit fit = corpus.Fit().value();
  EXPECT_LT(fit.macro_f1->value, 0.5);  // one tag is said of all
  EXPECT_GT(fit.macro_f1->value, 0.2);
  EXPECT_TRUE(fit.macro_f1->low.has_value());
}

TEST(Probe, SaysThatTheFitWasStopped) {
  ProbeOptions options;
  options.softmax.max_evaluations = 3;
  const ProbeFit fit = Draw(60, 5, {"A", "B", "C"}, 1).Fit(options).value();
  EXPECT_TRUE(fit.macro_f1.has_value());
  EXPECT_THAT(fit.note, HasSubstr("stopped after 3 passes"));
}

TEST(Probe, ReadsTheSameInMemoryAndNot) {
  const Corpus corpus = Draw(60, 5, {"A", "B", "C"}, 1);
  const ProbeFit memory = corpus.Fit().value(), stream = corpus.Fit({.in_memory_bytes = 0}).value();
  EXPECT_EQ(memory.macro_f1->value, stream.macro_f1->value);
  EXPECT_EQ(memory.macro_f1->low, stream.macro_f1->low);
  EXPECT_EQ(memory.evaluations, stream.evaluations);
}

TEST(Probe, RefusesOptionsOutOfTheirRange) {
  const Corpus corpus = Draw(60, 5, {"A", "B"}, 1);
  const auto refused = [&](const ProbeOptions& options) {
    const absl::Status status = corpus.Fit(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(refused({.softmax = {.l2 = 0}}), AllOf(HasSubstr("l2"), HasSubstr("above 0")));
  EXPECT_THAT(refused({.softmax = {.l2 = std::nan("")}}), HasSubstr("l2"));
  EXPECT_THAT(refused({.train_share = 1}), HasSubstr("train_share is 1"));
  EXPECT_THAT(refused({.train_share = std::nan("")}), HasSubstr("train_share"));
  EXPECT_THAT(refused({.min_tag_rows = 1}), HasSubstr("min_tag_rows"));
  EXPECT_THAT(refused({.bootstrap_draws = -1}), HasSubstr("bootstrap_draws"));
}

}  // namespace
}  // namespace kvscope::metrics
