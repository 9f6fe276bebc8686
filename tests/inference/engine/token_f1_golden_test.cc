// The F1 of texts, from their bytes on: as transformers' tokenizers and a plain count give it
// (tests/golden/make_token_f1.py).
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "services/inference/engine/scoring_ids.h"
#include "services/metrics/outcome/token_f1.h"

namespace kvscope::inference {
namespace {

const std::string kGolden = std::string(KVSCOPE_SOURCE_DIR) + "/tests/golden";

void ExpectScores(const std::string& folder, const std::string& name) {
  std::ifstream file(kGolden + "/metrics/scored_texts.json");
  const auto golden = nlohmann::json::parse(file, nullptr, false);
  ASSERT_TRUE(golden.is_object());
  const auto loaded = Tokenizer::Load(folder + "/" + name);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const Tokenizer& tokenizer = **loaded;
  const auto& pairs = golden["pairs"];
  ASSERT_GE(pairs.size(), 400u);
  ASSERT_EQ(golden["f1"][name].size(), pairs.size());
  for (size_t i = 0; i < pairs.size(); ++i) {
    std::vector<std::vector<int32_t>> aliases;
    for (const std::string alias : pairs[i]["aliases"]) {
      aliases.push_back(ScoringIds(tokenizer, alias));
    }
    const double f1 =
        metrics::BestTokenF1(ScoringIds(tokenizer, pairs[i]["answer"].get<std::string>()),
                             ScoringIds(tokenizer, pairs[i]["gold"].get<std::string>()), aliases);
    EXPECT_NEAR(f1, golden["f1"][name][i].get<double>(), 1e-12) << i << ": " << pairs[i];
  }
}

TEST(TokenF1Golden, Llama3) { ExpectScores(kGolden + "/tokenizers", "llama3-4k"); }
TEST(TokenF1Golden, Qwen2) { ExpectScores(kGolden + "/tokenizers", "qwen2-4k"); }

// The paper's tokenizer itself, and Qwen2.5's, where KVSCOPE_REAL_TOKENIZERS names their folder.
class RealTokenizerF1 : public testing::TestWithParam<const char*> {};

TEST_P(RealTokenizerF1, IsTheReferences) {
  const char* folder = std::getenv("KVSCOPE_REAL_TOKENIZERS");
  if (folder == nullptr) GTEST_SKIP() << "KVSCOPE_REAL_TOKENIZERS is not set";
  ExpectScores(folder, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Golden, RealTokenizerF1, testing::Values("llama3-real", "qwen2.5-real"),
                         [](const auto& info) { return info.index == 0 ? "llama3" : "qwen2_5"; });

}  // namespace
}  // namespace kvscope::inference
