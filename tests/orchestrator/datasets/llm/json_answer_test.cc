#include "services/orchestrator/datasets/llm/json_answer.h"

#include <gmock/gmock.h>

#include <random>

namespace kvscope::orchestrator::llm {
namespace {

using testing::HasSubstr;

int64_t Found(std::string_view answer) {
  const auto object = FindJsonObject(answer, "n");
  return object.ok() ? object->at("n").get<int64_t>() : -1;
}

TEST(JsonAnswer, FindsTheObjectWhateverStandsAround) {
  EXPECT_EQ(Found(R"({"n": 1})"), 1);
  EXPECT_EQ(Found("Sure!\n```json\n{\"n\": 2}\n```\nAnything else?"), 2);
  EXPECT_EQ(Found(R"(<think>{"n": 9} or {</think> {"n": 3})"), 3);
  EXPECT_EQ(Found(R"(As {asked}: {"m": {"n": 9}} and {"n": 4})"), 4);
  EXPECT_EQ(Found(R"({"text": "a } and a \" {", "n": 5})"), 5);
}

TEST(JsonAnswer, SaysWhatIsWrong) {
  const auto error = [](std::string_view answer) {
    return std::string(FindJsonObject(answer, "n").status().message());
  };
  EXPECT_THAT(error("I cannot."), HasSubstr("no JSON object with the key \"n\""));
  EXPECT_THAT(error(R"({"m": 1})"), HasSubstr("no JSON object"));
  EXPECT_THAT(error(R"({"n": [1, 2)"), HasSubstr("not closed"));
  EXPECT_THAT(error(R"({"n": 1,})"), HasSubstr("not well formed"));
  EXPECT_THAT(error("{\"n\": \"\xFF\"}"), HasSubstr("not well formed"));
  EXPECT_THAT(error(R"({"n": "\ud800"})"), HasSubstr("not well formed"));
}

TEST(JsonAnswer, SurvivesHostileText) {
  EXPECT_FALSE(FindJsonObject(std::string(1 << 20, '{'), "n").ok());
  EXPECT_FALSE(FindJsonObject(std::string(1 << 20, '"'), "n").ok());
  EXPECT_FALSE(FindJsonObject("{\"n\": " + std::string(1 << 20, '['), "n").ok());
  std::mt19937 random(1);
  constexpr std::string_view kPieces[] = {"{", "}", "[", "]", "\"",  "\\",
                                          ":", ",", "n", "1", "\xC3"};
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (int i = 0; i < 24; ++i) text += kPieces[random() % std::size(kPieces)];
    const auto object = FindJsonObject(text, "n");
    EXPECT_TRUE(!object.ok() || object->contains("n"));
  }
}

}  // namespace
}  // namespace kvscope::orchestrator::llm
