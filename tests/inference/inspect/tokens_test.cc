#include "services/inference/inspect/tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "services/inference/inspect/chat.h"

namespace kvscope::inference {
namespace {

using testing::HasSubstr;

const std::string kLlama = std::string(KVSCOPE_SOURCE_DIR) + "/tests/golden/tokenizers/llama3-4k";

// What InspectTokens prints, or the message of its error.
std::string Inspect(const InspectTokensOptions& options, const std::string& input) {
  std::istringstream in(input);
  std::ostringstream out;
  const absl::Status status = InspectTokens(options, in, out);
  return status.ok() ? out.str() : std::string(status.message());
}

TEST(InspectTokens, EncodesAllOfItsInput) {
  EXPECT_EQ(Inspect({.model_dir = kLlama}, "   "), "{\"ids\":[258]}\n");
  EXPECT_EQ(Inspect({.model_dir = kLlama}, "\n"), "{\"ids\":[198]}\n");
  EXPECT_EQ(Inspect({.model_dir = kLlama, .add_special_tokens = true}, ""), "{\"ids\":[3992]}\n");
}

TEST(InspectTokens, GivesOffsetsInCharacters) {
  EXPECT_EQ(Inspect({.model_dir = kLlama, .offsets = true}, "\nǿ"),
            "{\"ids\":[198,131,123],\"offsets\":[[0,1],[1,2],[1,2]]}\n");
}

TEST(InspectTokens, DecodesListsAndObjects) {
  EXPECT_EQ(Inspect({.model_dir = kLlama, .decode = true}, "[258, 3992]"), "   <|begin_of_text|>");
  EXPECT_EQ(Inspect({.model_dir = kLlama, .decode = true, .skip_special_tokens = true},
                    "{\"ids\": [258, 3992]}"),
            "   ");
}

TEST(InspectTokens, TranslatesLineByLine) {
  EXPECT_EQ(Inspect({.model_dir = kLlama, .lines = true}, "\" \"\n\"\\n\\n\"\n"), "[220]\n[290]\n");
  EXPECT_EQ(Inspect({.model_dir = kLlama, .decode = true, .lines = true}, "[220]\n[290]\n"),
            "\" \"\n\"\\n\\n\"\n");
}

TEST(InspectTokens, RefusesOtherInput) {
  EXPECT_THAT(Inspect({.model_dir = kLlama, .decode = true}, "hello"),
              HasSubstr("the input must be a JSON list of token ids"));
  EXPECT_THAT(Inspect({.model_dir = kLlama, .decode = true}, "[-1]"),
              HasSubstr("list of token ids"));
  EXPECT_THAT(Inspect({.model_dir = kLlama, .lines = true}, "\"a\"\n[1]\n"),
              HasSubstr("line 2 of the input must be a JSON string"));
  EXPECT_THAT(Inspect({.model_dir = "/nowhere"}, ""), HasSubstr("/nowhere/tokenizer.json"));
}

TEST(InspectChat, RendersMessages) {
  const auto text = InspectChat({.model_dir = kLlama, .add_generation_prompt = true},
                                R"([{"role": "user", "content": " Hi "}])");
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(*text,
            "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n");
}

TEST(InspectChat, RefusesWhatAreNoMessages) {
  EXPECT_THAT(std::string(InspectChat({.model_dir = kLlama}, "{}").status().message()),
              HasSubstr("the messages"));
  EXPECT_THAT(std::string(InspectChat({.model_dir = kLlama}, "[").status().message()),
              HasSubstr("not valid JSON"));
}

}  // namespace
}  // namespace kvscope::inference
