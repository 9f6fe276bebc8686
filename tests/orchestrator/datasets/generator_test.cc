#include "services/orchestrator/datasets/generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/orchestrator/datasets/grounding.h"
#include "services/orchestrator/datasets/passage_json.h"
#include "services/orchestrator/datasets/pocket_world.h"
#include "services/orchestrator/datasets/sha256.h"
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
  EXPECT_FALSE(info.parameters.empty());
}

TEST_P(EverySuite, FillsEveryTagAndId) {
  std::set<std::string> ids;
  int forward = 0;
  int questions = 0;
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
      forward += question.direction == kForward;
      ++questions;
    }
  }
  EXPECT_NEAR(forward, questions / 2.0, questions * 0.05);
}

TEST_P(EverySuite, EvidenceIsWhereTheAnswerStands) {
  for (const Passage& passage : Generated(Spec(300, 4))) {
    const std::string context = NormalizeText(passage.context);
    for (const Question& question : passage.questions) {
      ASSERT_FALSE(question.evidence.empty()) << question.question;
      for (const Evidence& span : question.evidence) {
        EXPECT_EQ(CodePointSlice(passage.context, span.start, span.end), question.answer);
      }
      // All of it: the answer stands nowhere else, as far as words go.
      EXPECT_EQ(Occurrences(NormalizeText(question.answer), context),
                static_cast<int>(question.evidence.size()))
          << question.answer << " in " << passage.context;
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

INSTANTIATE_TEST_SUITE_P(Generators, EverySuite,
                         testing::Combine(testing::ValuesIn(Generators().begin(),
                                                            Generators().end()),
                                          testing::Values(Scale::kPaper, Scale::kPocket)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)->name) + "_" +
                                  std::string(ScaleName(std::get<1>(info.param)));
                         });

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

TEST(Knowledge, PocketScaleHasThirteenQuestionsAndHeldOutNames) {
  size_t longest = 0;
  for (const Passage& passage : Generated({"knowledge", Scale::kPocket, 300, 1})) {
    EXPECT_EQ(passage.questions.size(), 13u);
    longest = std::max(longest, passage.context.size());
    for (const Question& question : passage.questions) {
      EXPECT_EQ(question.question_type, kStandard);  // the pocket models know no others
      if (question.direction != kReverse) continue;
      const std::vector<std::string> names = absl::StrSplit(question.answer, ' ');
      ASSERT_EQ(names.size(), 2u) << question.answer;
      const std::string& first = names[0];
      bool held_out = false;  // some cut of the first name is a held-out pair
      for (size_t cut = 1; cut < first.size(); ++cut) {
        held_out |= IsHeldOut(first.substr(0, cut), first.substr(cut));
      }
      EXPECT_TRUE(held_out) << first;
    }
  }
  EXPECT_LT(longest, 1100u);  // bytes: the pocket models have seen no more than 370 tokens
}

// A change of these digests is a change of the data set: results of old sweeps no longer compare.
TEST(Knowledge, BytesArePinned) {
  EXPECT_EQ(DigestOf({"knowledge", Scale::kPaper, 50, 1}),
            "9982cad649107e5ee4e6ad5748b901deb64357362e6a379a8f6ff87289b39222");
  EXPECT_EQ(DigestOf({"knowledge", Scale::kPocket, 50, 1}),
            "f5ebff343d8a4bf212029eb35134509a2e032cf3728b2e6e3b81203fa5454ace");
}

}  // namespace
}  // namespace kvscope::orchestrator
