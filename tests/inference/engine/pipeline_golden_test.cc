// Text in, text out: what kvpress's own pipeline answered.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "services/inference/engine/decode.h"
#include "services/inference/engine/keep.h"
#include "services/inference/engine/score.h"
#include "services/inference/models/load.h"
#include "services/inference/ops/backends.h"
#include "services/inference/presses/press.h"
#include "services/inference/tokenizer/chat_template.h"
#include "services/inference/tokenizer/tokenizer.h"
#include "tests/inference/ops/devices.h"

namespace kvscope::inference {
namespace {

const std::string kGolden = KVSCOPE_SOURCE_DIR "/tests/golden/";

// The rows of pipeline.json by a press of ours ("none": ratio 0 of any).
const std::map<std::string, std::string>& Expressions() {
  static const auto* expressions = new std::map<std::string, std::string>{
      {"none", "knorm"},
      {"knorm", "knorm"},
      {"snapkv_w16", "snapkv(window_size=16)"},
      {"expected_attention", "expected_attention"},
  };
  return *expressions;
}

// Whether some head's worst kept and best dropped score are equal but for float noise. Equal tokens
// have keys of equal length in layer 0, so that Knorm's choice among them is arbitrary.
bool ChoiceIsArbitrary(const ScoreTable& scores, const KeepSet& kept) {
  for (int layer = 0; layer < kept.layers(); ++layer) {
    for (int head = 0; head < kept.kv_heads(); ++head) {
      const auto row = scores.layer(layer).row(head);
      float low = INFINITY, high = -INFINITY;
      for (int t = 0; t < kept.tokens(); ++t) {
        if (kept.kept(layer, head, t)) {
          low = std::min(low, row[t]);
        } else {
          high = std::max(high, row[t]);
        }
      }
      if (low - high <= 1e-6f * row.cwiseAbs().maxCoeff()) return true;
    }
  }
  return false;
}

// What the engine answers; nothing where float noise decides what is kept.
std::optional<std::vector<std::string>> Answers(const nlohmann::json& row,
                                                const Tokenizer& tokenizer,
                                                const std::string& device) {
  SetComputeThreads(1);  // tiny products: more threads only wait for each other
  const auto model =
      *LoadModel(kGolden + "models/" + row["model"].get<std::string>(), device, "float32");
  const std::string name = row["press"];
  const std::vector<Press> presses = {*ParsePress(Expressions().at(name), 0)};
  const std::vector<double> ratios = {name == "none" ? 0 : row["ratio"].get<double>()};
  const auto context = row["context_ids"].get<std::vector<int32_t>>();
  const auto questions = row["questions_ids"].get<std::vector<std::vector<int32_t>>>();

  GridScores scores(presses, model->config.layers, model->config.kv_heads,
                    static_cast<int>(context.size()));
  Workspace workspace(*model->ops, model->config);
  const KvCache cache = *PrefillAndScore(*model, context, &scores, workspace);
  const GridKeepSets sets = *CutKeepSets(presses, ratios, scores);
  if (ratios[0] > 0 && ChoiceIsArbitrary(scores.of(0), sets.distinct[0])) return std::nullopt;
  std::vector<Stream> streams;
  for (const std::vector<int32_t>& question : questions) streams.push_back({.suffix = question});
  const std::vector<int32_t> end = {row["eos_token_id"].get<int32_t>()};
  StreamBatch batch;
  batch.sets = sets.distinct;
  batch.streams = streams;
  batch.max_new_tokens = row["max_new_tokens"];
  batch.end_tokens = end;
  std::vector<std::string> answers;
  const auto decoded = *DecodeStreams(*model->decoder, cache, batch, workspace);
  for (const DecodedStream& stream : decoded) {
    answers.push_back(tokenizer.Decode(stream.tokens, /*skip_special_tokens=*/true));
  }
  return answers;
}

class PipelineGolden : public testing::TestWithParam<std::string> {};

TEST_P(PipelineGolden, AnswersTheTextThatKvpressAnswers) {
  std::ifstream file(kGolden + "presses/pipeline.json");
  int rows = 0, compared = 0;
  for (const auto& row : nlohmann::json::parse(file)) {
    if (!Expressions().contains(row["press"])) continue;  // rewrites the cache: no press of ours
    SCOPED_TRACE(row["model"].get<std::string>() + " " + row["press"].get<std::string>());
    ++rows;
    const auto tokenizer = Tokenizer::Load(kGolden + "models/" + row["model"].get<std::string>());
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    const auto chat = SplitChat(**tokenizer);
    ASSERT_TRUE(chat.ok()) << chat.status();
    EXPECT_EQ((*tokenizer)->Encode(chat->head + row["context"].get<std::string>(), false),
              row["context_ids"].get<std::vector<int32_t>>());
    for (size_t q = 0; q < row["questions"].size(); ++q) {
      EXPECT_EQ((*tokenizer)->Encode(row["questions"][q].get<std::string>() + chat->tail, false),
                row["questions_ids"][q].get<std::vector<int32_t>>());
    }
    const auto answers = Answers(row, **tokenizer, GetParam());
    if (!answers) {
      EXPECT_EQ(row["press"], "knorm");
      continue;
    }
    ++compared;
    EXPECT_EQ(*answers, row["answers"].get<std::vector<std::string>>());
  }
  EXPECT_EQ(rows, 8);
  EXPECT_GE(compared, 6);
}

INSTANTIATE_TEST_SUITE_P(Devices, PipelineGolden, testing::ValuesIn(OtherDevices()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace kvscope::inference
