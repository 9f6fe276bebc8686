#include "services/metrics/outcome/abstention.h"

#include <gtest/gtest.h>

#include <random>

namespace kvscope::metrics {
namespace {

const Abstentions kKnown;

TEST(Abstentions, KnowTheSpellingsOfIDontKnow) {
  for (const char* text :
       {"I dont know", "I don't know.", "I don\u2019t know", "i do not know", "I DO NOT KNOW!",
        "Don't know", "\u2018I don\u2019t know.\u2019", "IDK", "I dunno.", "I  don\u00B4t\nknow",
        "I don't know the answer", "I don't know, the text does not say.", "I dont know\u2014sorry",
        "**I don't know**"}) {
    EXPECT_TRUE(kKnown.Contain(text)) << text;
  }
}

TEST(Abstentions, KnowItsVariants) {
  for (const char* text : {"unknown",
                           "Unknown.",
                           "It's unknown",
                           "It is unknown.",
                           "The answer is unknown",
                           "Not mentioned",
                           "not mentioned in the text.",
                           "Cannot be determined",
                           "can't be determined",
                           "It cannot be determined from the passage.",
                           "The answer can not be found",
                           "Not specified",
                           "N/A",
                           "No information is given.",
                           "There's no mention of it",
                           "The passage doesn't say.",
                           "The text does not mention it",
                           "I'm not sure",
                           "I cannot determine that",
                           "No idea.",
                           "Unanswerable",
                           "no answer"}) {
    EXPECT_TRUE(kKnown.Contain(text)) << text;
  }
}

TEST(Abstentions, AreNotAnyAnswer) {
  for (const char* text :
       {"", " ", ".", "Paris", "I know", "Unknown Soldier", "unknowns", "I dont knowingly", "idks",
        "I dont know\u00E9", "He said: I dont know", "Unclear Waters", "No", "Not Paris",
        "not mentionedness", "Its Ormouth", "The answer is Paris", "Can not"}) {
    EXPECT_FALSE(kKnown.Contain(text)) << text;
  }
}

TEST(Abstentions, AGoldIsTheWholePhrase) {
  for (const char* gold : {"I dont know", "I don't know.", "do not know", "i DO NOT know"}) {
    EXPECT_TRUE(kKnown.ContainGold(gold)) << gold;
  }
  for (const char* gold : {"I dont know how", "Unknown", "not mentioned", ""}) {
    EXPECT_FALSE(kKnown.ContainGold(gold)) << gold;
  }
}

TEST(Abstentions, TakeMorePhrases) {
  const std::vector<std::string> more = {"No reply", "Unbekannt", "\u7121\u56DE\u7B54", "...", ""};
  const Abstentions extended(more);
  for (const char* text : {"no reply", "No reply!", "no  reply was given", "unbekannt.",
                           "\u7121\u56DE\u7B54\u3002", "I don't know"}) {
    EXPECT_TRUE(extended.Contain(text)) << text;
  }
  for (const char* text : {"no replying", "Unbekannte", "Unbekannt ist es", "...", "", "Paris"}) {
    EXPECT_FALSE(extended.Contain(text)) << text;
  }
  EXPECT_TRUE(extended.ContainGold("UNBEKANNT"));
  EXPECT_FALSE(extended.ContainGold("no reply yet"));
  EXPECT_FALSE(extended.ContainGold(""));
}

TEST(Abstentions, APhraseHasALetterOrADigit) {
  EXPECT_TRUE(Abstentions::IsPhrase("?? no ??"));
  EXPECT_TRUE(Abstentions::IsPhrase("0"));
  EXPECT_TRUE(Abstentions::IsPhrase("\u7121"));
  for (const char* text : {"", " \t", "...", "-", "\u2014", "\u2026", "\u02BC", "\xff\xfe"}) {
    EXPECT_FALSE(Abstentions::IsPhrase(text)) << text;
  }
}

TEST(Abstentions, SurviveAnyBytes) {
  std::mt19937 random(3);
  std::vector<std::string> more;
  for (int round = 0; round < 500; ++round) {
    std::string text(random() % 40, '\0');
    for (char& c : text) c = static_cast<char>(random());
    more.push_back(text);
    const Abstentions one({&more.back(), 1});
    EXPECT_EQ(one.Contain(text), Abstentions::IsPhrase(text)) << round;
    EXPECT_EQ(one.ContainGold(text), Abstentions::IsPhrase(text)) << round;
  }
}

}  // namespace
}  // namespace kvscope::metrics
