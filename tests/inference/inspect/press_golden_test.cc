// Every press case that kvpress computed: scores, keep sets, first logits and answers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <vector>

#include "services/inference/checkpoint/safetensors.h"
#include "services/inference/inspect/press.h"
#include "services/inference/models/load.h"
#include "services/inference/ops/backends.h"
#include "services/inference/presses/press.h"
#include "tests/inference/ops/devices.h"
#include "tests/inference/presses/golden_cases.h"

namespace kvscope::inference {
namespace {

const std::string kGolden = KVSCOPE_SOURCE_DIR "/tests/golden/";
constexpr double kRatios[] = {0.1, 0.3, 0.5, 0.7, 0.9};
constexpr int kAnswerTokens = 16;
constexpr float kScoreTolerance = 2e-5f;  // of the largest score of the layer
constexpr float kLogitTolerance = 2e-3f;
constexpr float kSafeMargin = 5e-3f;  // below it float noise may choose another token

std::vector<float> Floats(const Tensor& tensor) {
  return {tensor.f32(), tensor.f32() + tensor.size()};
}

std::vector<int32_t> Ids(const Tensor& tensor) {
  const auto* data = static_cast<const int64_t*>(tensor.data());
  return {data, data + tensor.size()};
}

// One model with its cases on one device.
class PressGolden : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  void SetUp() override {
    const auto& [model, device] = GetParam();
    SetComputeThreads(1);  // tiny products: more threads only wait for each other
    auto loaded = LoadModel(kGolden + "models/" + model, device, "float32");
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    model_ = *std::move(loaded);
    folder_ = kGolden + "presses/" + model + "/";
    std::ifstream cases(folder_ + "cases.json");
    for (const auto& row : nlohmann::json::parse(cases)) {
      ties_[row["press"].get<std::string>() + row["tag"].get<std::string>()] =
          row["groups_with_exact_tie"].get<int>() > 0;
    }
  }

  PressView Inspect(const std::string& expression, std::vector<double> ratios) {
    const SafetensorsFile context = *SafetensorsFile::Open(folder_ + "_context.safetensors");
    const auto press = ParsePress(expression, 0);
    EXPECT_TRUE(press.ok()) << press.status();
    const auto view = ViewPress(*model_, {.context_ids = Ids(*context.Get("context_ids")),
                                          .press = *press,
                                          .ratios = std::move(ratios),
                                          .question_ids = Ids(*context.Get("question_ids")),
                                          .max_new_tokens = kAnswerTokens});
    EXPECT_TRUE(view.ok()) << view.status();
    return *view;
  }

  // Tokens are the same up to the first step that float noise may decide otherwise.
  static void ExpectAnswer(const std::vector<int32_t>& answer, const SafetensorsFile& golden,
                           const std::string& tag) {
    const std::vector<int32_t> expected = Ids(*golden.Get(tag + ".answer_tokens"));
    const std::vector<float> margins = Floats(*golden.Get(tag + ".answer_margin"));
    ASSERT_EQ(answer.size(), expected.size());
    for (size_t i = 0; i < expected.size() && margins[i] >= kSafeMargin; ++i) {
      ASSERT_EQ(answer[i], expected[i]) << "at step " << i;
    }
  }

  void ExpectFirstLogits(const PressView::Cell& cell, const SafetensorsFile& golden,
                         const std::string& tag) {
    const int vocab = model_->config.vocab_size;
    const std::string all = tag + ".answer_logits";
    const std::vector<float> expected =
        Floats(*golden.Get(golden.Has(all) ? all : tag + ".answer_logits_first"));
    ASSERT_EQ(expected.size() % static_cast<size_t>(vocab), 0u);
    float error = 0;
    for (size_t i = 0; i < static_cast<size_t>(vocab); ++i) {
      error = std::max(error, std::abs(cell.answer_logits[i] - expected[i]));
    }
    EXPECT_LE(error, kLogitTolerance);
  }

  // Whether the keep sets are equal. With exact ties kvpress's choice is arbitrary, so only counts
  // can be compared. Else entries may differ only where float noise decides: all of a layer's lie
  // within twice the scores' tolerance of each other.
  static bool ExpectKept(const PressView::Cell& cell, const SafetensorsFile& golden,
                         const std::string& tag, bool ties) {
    const Tensor mask = *golden.Get(tag + ".kept_mask");
    const auto* bytes = static_cast<const uint8_t*>(mask.data());
    const Tensor scores = *golden.Get(golden.Has("scores") ? "scores" : tag + ".scores");
    const float* score = scores.f32();
    const KeepSet& kept = cell.kept;
    int64_t count = 0;
    bool equal = true;
    for (int layer = 0; layer < kept.layers(); ++layer) {
      float largest = 0, low = INFINITY, high = -INFINITY;  // low, high: of differing entries
      for (int head = 0; head < kept.kv_heads(); ++head) {
        for (int t = 0; t < kept.tokens(); ++t, ++bytes, ++score) {
          count += *bytes;
          largest = std::max(largest, std::abs(*score));
          if (kept.kept(layer, head, t) == (*bytes != 0)) continue;
          equal = false;
          low = std::min(low, *score);
          high = std::max(high, *score);
        }
      }
      if (!ties && low <= high) {
        EXPECT_LE(high - low, 2 * kScoreTolerance * largest) << "layer " << layer;
      }
    }
    EXPECT_EQ(kept.kept_count(), count);
    return equal;
  }

  std::unique_ptr<LoadedModel> model_;
  std::string folder_;
  std::map<std::string, bool> ties_;  // by press and tag
};

TEST_P(PressGolden, KeepsAndAnswersAsKvpress) {
  const std::vector<double> ratios(std::begin(kRatios), std::end(kRatios));
  int presses = 0, equal_cells = 0;
  for (const GoldenPress& press : GoldenPresses()) {
    const std::string name = press.name;
    if (name == "random") continue;  // its draws are its own
    const auto golden = SafetensorsFile::Open(folder_ + name + ".safetensors");
    if (!golden.ok()) continue;  // not computed for this model
    ++presses;
    const PressView view = Inspect(press.expression, ratios);
    ASSERT_EQ(view.cells.size(), ratios.size());
    for (const PressView::Cell& cell : view.cells) {
      char tag[32];
      std::snprintf(tag, sizeof tag, "p%g", cell.ratio);
      SCOPED_TRACE(name + " " + tag);
      if (!ExpectKept(cell, *golden, tag, ties_.at(name + tag))) continue;
      ++equal_cells;
      ExpectFirstLogits(cell, *golden, tag);
      ExpectAnswer(cell.answer, *golden, tag);
    }
  }
  EXPECT_GE(presses, 7);
  EXPECT_GE(equal_cells, presses * 5 - 5);  // ties are few
}

TEST_P(PressGolden, WholeCacheAnswersAsTransformers) {
  const SafetensorsFile golden = *SafetensorsFile::Open(folder_ + "_context.safetensors");
  const PressView view = Inspect("knorm", {0.0});
  ExpectFirstLogits(view.cells[0], golden, "full");
  ExpectAnswer(view.cells[0].answer, golden, "full");
  EXPECT_EQ(view.cells[0].kept, KeepSet::Everything(view.scores.layers(), view.scores.kv_heads(),
                                                    view.scores.tokens()));
}

// Every model on every device; the slow reference runs two of them.
std::vector<std::tuple<std::string, std::string>> ModelsAndDevices() {
  std::vector<std::tuple<std::string, std::string>> all = {{"llama-tied", "reference"},
                                                           {"qwen3-tiny", "reference"}};
  for (const std::string& device : OtherDevices()) {
    for (const char* model : {"llama3-tiny", "llama-tied", "qwen2-tiny", "qwen3-tiny"}) {
      all.emplace_back(model, device);
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Models, PressGolden, ::testing::ValuesIn(ModelsAndDevices()),
                         [](const auto& info) {
                           std::string name =
                               std::get<0>(info.param) + "_" + std::get<1>(info.param);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace kvscope::inference
