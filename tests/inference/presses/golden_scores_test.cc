// Presses on a real forward pass: scores and keep sets are kvpress's.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <tuple>
#include <vector>

#include "services/inference/checkpoint/safetensors.h"
#include "services/inference/engine/prefill.h"
#include "services/inference/models/load.h"
#include "services/inference/presses/apply.h"
#include "tests/inference/presses/golden_cases.h"

namespace kvscope::inference {
namespace {

const std::filesystem::path kGolden = std::filesystem::path(KVSCOPE_SOURCE_DIR) / "tests/golden";

constexpr float kTolerance = 2e-5f;  // of a layer's largest score, as the golden data recommends

struct Scored {
  GoldenCase golden;
  Press press;
  ScoreTable table;
};

// The cases of one model.
std::vector<Scored> ReadCases(const std::string& model, const ModelConfig& config, int tokens) {
  const std::vector<std::string> files = GoldenFiles(model);
  std::vector<Scored> cases;
  for (const GoldenPress& press : GoldenPresses()) {
    if (std::find(files.begin(), files.end(), press.name) == files.end()) continue;
    cases.push_back({.golden = ReadGoldenCase(model, press),
                     .press = *ParsePress(press.expression, 0),
                     .table = ScoreTable(config.layers, config.kv_heads, tokens)});
  }
  return cases;
}

std::vector<int32_t> ContextIds(const std::string& model) {
  const auto file = SafetensorsFile::Open(kGolden / "presses" / model / "_context.safetensors");
  if (!file.ok()) {
    ADD_FAILURE() << file.status();
    return {};
  }
  const Tensor ids = *file->Get("context_ids");
  const auto* data = static_cast<const int64_t*>(ids.data());
  return std::vector<int32_t>(data, data + ids.size());
}

// Compares the scores of all layers; returns what each layer's may differ by.
std::vector<float> ExpectSameScores(const ScoreTable& table, const GoldenCase& golden) {
  std::vector<float> tolerance;
  for (int layer = 0; layer < golden.scores.layers(); ++layer) {
    const ConstScoreMatrix expected = golden.scores.layer(layer);
    tolerance.push_back(kTolerance * expected.cwiseAbs().maxCoeff());
    if (golden.name == "random") continue;  // other random numbers: only the counts compare
    EXPECT_LE((table.layer(layer) - expected).cwiseAbs().maxCoeff(), tolerance.back())
        << "layer " << layer;
  }
  return tolerance;
}

class GoldenScores : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(GoldenScores, AreKvpressScoresAndKeepSets) {
  const auto& [name, device] = GetParam();
  const auto model = LoadModel(kGolden / "models" / name, device, "float32");
  ASSERT_TRUE(model.ok()) << model.status();
  const std::vector<int32_t> ids = ContextIds(name);
  std::vector<Scored> cases = ReadCases(name, (*model)->config, static_cast<int>(ids.size()));
  ASSERT_GE(cases.size(), 7u);

  PrefillRequest request;
  request.ids = ids;
  request.needs = {.keys = true, .values = true, .queries = true};
  request.sink = [&](const LayerView& layer) {
    for (Scored& scored : cases) {
      ScoreLayer(scored.press, layer, scored.table.layer(layer.layer));
    }
  };
  Workspace workspace(*(*model)->ops, (*model)->config);
  const auto result = Prefill(**model, request, workspace);
  ASSERT_TRUE(result.ok()) << result.status();

  for (const Scored& scored : cases) {
    SCOPED_TRACE(scored.golden.name);
    const std::vector<float> tolerance = ExpectSameScores(scored.table, scored.golden);
    for (const GoldenCut& cut : scored.golden.cuts) {
      SCOPED_TRACE(cut.ratio);
      const KeepSet kept = Keep(scored.press, scored.table, cut.ratio);
      EXPECT_EQ(kept.kept_count(), cut.kept.kept_count());
      if (scored.golden.name == "random") continue;
      ExpectSameKeepSet(kept, cut, scored.golden, tolerance);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenScores,
                         ::testing::Combine(::testing::ValuesIn(GoldenModels()),
                                            ::testing::Values("reference", "cpu")),
                         [](const auto& info) {
                           std::string name =
                               std::get<0>(info.param) + "_" + std::get<1>(info.param);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace kvscope::inference
