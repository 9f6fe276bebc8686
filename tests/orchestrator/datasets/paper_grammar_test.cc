// The grammar behind the paper's scale: its vocabulary's form, its names, who a pronoun may mean.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "services/orchestrator/datasets/grounding.h"
#include "services/orchestrator/datasets/paper/names.h"
#include "services/orchestrator/datasets/paper/relation.h"
#include "services/orchestrator/datasets/paper/story.h"
#include "services/orchestrator/datasets/paper/telling.h"
#include "services/orchestrator/datasets/paper/wording.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator::paper {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

int Count(std::string_view text, std::string_view piece) {
  int count = 0;
  for (size_t at = text.find(piece); at != std::string_view::npos; at = text.find(piece, at + 1))
    ++count;
  return count;
}

int Values(std::string_view text) { return Count(text, "{V}") + Count(text, "{v}"); }

void ExpectPhrases(const Texts& phrases) {
  EXPECT_GE(phrases.size(), 3u);
  bool plain = false;
  for (const std::string_view phrase : phrases) {
    EXPECT_EQ(Values(phrase), 1) << phrase;
    EXPECT_EQ(Count(phrase, "{S}") + Count(phrase, "{D}"), 0) << phrase;
    plain |= !Contains(phrase, ",");
  }
  EXPECT_TRUE(plain) << phrases[0];
}

void ExpectQuestions(const Texts& questions) {
  EXPECT_GE(questions.size(), 2u);
  for (const std::string_view question : questions) {
    EXPECT_EQ(Count(question, "{S}"), 1) << question;
    EXPECT_EQ(Count(question, "{"), 1) << question;
    EXPECT_TRUE(question.ends_with("?")) << question;
  }
}

class VocabularyOfKind : public testing::TestWithParam<int> {
 protected:
  const Vocabulary& words() const { return VocabularyOf(static_cast<Kind>(GetParam())); }
};

TEST_P(VocabularyOfKind, HasOneRelationForEachKindOfValue) {
  ASSERT_EQ(words().relations.size(), static_cast<size_t>(kKinds));
  for (int kind = 0; kind < kKinds; ++kind) {
    const Relation& relation = words().relations[static_cast<size_t>(kind)];
    EXPECT_EQ(relation.value, static_cast<Kind>(kind));
    ExpectPhrases(relation.phrases);
    EXPECT_GE(relation.sentences.size(), 3u);
    for (const std::string_view sentence : relation.sentences) {
      EXPECT_EQ(Values(sentence), 1) << sentence;
      EXPECT_EQ(Count(sentence, "{D}"), 1) << sentence;  // a pronoun may not be known there
      EXPECT_FALSE(sentence.ends_with(".")) << sentence;
    }
    ExpectQuestions(relation.forward);
    ExpectQuestions({relation.chained, relation.chained});
    EXPECT_THAT(relation.reverse, Not(IsEmpty()));
    for (const std::string_view phrase : relation.reverse) EXPECT_EQ(Values(phrase), 1) << phrase;
  }
}

// "In which year ..." is made of "When ...", a chain's question of pointers and of phrases that end
// with the value.
TEST_P(VocabularyOfKind, HasWhatOtherQuestionsAreMadeOf) {
  for (const Relation& relation : words().relations) {
    if (relation.value == Kind::kDate) {
      for (const std::string_view question : relation.forward) {
        EXPECT_TRUE(question.starts_with("When ")) << question;
      }
      EXPECT_TRUE(relation.chained.starts_with("When "));
    }
    if (static_cast<int>(relation.value) >= kEntityKinds) continue;
    EXPECT_TRUE(relation.pointer.starts_with("the {n} ")) << relation.pointer;
    EXPECT_TRUE(relation.pointer.ends_with("{S}")) << relation.pointer;
    EXPECT_TRUE(std::any_of(relation.reverse.begin(), relation.reverse.end(),
                            [](std::string_view phrase) { return phrase.ends_with("{V}"); }));
  }
}

TEST_P(VocabularyOfKind, HasTwoPairs) {
  ASSERT_EQ(words().pairs.size(), 2u);
  for (const PairRelation& pair : words().pairs) {
    ExpectPhrases(pair.first);
    ExpectPhrases(pair.second);
    ExpectQuestions(pair.forward);
    for (const std::string_view question : pair.forward) EXPECT_THAT(question, HasSubstr("two"));
    EXPECT_TRUE(pair.reverse.ends_with("{V}") || Values(pair.reverse) == 1);
  }
}

TEST_P(VocabularyOfKind, IntroducesAndRemarks) {
  EXPECT_GE(words().openings.size(), 10u);
  for (const std::string_view text : words().openings) {
    EXPECT_EQ(Count(text, "{F}"), 1) << text;
    EXPECT_EQ(Values(text), 0) << text;
  }
  EXPECT_GE(words().appositions.size(), 9u);  // as many as one passage may need
  for (const std::string_view text : words().appositions) {
    EXPECT_EQ(Count(text, "{F}"), 1) << text;
    EXPECT_TRUE(text.ends_with(",")) << text;
  }
  EXPECT_GE(words().remarks.size(), 15u);
  for (const std::string_view text : words().remarks) {
    EXPECT_EQ(Count(text, "{S}") + Count(text, "{D}"), 1) << text;
    EXPECT_EQ(Values(text), 0) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, VocabularyOfKind, testing::Range(0, kEntityKinds),
                         [](const auto& info) {
                           return std::string(AnswerType(static_cast<Kind>(info.param)));
                         });

TEST(Vocabulary, NoTextStandsInTwoLists) {
  std::set<std::string_view> seen;
  for (int kind = 0; kind < kEntityKinds; ++kind) {
    const Vocabulary& words = VocabularyOf(static_cast<Kind>(kind));
    for (const Texts* texts : {&words.openings, &words.remarks}) {
      for (const std::string_view text : *texts) EXPECT_TRUE(seen.insert(text).second) << text;
    }
  }
  for (const std::string_view text : Scenery()) EXPECT_TRUE(seen.insert(text).second) << text;
}

TEST(Vocabulary, EverySlotOfTheSceneryIsFilled) {
  for (std::string text : std::vector<std::string>(Scenery().begin(), Scenery().end())) {
    for (const ScenerySlot& slot : ScenerySlots()) {
      for (const std::string_view word : slot.words) EXPECT_EQ(CountWords(word), 1) << word;
      text = WithSlot(text, slot.slot, slot.words[0]);
    }
    EXPECT_THAT(text, Not(HasSubstr("{")));
    EXPECT_GE(CountWords(text), 6) << text;
  }
}

TEST(NameMaker, NothingComesTwice) {
  Random random(1);
  NameMaker names(random);
  std::set<std::string> words;
  for (int kind = 0; kind < kKinds; ++kind) {
    for (int i = 0; i < 9; ++i) {
      const Name name = i < 4 && kind < kEntityKinds ? names.Entity(static_cast<Kind>(kind))
                                                     : names.Value(static_cast<Kind>(kind));
      EXPECT_EQ(name.kind, static_cast<Kind>(kind));
      EXPECT_TRUE(words.insert(name.text).second) << name.text;
      if (name.kind == Kind::kPerson) {
        EXPECT_TRUE(words.insert(name.first).second) << name.first;
        EXPECT_TRUE(words.insert(name.last).second) << name.last;
      }
      if (name.kind == Kind::kDate) {
        EXPECT_TRUE(words.insert(name.last).second) << name.last;
      }
    }
  }
}

TEST(NameMaker, AnEntitysNounIsItsOwn) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    NameMaker names(random);
    std::set<std::string> nouns;
    for (int i = 0; i < 9; ++i) {
      EXPECT_TRUE(nouns.insert(names.Entity(Kind::kOrganization).noun).second);
    }
    for (int i = 0; i < 9; ++i) {
      EXPECT_EQ(nouns.count(names.Value(Kind::kOrganization).noun), 0u);
    }
  }
}

// ---- who is meant

Name PersonNamed(std::string text, std::string noun, bool female) {
  return {Kind::kPerson, std::move(text), "", std::move(noun), "", "", female};
}

Sentence Said(int subject, std::string pattern, std::vector<int> facts = {}) {
  return {subject, std::move(pattern), std::move(facts), false, false, 50};
}

Story StoryOfAWeaver() {
  Story story;
  story.entities = {PersonNamed("Balavan Corholm", "weaver", true)};
  const Vocabulary& words = VocabularyOf(Kind::kPerson);
  Fact taught;
  taught.subject = 0;
  taught.relation = &words.relations[0];
  taught.value = PersonNamed("Drinemin Gelward", "", false);
  Fact filled;
  filled.subject = 0;
  filled.relation = &words.relations[static_cast<size_t>(Kind::kNumeral)];
  filled.value = {Kind::kNumeral, "312", "", "", "", "", false};
  story.facts = {taught, filled};
  return story;
}

TEST(Render, SaysSheOnlyWhereNobodyElseIsMeant) {
  Story story = StoryOfAWeaver();
  story.paragraphs = {
      {0,
       {Said(0, "{F} was {a n} of {his} time"), Said(0, "{S} filled {0} books", {1}),
        Said(0, "{S} was taught by {0}", {0}), Said(0, "{S} slept badly"),
        Said(kNobody, "Rain fell"), Said(0, "{S} woke early")}},
      {0, {Said(0, "{S} is remembered by {0v}", {0})}}};
  const RenderedStory rendered = Render(story);
  EXPECT_EQ(rendered.text,
            "Balavan Corholm was a weaver of her time. She filled 312 books. She was taught by "
            "Drinemin Gelward. The weaver slept badly. Rain fell. The weaver woke early.\n\nThe "
            "weaver is remembered by Drinemin Gelward.");
}

TEST(Render, NamesWhomTheReaderDoesNotKnowAndWhomItIsTold) {
  Story story = StoryOfAWeaver();
  story.paragraphs = {{0, {Said(0, "{S} slept badly"), Said(0, "{S} woke early")}}};
  story.paragraphs[0].sentences[1].by_name = true;
  const RenderedStory rendered = Render(story);
  EXPECT_EQ(rendered.text, "Balavan Corholm slept badly. Balavan Corholm woke early.");
  EXPECT_THAT(rendered.mentions[0], ElementsAre(Evidence{0, 15}, Evidence{29, 44}));
}

TEST(Render, MarksValuesWithoutTheirArticle) {
  Story story = StoryOfAWeaver();
  story.entities.push_back({Kind::kThing, "Balamar Loom", "the ", "loom", "", "", false});
  story.facts[1].value = story.entities[1];
  story.facts[1].value_entity = 1;
  story.paragraphs = {{0, {Said(0, "{F} is {a n}"), Said(0, "{0} was left to {D}", {1})}}};
  const RenderedStory rendered = Render(story);
  EXPECT_EQ(rendered.text, "Balavan Corholm is a weaver. The Balamar Loom was left to the weaver.");
  const Evidence span = rendered.values[1];
  EXPECT_EQ(CodePointSlice(rendered.text, span.start, span.end), "Balamar Loom");
  EXPECT_THAT(rendered.mentions[1], ElementsAre(span));
}

TEST(Teller, FillsToTheWordOrNearlySo) {
  int exact = 0;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Random random(seed);
    Teller teller(random);
    const int subject = teller.AddEntity(Kind::kLocation);
    teller.BeginParagraph(subject);
    teller.Open();
    teller.Tell(std::vector<int>{teller.AddFact(subject, Kind::kDate)});
    ASSERT_TRUE(teller.FillTo(200));
    const int words = CountWords(Render(teller.story()).text);
    EXPECT_NEAR(words, 200, Teller::kSlack);
    exact += words == 200;
  }
  EXPECT_GT(exact, 25);
}

TEST(Teller, SaysWhenThereIsTooMuchOrTooLittleToTell) {
  Random random(1);
  Teller teller(random);
  const int subject = teller.AddEntity(Kind::kEvent);
  teller.BeginParagraph(subject);
  teller.Open();
  EXPECT_FALSE(teller.FillTo(2));
  EXPECT_FALSE(teller.FillTo(5000));
}

}  // namespace
}  // namespace kvscope::orchestrator::paper
