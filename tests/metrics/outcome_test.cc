#include "services/metrics/outcome/outcome.h"

#include <gtest/gtest.h>

#include <random>

#include "services/metrics/outcome/normalize.h"
#include "services/metrics/outcome/token_f1.h"

namespace kvscope::metrics {
namespace {

TEST(TokenF1, IsTheBestOverGoldAndAliases) {
  const std::vector<int32_t> answer = {4, 5}, gold = {1, 2};
  EXPECT_EQ(BestTokenF1(answer, gold, {}), 0.0);
  const std::vector<std::vector<int32_t>> aliases = {{4}, {5, 4}, {}};
  EXPECT_EQ(BestTokenF1(answer, gold, aliases), 1.0);
  EXPECT_EQ(BestTokenF1({}, gold, aliases), 1.0);  // an empty alias is an empty gold
}

TEST(NormalizeAnswer, FoldsCaseAndCollapsesSpace) {
  EXPECT_EQ(NormalizeAnswer("  New\t\n York "), "new york");
  EXPECT_EQ(NormalizeAnswer("STRASSE"), NormalizeAnswer("Straße"));
  EXPECT_EQ(NormalizeAnswer("É"), NormalizeAnswer("e\u0301"));
  EXPECT_EQ(NormalizeAnswer("a\u00A0\u2003b"), "a b");
}

TEST(NormalizeAnswer, StripsOuterPunctuationOnly) {
  EXPECT_EQ(NormalizeAnswer("\"Paris.\""), "paris");
  EXPECT_EQ(NormalizeAnswer("**Paris** (!)"), "paris");
  EXPECT_EQ(NormalizeAnswer("«Dr. Who?»…"), "dr. who");
  EXPECT_EQ(NormalizeAnswer("「東京」。"), "東京");
  EXPECT_EQ(NormalizeAnswer("O'Brien, J."), "o'brien, j");
}

TEST(NormalizeAnswer, KeepsSignsThatCarryMeaning) {
  EXPECT_EQ(NormalizeAnswer("-5"), "-5");
  EXPECT_EQ(NormalizeAnswer("90%."), "90%");
  EXPECT_EQ(NormalizeAnswer("C#"), "c#");
  EXPECT_EQ(NormalizeAnswer("$20"), "$20");
}

TEST(NormalizeAnswer, SurvivesAnyBytes) {
  EXPECT_EQ(NormalizeAnswer(""), "");
  EXPECT_EQ(NormalizeAnswer(" .\"'! "), "");
  EXPECT_EQ(NormalizeAnswer("a\xff\xc3"), "a\uFFFD\uFFFD");
  EXPECT_EQ(NormalizeAnswer(std::string("a\0b", 3)), "a b");
  std::mt19937 random(3);
  for (int round = 0; round < 500; ++round) {
    std::string text(random() % 40, '\0');
    for (char& c : text) c = static_cast<char>(random());
    const std::string once = NormalizeAnswer(text);
    EXPECT_EQ(NormalizeAnswer(once), once);
  }
}

TEST(ExactMatch, ComparesWithGoldAndAliases) {
  const std::vector<std::string> aliases = {"NYC", "the Big Apple"};
  EXPECT_TRUE(ExactMatch("new york.", "New York", aliases));
  EXPECT_TRUE(ExactMatch("The big  apple!", "New York", aliases));
  EXPECT_FALSE(ExactMatch("York", "New York", aliases));
  EXPECT_FALSE(ExactMatch("", "New York", {}));
  EXPECT_TRUE(ExactMatch(" . ", "", {}));
}

TEST(Classify, FollowsF1WhereThePassageHasTheAnswer) {
  EXPECT_EQ(Classify(1.0, "Paris", "Paris"), Outcome::kCorrect);
  EXPECT_EQ(Classify(0.5, "Paris", "Paris X"), Outcome::kCorrect);
  EXPECT_EQ(Classify(0.49, "Paris", "Paris X"), Outcome::kPartial);
  EXPECT_EQ(Classify(1e-9, "Paris", "Paris X"), Outcome::kPartial);
  EXPECT_EQ(Classify(0.0, "Rome", "Paris"), Outcome::kHallucination);
  EXPECT_EQ(Classify(0.0, "", "Paris"), Outcome::kHallucination);
  EXPECT_EQ(Classify(0.0, "I don't know", "Paris"), Outcome::kUnknown);
}

TEST(Classify, WantsAnAbstentionWhereGoldAbstains) {
  EXPECT_EQ(Classify(0.4, "I don't know", "I dont know"), Outcome::kCorrect);
  EXPECT_EQ(Classify(0.0, "Unknown", "I dont know"), Outcome::kCorrect);
  EXPECT_EQ(Classify(0.8, "I know", "I dont know"), Outcome::kHallucination);
  EXPECT_EQ(Classify(0.0, "", "I dont know"), Outcome::kHallucination);
}

TEST(Classify, TakesTheSweepsOwnPhrases) {
  const std::vector<std::string> more = {"Keine Angabe"};
  EXPECT_EQ(Classify(0, "Keine Angabe.", "Paris"), Outcome::kHallucination);
  EXPECT_EQ(Classify(0, "Keine Angabe.", "Paris", Abstentions(more)), Outcome::kUnknown);
  EXPECT_EQ(Classify(1, "keine angabe", "keine Angabe", Abstentions(more)), Outcome::kCorrect);
  EXPECT_EQ(Classify(0, "I do not know", "keine Angabe", Abstentions(more)), Outcome::kCorrect);
}

TEST(Classify, ThresholdsAreConfigurable) {
  const auto strict = [](double f1, std::string_view answer) {
    return Classify(f1, answer, "b", Abstentions(), {.correct_f1 = 0.9, .partial_above_f1 = 0.3});
  };
  EXPECT_EQ(strict(0.89, "a"), Outcome::kPartial);
  EXPECT_EQ(strict(0.3, "a"), Outcome::kHallucination);
  EXPECT_EQ(strict(0.3, "I dont know"), Outcome::kUnknown);
  EXPECT_EQ(strict(0.9, "a"), Outcome::kCorrect);
}

TEST(OutcomeName, NamesEachClass) {
  EXPECT_EQ(OutcomeName(Outcome::kCorrect), "correct");
  EXPECT_EQ(OutcomeName(Outcome::kPartial), "partial");
  EXPECT_EQ(OutcomeName(Outcome::kHallucination), "hallucination");
  EXPECT_EQ(OutcomeName(Outcome::kUnknown), "unknown");
}

}  // namespace
}  // namespace kvscope::metrics
