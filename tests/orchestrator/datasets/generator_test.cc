#include "services/orchestrator/datasets/generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "services/orchestrator/datasets/grounding.h"
#include "services/orchestrator/datasets/passage_json.h"
#include "services/orchestrator/datasets/pocket_world.h"
#include "services/orchestrator/datasets/sha256.h"
#include "services/orchestrator/datasets/suite_rules.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

std::vector<Passage> Generated(const GeneratorSpec& spec) {
  std::vector<Passage> passages;
  const absl::Status status = Generate(spec, [&](const Passage& passage) {
    passages.push_back(passage);
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  return passages;
}

std::string DigestOf(const GeneratorSpec& spec) {
  Sha256 hash;
  for (const Passage& passage : Generated(spec)) hash.Update(FormatPassage(passage) + "\n");
  return hash.HexDigest();
}

// How often `piece` stands in `text`, overlaps included.
int Occurrences(const std::string& piece, const std::string& text) {
  int count = 0;
  for (size_t at = text.find(piece); at != std::string::npos; at = text.find(piece, at + 1))
    ++count;
  return count;
}

TEST(Generator, NamesTheNearestSuite) {
  EXPECT_TRUE(FindGenerator("knowledge").ok());
  EXPECT_THAT(FindGenerator("knowlege").status().message(), HasSubstr("mean \"knowledge\"?"));
  EXPECT_FALSE(Generate({"knowledge", Scale::kPaper, 0, 1}, nullptr).ok());
  EXPECT_FALSE(Generate({"knowledge", Scale::kPaper, 1'000'001, 1}, nullptr).ok());
}

TEST(Generator, EndsWithTheSinksError) {
  int calls = 0;
  const auto status = Generate({"knowledge", Scale::kPaper, 5, 1}, [&](const Passage&) {
    return ++calls == 2 ? absl::DataLossError("full") : absl::OkStatus();
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(calls, 2);
}

// Whatever the suite and the scale.
class EverySuite : public testing::TestWithParam<std::tuple<const GeneratorInfo*, Scale>> {
 protected:
  GeneratorSpec Spec(int64_t passages, uint64_t seed) const {
    const auto& [info, scale] = GetParam();
    return {std::string(info->name), scale, passages, seed};
  }
};

TEST_P(EverySuite, IsDescribed) {
  const GeneratorInfo& info = *std::get<0>(GetParam());
  EXPECT_FALSE(info.summary.empty());
  EXPECT_FALSE(info.source.empty());
  EXPECT_GT(info.paper_passages, 0);
}

TEST_P(EverySuite, FillsEveryTagAndId) {
  std::set<std::string> ids;
  for (const Passage& passage : Generated(Spec(300, 3))) {
    EXPECT_EQ(passage.dataset, std::get<0>(GetParam())->name);
    EXPECT_TRUE(ids.insert(passage.passage_id).second) << passage.passage_id;
    std::set<std::string> wordings;
    for (const Question& question : passage.questions) {
      EXPECT_TRUE(ids.insert(question.question_id).second) << question.question_id;
      EXPECT_TRUE(wordings.insert(question.question).second) << question.question;
      EXPECT_THAT(question.direction, AnyOf(kForward, kReverse));
      EXPECT_THAT(question.answer_type, AnyOf("Person", "Thing", "Organization", "Creature",
                                              "Location", "Numerals", "Dates/Times", "Events"));
      EXPECT_THAT(question.question_type, AnyOf(kStandard, kManipulated, kPart));
    }
  }
}

std::vector<std::string> TextsAt(const Passage& passage, const std::vector<Evidence>& spans) {
  std::vector<std::string> texts;
  for (const Evidence& span : spans) {
    texts.push_back(NormalizeText(CodePointSlice(passage.context, span.start, span.end)));
  }
  return texts;
}

// Every span holds the answer, and it stands nowhere else.
void ExpectEvidence(const Passage& passage, const Question& question) {
  const std::string context = NormalizeText(passage.context);
  const std::string answer = NormalizeText(question.answer);
  ASSERT_FALSE(question.evidence.empty()) << question.question;
  for (const std::string& text : TextsAt(passage, question.evidence)) EXPECT_EQ(text, answer);
  EXPECT_EQ(Occurrences(answer, context), static_cast<int>(question.evidence.size()))
      << question.answer << " in " << passage.context;
}

// The spans are the answer's parts, in its order; each stands nowhere else.
void ExpectParts(const Passage& passage, const Question& question) {
  const std::vector<std::string> parts = TextsAt(passage, question.evidence);
  ASSERT_GE(parts.size(), 2u) << question.question;
  EXPECT_EQ(absl::StrJoin(parts, " and "), NormalizeText(question.answer));
  for (const std::string& part : parts) {
    EXPECT_EQ(Occurrences(part, NormalizeText(passage.context)), 1) << part;
  }
}

TEST_P(EverySuite, EvidenceIsWhereTheAnswerStands) {
  for (const Passage& passage : Generated(Spec(300, 4))) {
    for (const Question& question : passage.questions) {
      if (question.answer == kUnknownAnswer) {
        EXPECT_TRUE(question.evidence.empty()) << question.question;
      } else if (question.question_type == kPart) {
        ExpectParts(passage, question);
      } else {
        ExpectEvidence(passage, question);
      }
    }
  }
}

TEST_P(EverySuite, RoundTripsThroughJson) {
  for (const Passage& passage : Generated(Spec(20, 5))) {
    const auto again = ParsePassage(FormatPassage(passage), {"here:1", "x", 0});
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(*again, passage);
  }
}

TEST_P(EverySuite, EqualSeedsGiveEqualBytesAndOthersDoNot) {
  EXPECT_EQ(DigestOf(Spec(10, 6)), DigestOf(Spec(10, 6)));
  EXPECT_NE(DigestOf(Spec(10, 6)), DigestOf(Spec(10, 7)));
  const std::vector<Passage> few = Generated(Spec(5, 6));
  const std::vector<Passage> many = Generated(Spec(10, 6));
  EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin()));  // a longer set begins the same
  const Passage other = Generated(Spec(1, 7)).front();
  EXPECT_NE(other.passage_id, few.front().passage_id);
  EXPECT_NE(other.context, few.front().context);
}

std::string SuiteAndScale(
    const testing::TestParamInfo<std::tuple<const GeneratorInfo*, Scale>>& info) {
  const auto& [suite, scale] = info.param;
  return absl::StrCat(std::string(suite->name), "_", std::string(ScaleName(scale)));
}

INSTANTIATE_TEST_SUITE_P(Generators, EverySuite,
                         testing::Combine(testing::ValuesIn(Generators().begin(),
                                                            Generators().end()),
                                          testing::Values(Scale::kPaper, Scale::kPocket)),
                         SuiteAndScale);

TEST(Knowledge, FollowsThePapersTemplate) {
  for (const Passage& passage : Generated({"knowledge", Scale::kPaper, 200, 1})) {
    EXPECT_EQ(CountWords(passage.context), 32);
    ASSERT_EQ(passage.questions.size(), 13u);
    std::vector<std::string> answers;
    int manipulated = 0;
    for (const Question& question : passage.questions) {
      answers.push_back(question.answer);
      manipulated += question.question_type == kManipulated;
    }
    EXPECT_EQ(manipulated, 5);
    const std::string& date = answers[0];
    const std::string& name = answers[1];
    EXPECT_EQ(passage.context, absl::StrCat(name, " was born on ", date, ". They studied in ",
                                            answers[2], ". They work as ", ArticleOf(answers[4]),
                                            answers[4], ". They live in ", answers[6], "."));
    EXPECT_EQ(date, absl::StrCat(answers[10], " ", answers[9], " ", answers[8]));
    EXPECT_EQ(name, absl::StrCat(answers[11], " ", answers[12]));
    for (const int reverse : {3, 5, 7}) EXPECT_EQ(answers[reverse], name);
  }
}

TEST(Knowledge, PaperNamesHardlyRepeat) {
  std::set<std::string> people;
  for (const Passage& passage : Generated({"knowledge", Scale::kPaper, 1000, 1})) {
    people.insert(passage.questions[1].answer);
  }
  EXPECT_GT(people.size(), 980u);
}

// How often an answer stands in its passage; each part of one gathered from several regions must
// stand there once.
int64_t OccurrencesOf(const Question& question) {
  return question.question_type == kPart ? 1 : static_cast<int64_t>(question.evidence.size());
}

void ExpectKept(const SuiteRule& rule, const Passage& passage) {
  int64_t forward = 0;
  int64_t unknown = 0;
  for (const Question& question : passage.questions) {
    forward += question.direction == kForward;
    unknown += question.answer == kUnknownAnswer;
    EXPECT_THAT(rule.hops, testing::Contains(question.hop));
    EXPECT_THAT(rule.question_types, testing::Contains(question.question_type));
    EXPECT_THAT(rule.answer_types, testing::Contains(question.answer_type));
    if (question.answer == kUnknownAnswer) continue;
    const Range allowed =
        question.direction == kForward ? rule.forward_occurrences : rule.reverse_occurrences;
    EXPECT_TRUE(allowed.Contains(OccurrencesOf(question))) << question.question;
  }
  EXPECT_TRUE(rule.words.Contains(CountWords(passage.context))) << passage.context;
  EXPECT_TRUE(rule.questions.Contains(static_cast<int64_t>(passage.questions.size())));
  EXPECT_TRUE(rule.forward.Contains(forward)) << forward;
  EXPECT_TRUE(rule.unknown.Contains(unknown)) << unknown;
}

class PocketScale : public testing::TestWithParam<const GeneratorInfo*> {
 protected:
  std::vector<Passage> Made(Names names, int64_t passages = 300) const {
    return Generated({std::string(GetParam()->name), Scale::kPocket, passages, 1, names});
  }
};

TEST_P(PocketScale, KeepsToItsRules) {
  const SuiteRule* rule = FindSuiteRule(GetParam()->name, Scale::kPocket);
  ASSERT_NE(rule, nullptr);
  for (const Passage& passage : Made(Names::kHeldOut)) {
    SCOPED_TRACE(passage.passage_id);
    ExpectKept(*rule, passage);
  }
}

// The question's key, then the bridges, stand in the passage; the question names its key.
TEST_P(PocketScale, SupportLeadsToTheAnswer) {
  for (const Passage& passage : Made(Names::kHeldOut)) {
    for (const Question& question : passage.questions) {
      const std::vector<std::string> support = TextsAt(passage, question.support);
      if (support.empty()) {
        EXPECT_EQ(question.answer, kUnknownAnswer) << question.question;
        continue;
      }
      EXPECT_THAT(NormalizeText(question.question), HasSubstr(support.front()));
      if (question.hop < 2) continue;
      ASSERT_EQ(support.size(), static_cast<size_t>(2 * question.hop - 1)) << question.question;
      for (size_t i = 1; i < support.size(); i += 2) EXPECT_EQ(support[i], support[i + 1]);
    }
  }
}

// The words with a capital inside a sentence, and the creatures: what was invented.
std::set<std::string> InventedWords(const std::vector<Passage>& passages) {
  std::set<std::string> words;
  for (const Passage& passage : passages) {
    for (const Question& question : passage.questions) {
      if (question.answer == kUnknownAnswer || question.answer_type == "Numerals" ||
          question.answer_type == "Dates/Times" || question.answer_type == "Thing") {
        continue;
      }
      const std::vector<std::string> split = absl::StrSplit(question.answer, ' ');
      words.insert(split.begin(), split.end());
    }
  }
  for (const char* known :
       {"the",     "of",       "and",   "University", "College", "Bank",    "Club",
        "Company", "Council",  "Guild", "Institute",  "Society", "Trust",   "Fair",
        "Feast",   "Festival", "Games", "Parade",     "Race",    "Regatta", "Tournament"}) {
    words.erase(known);
  }
  return words;
}

TEST_P(PocketScale, TrainingNeverMeetsAHeldOutName) {
  const std::set<std::string> held_out = InventedWords(Made(Names::kHeldOut, 500));
  const std::set<std::string> training = InventedWords(Made(Names::kTraining, 2000));
  EXPECT_GT(held_out.size(), 30u);
  EXPECT_GT(training.size(), 300u);
  std::vector<std::string> both;
  std::set_intersection(held_out.begin(), held_out.end(), training.begin(), training.end(),
                        std::back_inserter(both));
  EXPECT_THAT(both, testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Suites, PocketScale,
                         testing::ValuesIn(Generators().begin(), Generators().end()),
                         [](const auto& info) { return std::string(info.param->name); });

TEST(Coreference, PocketScaleAsksWhatNobodyCanAnswer) {
  for (const Passage& passage : Generated({"coreference", Scale::kPocket, 100, 1})) {
    const auto unknown =
        std::count_if(passage.questions.begin(), passage.questions.end(),
                      [](const Question& q) { return q.answer == kUnknownAnswer; });
    EXPECT_EQ(unknown, 3) << passage.context;  // somebody absent, two wrong pronouns
  }
}

TEST(Hops, PocketScaleFollowsZeroToThreeLinks) {
  for (const Passage& passage : Generated({"hops", Scale::kPocket, 100, 1})) {
    std::vector<int> hops(4);
    for (const Question& question : passage.questions) ++hops.at(static_cast<size_t>(question.hop));
    EXPECT_EQ(hops, (std::vector<int>{4, 6, 4, 2})) << passage.context;
  }
}

// A change of these digests is a change of the data set: results of old sweeps no longer compare.
TEST(Knowledge, BytesArePinned) {
  EXPECT_EQ(DigestOf({"knowledge", Scale::kPaper, 50, 1}),
            "9982cad649107e5ee4e6ad5748b901deb64357362e6a379a8f6ff87289b39222");
}

// The bundled models were trained on these wordings.
TEST(PocketScaleBytes, ArePinned) {
  const std::pair<const char*, const char*> pinned[] = {
      {"base", "440090874cba7376ba238ece4851c598afcfbf121f1945f50327d1e0b537ae82"},
      {"knowledge", "cb3417c16c759e433f774ad6d55543fbc12cd4c90fb0fa42ed06c61cbbe55a8c"},
      {"multi_presence", "d2e148707d1807fd1303420b9eedd1d75c0c335fee1524d897a80a3552446280"},
      {"multi_entity", "9092f6dc7b48c164f7292ef47f3f49c3c58014c54828d788d7cbcaba67ae56a4"},
      {"long_context", "0fb949eb8c90398c86ef5e36bfca3d999daf67b923c2251f160bc7a562daea2b"},
      {"coreference", "39239c5dbc1f2db7124642ab8ddfa921804f01ee35071da83687c06374dd0a7e"},
      {"hops", "e6485beb79d3fb45a5fc6c49488ba56c6626fff567c1566a26dc8efc0f349381"},
  };
  for (const auto& [name, digest] : pinned) {
    EXPECT_EQ(DigestOf({name, Scale::kPocket, 50, 1}), digest) << name;
  }
}

}  // namespace
}  // namespace kvscope::orchestrator
