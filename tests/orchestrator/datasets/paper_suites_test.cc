// The paper's scale of every suite: lengths, counts, balance, grounding, tags, names, prose.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <ostream>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "services/orchestrator/datasets/generator.h"
#include "services/orchestrator/datasets/grounding.h"
#include "services/orchestrator/datasets/paper/suites.h"
#include "services/orchestrator/datasets/sha256.h"
#include "services/orchestrator/datasets/suite_rules.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;

struct Suite {
  std::string name;
  Passage (*make)(uint64_t seed, int64_t index);
  const char* digest;  // of the first 20 passages of seed 1
};

void PrintTo(const Suite& suite, std::ostream* os) { *os << suite.name; }

std::vector<Passage> Made(const Suite& suite, int64_t passages, uint64_t seed) {
  std::vector<Passage> made;
  for (int64_t index = 0; index < passages; ++index) made.push_back(suite.make(seed, index));
  return made;
}

std::string TextOf(const Passage& passage, const Evidence& span) {
  return std::string(CodePointSlice(passage.context, span.start, span.end));
}

// How often `piece` stands in `text`, overlaps included.
int64_t Occurrences(const std::string& piece, const std::string& text) {
  int64_t count = 0;
  for (size_t at = text.find(piece); at != std::string::npos; at = text.find(piece, at + 1))
    ++count;
  return count;
}

std::vector<std::string> Sentences(const Passage& passage) {
  std::vector<std::string> sentences;
  for (const auto paragraph : absl::StrSplit(passage.context, "\n\n")) {
    for (const auto sentence : absl::StrSplit(paragraph, ". ")) sentences.emplace_back(sentence);
  }
  return sentences;
}

class PaperSuite : public testing::TestWithParam<Suite> {
 protected:
  const SuiteRule& rule() const { return *FindSuiteRule(GetParam().name, Scale::kPaper); }
  // The whole set, made once a suite.
  static const std::vector<Passage>& All() {
    static std::map<std::string, std::vector<Passage>> sets;
    const Suite& suite = GetParam();
    std::vector<Passage>& set = sets[suite.name];
    if (set.empty()) set = Made(suite, FindSuiteRule(suite.name, Scale::kPaper)->passages, 1);
    return set;
  }
};

TEST_P(PaperSuite, HasTheFiguresOfTable1) {
  int64_t questions = 0;
  int64_t shortest = INT64_MAX;
  int64_t longest = 0;
  for (const Passage& passage : All()) {
    const int64_t words = CountWords(passage.context);
    EXPECT_TRUE(rule().words.Contains(words)) << words << " in " << passage.passage_id;
    shortest = std::min(shortest, words);
    longest = std::max(longest, words);
    const auto asked = static_cast<int64_t>(passage.questions.size());
    EXPECT_TRUE(rule().questions.Contains(asked)) << asked;
    questions += asked;
  }
  EXPECT_EQ(questions, rule().total_questions);
  const int64_t width = rule().words.high - rule().words.low;
  EXPECT_GE(longest - shortest, width * 3 / 4);  // drawn over the whole range
}

TEST_P(PaperSuite, AsksBothWaysInBalance) {
  for (const Passage& passage : All()) {
    int64_t forward = 0;
    int64_t unknown = 0;
    for (const Question& question : passage.questions) {
      EXPECT_THAT(question.direction, AnyOf(kForward, kReverse));
      forward += question.direction == kForward;
      unknown += question.answer == kUnknownAnswer;
    }
    EXPECT_TRUE(rule().forward.Contains(forward)) << passage.passage_id;
    const auto reverse = static_cast<int64_t>(passage.questions.size()) - forward;
    EXPECT_LE(std::abs(forward - reverse), 1) << passage.passage_id;
    EXPECT_TRUE(rule().unknown.Contains(unknown)) << passage.passage_id;
  }
}

TEST_P(PaperSuite, EveryOccurrenceOfAnAnswerIsEvidence) {
  for (const Passage& passage : All()) {
    const std::string context = NormalizeText(passage.context);
    for (const Question& question : passage.questions) {
      const std::string answer = NormalizeText(question.answer);
      if (question.answer == kUnknownAnswer) {
        EXPECT_TRUE(question.evidence.empty());
        EXPECT_EQ(Occurrences(answer, context), 0);
        continue;
      }
      const Range allowed =
          question.direction == kForward ? rule().forward_occurrences : rule().reverse_occurrences;
      std::vector<std::string> texts;
      for (const Evidence& span : question.evidence) texts.push_back(TextOf(passage, span));
      if (question.question_type == kPart) {
        ASSERT_EQ(texts.size(), 2u);
        EXPECT_EQ(question.answer, absl::StrCat(texts[0], " and ", texts[1]));
        EXPECT_LT(question.evidence[0].end, question.evidence[1].start);
        EXPECT_EQ(Occurrences(answer, context), 0);
        for (const std::string& text : texts) {
          const int64_t occurrences = Occurrences(NormalizeText(text), context);
          EXPECT_TRUE(allowed.Contains(occurrences)) << text << " in " << passage.passage_id;
        }
        continue;
      }
      for (const std::string& text : texts) EXPECT_EQ(text, question.answer);
      const auto count = static_cast<int64_t>(texts.size());
      EXPECT_EQ(Occurrences(answer, context), count) << answer << " in " << passage.passage_id;
      EXPECT_TRUE(allowed.Contains(count)) << count << " of " << answer;
    }
  }
}

TEST_P(PaperSuite, FillsEveryTagAndId) {
  std::set<std::string> ids;
  std::set<std::string> answer_types;
  std::set<std::string> question_types;
  for (const Passage& passage : All()) {
    EXPECT_EQ(passage.dataset, GetParam().name);
    EXPECT_TRUE(ids.insert(passage.passage_id).second) << passage.passage_id;
    std::set<std::string> wordings;
    std::set<int64_t> hops;
    for (const Question& question : passage.questions) {
      EXPECT_TRUE(ids.insert(question.question_id).second) << question.question_id;
      EXPECT_TRUE(wordings.insert(question.question).second) << question.question;
      EXPECT_THAT(rule().answer_types, Contains(question.answer_type));
      EXPECT_THAT(rule().question_types, Contains(question.question_type));
      hops.insert(question.hop);
      answer_types.insert(question.answer_type);
      question_types.insert(question.question_type);
    }
    EXPECT_TRUE(std::equal(hops.begin(), hops.end(), rule().hops.begin(), rule().hops.end()));
  }
  EXPECT_EQ(answer_types.size(), rule().answer_types.size());
  EXPECT_EQ(question_types.size(), rule().question_types.size());
}

// The key that a question starts from stands in it, and in the passage where `support` says.
TEST_P(PaperSuite, SupportBeginsWithTheKey) {
  for (const Passage& passage : All()) {
    for (const Question& question : passage.questions) {
      if (question.answer == kUnknownAnswer) continue;
      ASSERT_FALSE(question.support.empty()) << question.question;
      if (GetParam().name == "coreference" && question.direction == kForward) continue;  // "he"
      EXPECT_THAT(question.question, HasSubstr(TextOf(passage, question.support.front())));
    }
  }
}

// A question has one answer: nothing else in the passage is called as its key is, for a reverse
// question's key stands once, and no two questions with one key ask for the same attribute.
TEST_P(PaperSuite, AReverseKeyStandsOnce) {
  for (const Passage& passage : All()) {
    const std::string context = NormalizeText(passage.context);
    for (const Question& question : passage.questions) {
      if (question.direction != kReverse || question.answer == kUnknownAnswer) continue;
      const std::string key = TextOf(passage, question.support.front());
      EXPECT_EQ(Occurrences(NormalizeText(key), context), 1) << key << " in " << context;
    }
  }
}

TEST_P(PaperSuite, NamesHardlyRepeat) {
  std::map<std::string, int64_t> passages_with;
  for (const Passage& passage : All()) {
    std::set<std::string> names;
    for (const Question& question : passage.questions) {
      if (question.answer == kUnknownAnswer || question.question_type != kStandard) continue;
      const std::string& type = question.answer_type;
      if (type == "Numerals" || type == "Dates/Times") continue;
      if (type == "Thing" && GetParam().name == "coreference") continue;  // a job, not a name
      names.insert(question.answer);
    }
    for (const std::string& name : names) ++passages_with[name];
  }
  int64_t drawn = 0;
  for (const auto& [name, count] : passages_with) drawn += count;
  EXPECT_GT(drawn, 100);
  const int64_t repeated = drawn - static_cast<int64_t>(passages_with.size());
  EXPECT_LT(repeated * 100, drawn) << repeated << " of " << drawn;
}

TEST_P(PaperSuite, IsCleanProse) {
  static const std::regex slip(
      "[{}]|  |\\.\\.|,,| ,| \\.|\\b[Aa] [aeio]|\\b[Aa]n (?!hour|honorary)[^aeiou]"
      "|\\b(the|The|a|an) (the|a|an)\\b|\\b(he|she|it|He|She|It) (he|she|it)\\b"
      "|\\b(met|of|from|with|by|to|for|at|in|on|saw|gave|left|took|liked|under) (he|she)\\b");
  for (const Passage& passage : Made(GetParam(), 100, 2)) {
    std::smatch found;
    EXPECT_FALSE(std::regex_search(passage.context, found, slip))
        << found.str() << " before " << found.suffix().str().substr(0, 40);
    EXPECT_EQ(passage.context.back(), '.');
    std::set<std::string> sentences;
    for (const std::string& sentence : Sentences(passage)) {
      EXPECT_TRUE(absl::ascii_isupper(sentence[0])) << sentence;
      EXPECT_TRUE(sentences.insert(sentence).second) << "twice: " << sentence;
    }
    for (const Question& question : passage.questions) {
      EXPECT_FALSE(std::regex_search(question.question, found, slip)) << question.question;
      EXPECT_TRUE(absl::ascii_isupper(question.question[0])) << question.question;
      EXPECT_EQ(question.question.back(), '?');
    }
  }
}

TEST_P(PaperSuite, EqualSeedsGiveEqualPassagesAndOthersDoNot) {
  const Suite& suite = GetParam();
  for (const int64_t index : {0, 7, 199}) {
    EXPECT_EQ(suite.make(3, index), suite.make(3, index));
    EXPECT_NE(suite.make(3, index).context, suite.make(4, index).context);
    EXPECT_NE(suite.make(3, index).passage_id, suite.make(4, index).passage_id);
  }
}

// A change of these digests is a change of the data set: results of old sweeps no longer compare.
TEST_P(PaperSuite, TextsArePinned) {
  Sha256 hash;
  for (const Passage& passage : Made(GetParam(), 20, 1)) {
    hash.Update(passage.context + "\n");
    for (const Question& question : passage.questions) {
      hash.Update(absl::StrCat(question.question, " ", question.answer, "\n"));
    }
  }
  EXPECT_EQ(hash.HexDigest(), GetParam().digest);
}

const Suite kBase = {"base", MakePaperBase,
                     "cea3c21d05fccfbe5f5e80519dab18c39d1727f9631539e9555cd9296887fef0"};
const Suite kMultiPresence = {"multi_presence", MakePaperMultiPresence,
                              "f6c1968e183306766134ae7df8372e3c6db3009c32222b1db5116433dd6f2137"};
const Suite kMultiEntity = {"multi_entity", MakePaperMultiEntity,
                            "d98651a190babf9ab92864cf30d69911f7329ec203e91584257996283183e56c"};
const Suite kLongContext = {"long_context", MakePaperLongContext,
                            "a85ba1bcf9f202e134772becf0e48846c2aa0cde9d3838f59603da17f506abdb"};
const Suite kCoreference = {"coreference", MakePaperCoreference,
                            "76bc2e94c4edd124017dd19e307e253a727c36086a452acb5179354b5b93361d"};
const Suite kHops = {"hops", MakePaperHops,
                     "c73764d40d6320a6b16d3a28dc3cbf79efbecad38bb2e9af898c736d9ba0bb55"};

INSTANTIATE_TEST_SUITE_P(Suites, PaperSuite,
                         testing::Values(kBase, kMultiPresence, kMultiEntity, kLongContext,
                                         kCoreference, kHops),
                         [](const auto& info) { return info.param.name; });

TEST(SuiteRules, KnowledgeKeepsItsOwn) {
  const SuiteRule& rule = *FindSuiteRule("knowledge", Scale::kPaper);
  const GeneratorInfo& knowledge = **FindGenerator("knowledge");
  EXPECT_EQ(knowledge.paper_passages, rule.passages);
  const absl::Status status =
      Generate({"knowledge", Scale::kPaper, 200, 1}, [&](const Passage& passage) {
        EXPECT_TRUE(rule.words.Contains(CountWords(passage.context)));
        EXPECT_TRUE(rule.questions.Contains(static_cast<int64_t>(passage.questions.size())));
        const auto forward =
            std::count_if(passage.questions.begin(), passage.questions.end(),
                          [](const Question& q) { return q.direction == kForward; });
        EXPECT_TRUE(rule.forward.Contains(forward)) << forward;
        for (const Question& question : passage.questions) {
          EXPECT_THAT(rule.answer_types, Contains(question.answer_type));
          EXPECT_THAT(rule.question_types, Contains(question.question_type));
          EXPECT_EQ(question.evidence.size(), 1u);
        }
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok());
}

TEST(SuiteRules, AddUpToTable1) {
  int64_t passages = 0;
  int64_t questions = 0;
  for (const SuiteRule& rule : SuiteRules()) {
    if (rule.scale != Scale::kPaper) continue;
    passages += rule.passages;
    questions += rule.total_questions;
  }
  EXPECT_EQ(passages, 12'600);
  EXPECT_EQ(questions, 129'799);
  EXPECT_EQ(FindSuiteRule("bass", Scale::kPaper), nullptr);
}

// Over the five suites that the paper had written by a model, no type of answer is rare.
TEST(PaperSuites, AnswerTypesAreSpreadEvenly) {
  std::map<std::string, int64_t> counts;
  int64_t all = 0;
  for (const Suite& suite : {kBase, kMultiPresence, kMultiEntity, kLongContext, kHops}) {
    for (const Passage& passage : Made(suite, 100, 5)) {
      for (const Question& question : passage.questions) {
        ++counts[question.answer_type];
        ++all;
      }
    }
  }
  EXPECT_EQ(counts.size(), 8u);
  for (const auto& [type, count] : counts) {
    EXPECT_GT(count * 100, all * 8) << type;
    EXPECT_LT(count * 100, all * 18) << type;
  }
}

// What a sentence's first four words look like when names and numbers are left out.
std::string Shape(const std::string& sentence) {
  std::vector<std::string> shape;
  for (const auto word : absl::StrSplit(sentence, ' ')) {
    const bool name = !shape.empty() && absl::ascii_isupper(static_cast<unsigned char>(word[0]));
    const bool number = absl::ascii_isdigit(static_cast<unsigned char>(word[0]));
    shape.push_back(name || number ? "X" : std::string(word));
    if (shape.size() == 4) break;
  }
  return absl::StrJoin(shape, " ");
}

TEST(PaperSuites, SentencesHaveManyShapes) {
  for (const Suite& suite : {kBase, kMultiPresence, kMultiEntity, kLongContext, kHops}) {
    std::set<std::string> shapes;
    double distinct_share = 0;  // within a passage
    const std::vector<Passage> passages = Made(suite, 100, 6);
    for (const Passage& passage : passages) {
      std::set<std::string> own;
      const std::vector<std::string> sentences = Sentences(passage);
      for (const std::string& sentence : sentences) own.insert(Shape(sentence));
      distinct_share += static_cast<double>(own.size()) / static_cast<double>(sentences.size());
      shapes.insert(own.begin(), own.end());
    }
    EXPECT_GT(shapes.size(), 400u) << suite.name;
    EXPECT_GT(distinct_share / static_cast<double>(passages.size()), 0.85) << suite.name;
  }
}

TEST(PaperBase, AsksOneSubjectWithAtLeastFourAttributes) {
  for (const Passage& passage : Made(kBase, 200, 7)) {
    std::set<std::string> keys;
    for (const Question& question : passage.questions) {
      for (const Evidence& span :
           question.direction == kForward ? question.evidence : question.support) {
        keys.insert(TextOf(passage, span));
      }
    }
    EXPECT_GE(keys.size(), 4u);
    EXPECT_EQ(passage.questions.size(), passage.passage_id.ends_with("0199") ? 5u : 6u);
  }
}

TEST(PaperMultiPresence, AsksForOneEntityThatIsOftenNamed) {
  for (const Passage& passage : Made(kMultiPresence, 100, 7)) {
    std::set<std::vector<int64_t>> places;
    for (const Question& question : passage.questions) {
      if (question.direction != kReverse) continue;
      std::vector<int64_t> starts;
      for (const Evidence& span : question.evidence) starts.push_back(span.start / 40);
      places.insert(starts);
    }
    EXPECT_LE(places.size(), 3u);  // one entity; its first or last name stands elsewhere in it
  }
}

TEST(PaperMultiEntity, AsksForFiveEntities) {
  for (const Passage& passage : Made(kMultiEntity, 100, 7)) {
    std::set<std::string> answers;
    for (const Question& question : passage.questions) {
      if (question.direction == kReverse) answers.insert(question.answer);
    }
    EXPECT_EQ(answers.size(), 5u) << passage.passage_id;
  }
}

TEST(PaperLongContext, EvidenceIsSpreadOverThePassage) {
  for (const Passage& passage : Made(kLongContext, 100, 7)) {
    const auto length = static_cast<int64_t>(passage.context.size());
    std::vector<int64_t> places;  // where each question is decided
    for (const Question& question : passage.questions) {
      const bool forward = question.direction == kForward;
      places.push_back((forward ? question.evidence : question.support).front().start);
      if (question.question_type != kPart) continue;
      EXPECT_GT(question.evidence[1].start - question.evidence[0].end, length / 8);
    }
    std::sort(places.begin(), places.end());
    EXPECT_LT(places.front(), length / 4);
    EXPECT_GT(places.back(), length * 3 / 4);
  }
}

TEST(PaperHops, AsksFourQuestionsOfEveryLengthTwoEachWay) {
  for (const Passage& passage : Made(kHops, 100, 7)) {
    std::map<std::pair<int64_t, std::string>, int> counts;
    for (const Question& question : passage.questions) {
      ++counts[{question.hop, question.direction}];
      // the key, then where each link ends and where the next begins; and no bridge is told
      EXPECT_GE(question.support.size(), 1u + 2u * static_cast<size_t>(question.hop));
      for (const Evidence& span : question.support) {
        const std::string text = TextOf(passage, span);
        if (text == TextOf(passage, question.support.front())) continue;
        if (text == question.answer) continue;
        EXPECT_THAT(question.question, testing::Not(HasSubstr(text)));
      }
    }
    EXPECT_EQ(counts.size(), 8u);
    for (const auto& [key, count] : counts) EXPECT_EQ(count, 2);
  }
}

TEST(PaperCoreference, TheSwappedPronounHasNoAnswer) {
  for (const Passage& passage : Made(kCoreference, 500, 7)) {
    const bool she = passage.context.find(". She is female. ") != std::string::npos;
    EXPECT_EQ(passage.context.find(". He is male. ") != std::string::npos, !she);
    for (const Question& question : passage.questions) {
      std::set<std::string> pronouns;
      for (const auto word : absl::StrSplit(absl::AsciiStrToLower(question.question), ' ')) {
        if (word == "he" || word == "his") pronouns.insert("he");
        if (word == "she" || word == "her") pronouns.insert("she");
      }
      ASSERT_EQ(pronouns.size(), 1u) << question.question;
      EXPECT_EQ(question.answer == kUnknownAnswer, *pronouns.begin() != (she ? "she" : "he"));
    }
  }
}

}  // namespace
}  // namespace kvscope::orchestrator
