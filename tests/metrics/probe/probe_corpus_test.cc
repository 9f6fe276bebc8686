#include "services/metrics/probe/probe_corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "services/metrics/probe/feature_store.h"
#include "tests/metrics/probe/folder.h"

namespace kvscope::metrics {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kWidth = 8;
const FeatureShape kShape = {.width = kWidth, .layers = {0, 5, 12}};
const std::vector<std::string> kTags = {"Location", "Numerals", "Person"};

std::string KeyOf(int unit) { return std::string(63, 'c') + static_cast<char>('0' + unit); }

// Three units of 20 passages and 4 questions. The tag shows in layer 5, and a little in layer 12;
// in cell (0, 1) it shows nowhere. Cell (1, 0) has a number that is not one, in layer 12.
class StoredProbes : public ::testing::Test {
 protected:
  StoredProbes() {
    for (int unit = 0; unit < 3; ++unit) {
      auto writer = store_.Write(KeyOf(unit), kShape).value();
      for (int p = 0; p < 20; ++p) {
        for (const ProbeCell cell : {ProbeCell{0, 0}, ProbeCell{0, 1}, ProbeCell{1, 0}}) {
          for (int q = 0; q < 4; ++q) AddRow(unit * 20 + p, cell, q, writer.get());
        }
      }
      EXPECT_TRUE(writer->Commit().ok());
      units_.push_back(store_.Read(KeyOf(unit)).value());
    }
  }

  void AddRow(int passage, ProbeCell cell, int question, FeatureWriter* writer) {
    const int tag = (passage + question) % 3;
    std::vector<float> features(kShape.row_floats());
    for (float& feature : features) feature = normal_(random_);
    if (cell != ProbeCell{0, 1}) {
      features[kWidth + tag] += 10;
      features[2 * kWidth + tag] += 1;
    }
    if (cell == ProbeCell{1, 0} && passage == 33) {
      features[2 * kWidth] = std::numeric_limits<float>::quiet_NaN();
    }
    EXPECT_TRUE(
        writer->Add({cell, "p" + std::to_string(passage), question, kTags[tag]}, features).ok());
  }

  CellProbe Probe(ProbeCell cell, const ProbeOptions& options = {}) const {
    return CellProbe::Make(ProbeCorpus::Make(units_).value(), cell, options).value();
  }

  std::mt19937_64 random_{7};
  std::normal_distribution<float> normal_;
  const Folder folder_;
  const FeatureStore store_ = FeatureStore::Open(folder_.path()).value();
  std::vector<std::shared_ptr<const UnitFeatures>> units_;
};

TEST_F(StoredProbes, FindsTheLayerThatTells) {
  EXPECT_THAT(ProbeCorpus::Make(units_).value().cells(),
              ElementsAre(ProbeCell{0, 0}, ProbeCell{0, 1}, ProbeCell{1, 0}));
  const CellProbe probe = Probe({0, 0});
  const ProbeFit first = probe.Fit(0).value(), second = probe.Fit(5).value(),
                 third = probe.Fit(12).value(), all = probe.Fit(kAllLayers).value();
  EXPECT_EQ(first.train_count + first.validation_count, 240);
  EXPECT_NEAR(first.macro_f1->value, 1.0 / 3, 0.15);
  EXPECT_EQ(second.macro_f1->value, 1);
  EXPECT_GT(third.macro_f1->value, first.macro_f1->value);
  EXPECT_LT(third.macro_f1->value, 0.95);
  EXPECT_GT(all.macro_f1->value, 0.98);
  EXPECT_NEAR(Probe({0, 1}).Fit(5)->macro_f1->value, 1.0 / 3, 0.15);
}

TEST_F(StoredProbes, CellsShareTheirSplit) {
  const ProbePlan one = Probe({0, 0}).plan(), other = Probe({0, 1}).plan();
  EXPECT_EQ(one.split.train, other.split.train);
  EXPECT_FALSE(one.split.validation.empty());
  EXPECT_NE(Probe({0, 0}, {.seed = 4}).plan().split.train, one.split.train);
}

TEST_F(StoredProbes, OrderAndRepetitionOfUnitsDoNotMatter) {
  const ProbeFit fit = Probe({0, 0}).Fit(12).value();
  units_ = {units_[2], units_[0], units_[1], units_[0], store_.Read(KeyOf(2)).value()};
  const ProbeFit again = Probe({0, 0}).Fit(12).value();
  EXPECT_EQ(again.train_count, fit.train_count);
  EXPECT_EQ(again.macro_f1->value, fit.macro_f1->value);
  EXPECT_EQ(again.macro_f1->low, fit.macro_f1->low);
  EXPECT_EQ(again.evaluations, fit.evaluations);
}

TEST_F(StoredProbes, StreamsWhatDoesNotFitInMemory) {
  const ProbeFit memory = Probe({0, 0}).Fit(kAllLayers).value();
  const ProbeFit stream = Probe({0, 0}, {.in_memory_bytes = 0}).Fit(kAllLayers).value();
  EXPECT_EQ(stream.macro_f1->value, memory.macro_f1->value);
  EXPECT_EQ(stream.evaluations, memory.evaluations);
  EXPECT_EQ(stream.train_count, memory.train_count);
}

TEST_F(StoredProbes, NoteInPlaceOfTheNumber) {
  const CellProbe probe = Probe({1, 0});
  EXPECT_EQ(probe.Fit(5)->macro_f1->value, 1);  // its layer is in order
  for (const int layer : {12, kAllLayers}) {
    const ProbeFit fit = probe.Fit(layer).value();
    EXPECT_FALSE(fit.macro_f1.has_value());
    EXPECT_EQ(fit.note, "a hidden state is not finite, in passage 'p33'");
  }
  const ProbeFit nothing = Probe({7, 7}).Fit(5).value();
  EXPECT_FALSE(nothing.macro_f1.has_value());
  EXPECT_EQ(nothing.note, "no hidden state of this cell is stored");
  EXPECT_THAT(nothing.tags, IsEmpty());
}

TEST_F(StoredProbes, RefusesWhatDoesNotFitTogether) {
  const absl::Status layer = Probe({0, 0}).Fit(3).status();
  EXPECT_EQ(layer.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(layer.message()), HasSubstr("layer 3 was not probed; layers: 0, 5, 12"));

  EXPECT_THAT(std::string(ProbeCorpus::Make({}).status().message()), HasSubstr("no unit"));
  ASSERT_TRUE(store_.Write(KeyOf(8), {.width = kWidth, .layers = {0, 5}}).value()->Commit().ok());
  units_.push_back(store_.Read(KeyOf(8)).value());
  const absl::Status shapes = ProbeCorpus::Make(units_).status();
  EXPECT_EQ(shapes.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(shapes.message()), HasSubstr("width 8, layers 0,5,12"));
  EXPECT_THAT(std::string(shapes.message()), HasSubstr("width 8, layers 0,5"));
}

TEST_F(StoredProbes, SaysThatAFileCannotBeRead) {
  const CellProbe probe = Probe({0, 0});
  std::filesystem::resize_file(folder_.path() / (KeyOf(1) + ".features"), 200);
  const absl::Status status = probe.Fit(5).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr(KeyOf(1)));
}

}  // namespace
}  // namespace kvscope::metrics
