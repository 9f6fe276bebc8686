#include "tests/inference/presses/golden_cases.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "services/inference/checkpoint/safetensors.h"
#include "services/inference/presses/press.h"

namespace kvscope::inference {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = fs::path(KVSCOPE_SOURCE_DIR) / "tests/golden/presses";

KeepSet ReadKeepSet(const Tensor& mask) {
  KeepSet kept(mask.dim(0), mask.dim(1), mask.dim(2));
  const auto* bits = static_cast<const uint8_t*>(mask.data());
  for (int layer = 0; layer < kept.layers(); ++layer) {
    for (int head = 0; head < kept.kv_heads(); ++head) {
      for (int token = 0; token < kept.tokens(); ++token) {
        if (*bits++ != 0) kept.Keep(layer, head, token);
      }
    }
  }
  return kept;
}

ScoreTable ReadScores(const Tensor& scores) {
  ScoreTable table(scores.dim(0), scores.dim(1), scores.dim(2));
  for (int layer = 0; layer < table.layers(); ++layer) {
    const float* data = scores.f32() + int64_t{layer} * table.kv_heads() * table.tokens();
    table.layer(layer) = ConstScoreMatrix(data, table.kv_heads(), table.tokens());
  }
  return table;
}

// Which competition of its layer a pair takes part in.
int CompetitionOf(const Press& press, int head, int token) {
  if (press.expression.starts_with("adakv")) return 0;
  const int span = press.budget->score_span_tokens();
  return head * 10000 + (span > 0 ? token / span : 0);
}

}  // namespace

const std::vector<GoldenPress>& GoldenPresses() {
  static const std::vector<GoldenPress> kPresses = {
      {"knorm", "knorm"},
      {"random", "random"},
      {"streaming_llm", "streaming_llm"},
      {"streaming_llm_sink0", "streaming_llm(n_sink=0)"},
      {"snapkv", "snapkv"},
      {"snapkv_w16", "snapkv(window_size=16)"},
      {"snapkv_w16_k7", "snapkv(window_size=16, kernel_size=7)"},
      {"expected_attention", "expected_attention"},
      {"expected_attention_novnorm", "expected_attention(use_vnorm=false)"},
      {"expected_attention_nocov", "expected_attention(use_covariance=false)"},
      {"expected_attention_sink0", "expected_attention(n_sink=0)"},
      {"expected_attention_sink9_eps", "expected_attention(n_sink=9, epsilon=0.01)"},
      {"expected_attention_future16", "expected_attention(n_future_positions=16)"},
      {"chunk_knorm_64", "chunk(knorm, chunk_length=64)"},
      {"chunk_expected_attention_64", "chunk(expected_attention, chunk_length=64)"},
      {"adakv_expected_attention", "adakv(expected_attention)"},
      {"adakv_snapkv", "adakv(snapkv)"},
      {"adakv_snapkv_w16", "adakv(snapkv(window_size=16))"},
      {"adakv_knorm_safe0", "adakv(knorm, alpha_safeguard=0)"},
  };
  return kPresses;
}

std::vector<std::string> GoldenModels() {
  std::vector<std::string> models;
  for (const auto& entry : fs::directory_iterator(kRoot)) {
    if (entry.is_directory()) models.push_back(entry.path().filename());
  }
  std::sort(models.begin(), models.end());
  return models;
}

std::vector<std::string> GoldenFiles(const std::string& model) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kRoot / model)) {
    const std::string name = entry.path().stem();
    if (entry.path().extension() == ".safetensors" && name != "_context") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

GoldenCase ReadGoldenCase(const std::string& model, const GoldenPress& press) {
  GoldenCase golden{
      .model = model, .name = press.name, .expression = press.expression, .scores = {}, .cuts = {}};
  const auto file =
      SafetensorsFile::Open(kRoot / model / (std::string(press.name) + ".safetensors"));
  if (!file.ok()) {
    ADD_FAILURE() << file.status();
    return golden;
  }
  if (file->Has("scores")) golden.scores = ReadScores(*file->Get("scores"));
  std::ifstream rows(kRoot / model / "cases.json");
  for (const auto& row : nlohmann::json::parse(rows)) {
    if (row["press"] != press.name) continue;
    const auto mask = file->Get(row["tag"].get<std::string>() + ".kept_mask");
    if (!mask.ok()) {
      ADD_FAILURE() << mask.status();
      continue;
    }
    golden.cuts.push_back({.ratio = row["param"].get<double>(),
                           .kept = ReadKeepSet(*mask),
                           .ties = row["groups_with_exact_tie"].get<int>() > 0});
  }
  return golden;
}

void ExpectSameKeepSet(const KeepSet& actual, const GoldenCut& cut, const GoldenCase& golden,
                       const std::vector<float>& tolerance) {
  if (actual == cut.kept) return;
  const Press press = *ParsePress(golden.expression, 0);
  ASSERT_EQ(actual.layers(), cut.kept.layers());
  ASSERT_EQ(actual.kv_heads(), cut.kept.kv_heads());
  ASSERT_EQ(actual.tokens(), cut.kept.tokens());
  ASSERT_EQ(golden.scores.layers(), actual.layers()) << "no scores that could excuse a difference";
  for (int layer = 0; layer < actual.layers(); ++layer) {
    struct Swap {
      std::vector<float> ours, theirs;  // scores of what only one of both keeps
    };
    std::map<int, Swap> swaps;
    for (int head = 0; head < actual.kv_heads(); ++head) {
      for (int token = 0; token < actual.tokens(); ++token) {
        const bool ours = actual.kept(layer, head, token);
        if (ours == cut.kept.kept(layer, head, token)) continue;
        Swap& swap = swaps[CompetitionOf(press, head, token)];
        (ours ? swap.ours : swap.theirs).push_back(golden.scores.layer(layer)(head, token));
      }
    }
    for (const auto& [competition, swap] : swaps) {
      EXPECT_EQ(swap.ours.size(), swap.theirs.size()) << "layer " << layer;
      for (const float ours : swap.ours) {
        for (const float theirs : swap.theirs) {
          EXPECT_LE(std::abs(ours - theirs), tolerance[layer])
              << "layer " << layer << ": keeps a pair that scores " << ours << " for one of "
              << theirs;
        }
      }
    }
  }
}

}  // namespace kvscope::inference
