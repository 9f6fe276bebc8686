#include "services/inference/engine/prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace kvscope::inference {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A model directory whose kvscope.json says `text`.
std::string DirectoryWith(const std::string& text) {
  const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
  const std::filesystem::path dir =
      std::filesystem::path(::testing::TempDir()) / (std::string("prompt_") + info->name());
  std::filesystem::create_directories(dir);
  std::ofstream(dir / "kvscope.json") << text;
  return dir.string();
}

TEST(Prompt, PiecesAreTheSweepsThenTheModelsThenThePapers) {
  PromptPieces sweep, model;
  sweep.instruction = "From the sweep.";
  model.instruction = "From the model.";
  model.question_prefix = "Q: ";
  sweep.answer_prefix = "";
  model.answer_prefix = "unused";
  const Prompt prompt = ChoosePieces(sweep, model);
  EXPECT_EQ(prompt.instruction, "From the sweep.");
  EXPECT_EQ(prompt.question_prefix, "Q: ");
  EXPECT_EQ(prompt.answer_prefix, "");  // set to nothing is set
  EXPECT_EQ(prompt.aware_line, "You will be given one of the following questions:");
  EXPECT_EQ(prompt.question_suffix, "");
}

TEST(Prompt, PapersWords) {
  EXPECT_EQ(ChoosePieces({}, {}).instruction,
            "Read the following text and answer briefly based on it. Return only the answer. Do "
            "not generate extra.");
}

TEST(Prompt, ModelDirectoryMayHaveNoPieces) {
  const auto pieces = ReadModelPieces(::testing::TempDir() + "/no-such-directory");
  ASSERT_TRUE(pieces.ok()) << pieces.status();
  EXPECT_FALSE(pieces->instruction.has_value());
}

TEST(Prompt, ReadsThePocketModelsPieces) {
  const auto pieces = ReadModelPieces(KVSCOPE_SOURCE_DIR "/models/pocket-llama");
  ASSERT_TRUE(pieces.ok()) << pieces.status();
  EXPECT_EQ(pieces->instruction, "Answer the question using the passage.");
  EXPECT_EQ(pieces->question_prefix, "Question: ");
  EXPECT_EQ(pieces->question_suffix, "\nAnswer:");
}

TEST(Prompt, BadPiecesAreRefusedByName) {
  const std::pair<std::string, std::string> cases[] = {
      {"[1]", "not a JSON object"},
      {"{", "not a JSON object"},
      {R"({"prompt": 3})", "`prompt` is number"},
      {R"({"prompt": {"instruction": 3}})", "`prompt.instruction` is number"},
      {R"({"prompt": {"instructions": "x"}})", "`prompt.instructions` is unknown"},
  };
  for (const auto& [text, message] : cases) {
    const auto pieces = ReadModelPieces(DirectoryWith(text));
    EXPECT_EQ(pieces.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(pieces.status().message()),
                AllOf(HasSubstr("kvscope.json"), HasSubstr(message)));
  }
}

const ChatPieces kChat = {.head = "<bos><user>", .tail = "<end><assistant>"};
const Prompt kPrompt = {.instruction = "Read.",
                        .aware_line = "One of:",
                        .question_prefix = "Q: ",
                        .question_suffix = "?!",
                        .answer_prefix = "A:"};

TEST(Prompt, AgnosticContext) {
  const ContextText context = WriteContext(kChat, kPrompt, {}, "The passage.");
  EXPECT_EQ(context.text, "<bos><user>Read.\nThe passage.\n");
  EXPECT_EQ(context.text.substr(context.passage_begin, context.passage_end - context.passage_begin),
            "The passage.");
}

TEST(Prompt, AwareContextListsTheQuestions) {
  const std::vector<Question> listed = {{.question = "Who", .answer = "a", .aliases = {}},
                                        {.question = "Where", .answer = "b", .aliases = {}}};
  const ContextText context = WriteContext(kChat, kPrompt, listed, "The passage.");
  EXPECT_EQ(context.text, "<bos><user>Read.\nOne of:\nWho\nWhere\nThe passage.\n");
  EXPECT_EQ(context.text.substr(context.passage_begin), "The passage.\n");
}

TEST(Prompt, Suffix) {
  EXPECT_EQ(WriteSuffix(kChat, kPrompt, "Who"), "Q: Who?!<end><assistant>A:");
}

}  // namespace
}  // namespace kvscope::inference
