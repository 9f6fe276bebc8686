// knowledge: template biographies, 13 questions each.  Source: arXiv:2603.01426, section 2.
#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/orchestrator/datasets/calendar.h"
#include "services/orchestrator/datasets/generator.h"
#include "services/orchestrator/datasets/invented_names.h"
#include "services/orchestrator/datasets/marked_text.h"
#include "services/orchestrator/datasets/passage_ids.h"
#include "services/orchestrator/datasets/pocket_story.h"
#include "services/orchestrator/datasets/random.h"

namespace kvscope::orchestrator {
namespace {

constexpr size_t kQuestions = 13;

Question Ask(std::string question, std::string_view answer, std::string_view direction,
             std::string_view answer_type, std::vector<Evidence> evidence) {
  Question asked;
  asked.question = std::move(question);
  asked.answer = answer;
  asked.direction = direction;
  asked.answer_type = answer_type;
  asked.question_type = kStandard;
  asked.evidence = std::move(evidence);
  return asked;
}

// ---- the paper's scale: one person a passage, its template to the letter, 32 words

struct Biography {
  std::string first, last, name;
  std::string day, month, year, date;
  std::string university, occupation, city;
};

Biography DrawBiography(Random& random) {
  Biography b;
  b.first = InventFirstName(random);
  b.last = InventLastName(random);
  b.name = absl::StrCat(b.first, " ", b.last);
  b.day = absl::StrCat(random.Between(10, 28));
  b.month = random.Pick(kMonths);
  b.year = absl::StrCat(random.Between(1940, 2004));
  b.date = absl::StrCat(b.day, " ", b.month, " ", b.year);
  b.university = InventUniversity(random);
  b.occupation = InventOccupation(random);
  b.city = InventCity(random);
  return b;
}

struct Spans {
  Evidence first, last, name, day, month, year, date, university, occupation, city;
};

Spans WriteBiography(const Biography& b, MarkedText& text) {
  Spans at;
  at.first = text.Append(b.first);
  text.Append(" ");
  at.last = text.Append(b.last);
  at.name = {at.first.start, at.last.end};
  text.Append(" was born on ");
  at.day = text.Append(b.day);
  text.Append(" ");
  at.month = text.Append(b.month);
  text.Append(" ");
  at.year = text.Append(b.year);
  at.date = {at.day.start, at.year.end};
  text.Append(". They studied in ");
  at.university = text.Append(b.university);
  text.Append(". They work as ");
  text.Append(ArticleOf(b.occupation));
  at.occupation = text.Append(b.occupation);
  text.Append(". They live in ");
  at.city = text.Append(b.city);
  text.Append(".");
  return at;
}

// Each attribute both ways; then what takes a step more than finding it.
std::vector<Question> AskBiography(const Biography& b, const Spans& at) {
  const std::string job = absl::StrCat(ArticleOf(b.occupation), b.occupation);
  std::vector<Question> questions = {
      Ask(absl::StrCat("When was ", b.name, " born?"), b.date, kForward, "Dates/Times", {at.date}),
      Ask(absl::StrCat("Who was born on ", b.date, "?"), b.name, kReverse, "Person", {at.name}),
      Ask(absl::StrCat("Where did ", b.name, " study?"), b.university, kForward, "Organization",
          {at.university}),
      Ask(absl::StrCat("Who studied in ", b.university, "?"), b.name, kReverse, "Person",
          {at.name}),
      Ask(absl::StrCat("What does ", b.name, " work as?"), b.occupation, kForward, "Thing",
          {at.occupation}),
      Ask(absl::StrCat("Who works as ", job, "?"), b.name, kReverse, "Person", {at.name}),
      Ask(absl::StrCat("Where does ", b.name, " live?"), b.city, kForward, "Location", {at.city}),
      Ask(absl::StrCat("Who lives in ", b.city, "?"), b.name, kReverse, "Person", {at.name}),
      Ask(absl::StrCat("In which year was ", b.name, " born?"), b.year, kForward, "Dates/Times",
          {at.year}),
      Ask(absl::StrCat("In which month was ", b.name, " born?"), b.month, kForward, "Dates/Times",
          {at.month}),
      Ask(absl::StrCat("On which day of the month was ", b.name, " born?"), b.day, kForward,
          "Numerals", {at.day}),
      Ask(absl::StrCat("What is the first name of the person who studied in ", b.university, "?"),
          b.first, kReverse, "Person", {at.first}),
      Ask(absl::StrCat("What is the last name of the person who lives in ", b.city, "?"), b.last,
          kReverse, "Person", {at.last}),
  };
  for (size_t i = 8; i < questions.size(); ++i) questions[i].question_type = kManipulated;
  questions[0].aliases = {absl::StrCat(b.month, " ", b.day, ", ", b.year)};
  questions[4].aliases = {job};
  return questions;
}

Passage MakePaperPassage(uint64_t seed, int64_t index) {
  Random random = Random::Keyed(seed, "knowledge/paper", static_cast<uint64_t>(index));
  Passage passage = NewPassage("knowledge", Scale::kPaper, Names::kHeldOut, seed, index);
  do {
    const Biography biography = DrawBiography(random);
    MarkedText text;
    const Spans at = WriteBiography(biography, text);
    passage.context = text.text();
    passage.questions = AskBiography(biography, at);
  } while (!AnswersAreUnambiguous(passage));
  NumberQuestions(passage);
  return passage;
}

// ---- the pocket models' scale: records of several persons, in the words they are trained on

// Asks for a part of a forward question's answer, words `first` to `last` of it.
Question AskPart(const Question& whole, std::string text, size_t word) {
  const std::vector<std::string> words = absl::StrSplit(whole.answer, ' ');
  Question question = whole;
  question.question = std::move(text);
  question.answer = words[word];
  question.question_type = kManipulated;
  size_t skipped = 0;
  for (size_t i = 0; i < word; ++i) skipped += words[i].size() + 1;
  for (Evidence& span : question.evidence) {
    span.start += static_cast<int64_t>(skipped);
    span.end = span.start + static_cast<int64_t>(words[word].size());
  }
  return question;
}

// A question that needs a part of a name or date.
Question AskManipulated(Random& random, PocketStory& story, size_t birth, size_t other) {
  const std::string person = story.fact(birth).subject;
  const Question when = story.AskForward(birth);
  const Question who = story.AskReverse(other);
  const std::string did = who.question.substr(3);  // " lived in Delgate?"
  switch (random.Below(5)) {
    case 0:
      return AskPart(when, absl::StrCat("In which year was ", person, " born?"), 2);
    case 1:
      return AskPart(when, absl::StrCat("In which month was ", person, " born?"), 1);
    case 2:
      return AskPart(who, absl::StrCat("What is the first name of the person who", did), 0);
    default:
      return AskPart(who, absl::StrCat("What is the last name of the person who", did), 1);
  }
}

constexpr size_t kManipulatedQuestions = 3;

// Records of 2 to 4 persons: day of birth, study, work and home.
void WritePocketPassage(Random& random, Names names, Passage& passage) {
  PocketStory story(random, names);
  passage.questions.clear();
  std::vector<std::vector<size_t>> records(static_cast<size_t>(random.Between(2, 4)));
  for (std::vector<size_t>& record : records) {
    const std::string person = story.world().Person();
    for (const Relation relation :
         {Relation::kBirth, Relation::kStudy, Relation::kJob, Relation::kHome}) {
      record.push_back(story.Add(relation, person));
      const bool named = record.size() == 1 || random.OneIn(10);
      story.State(record.back(), {named ? "" : "They"});
    }
  }
  passage.context = story.text();
  std::set<std::string> asked;
  std::vector<Question> manipulated;
  while (manipulated.size() < kManipulatedQuestions) {
    const std::vector<size_t>& record = records[random.Below(records.size())];
    const Question question =
        AskManipulated(random, story, record[0], record[random.Between(1, 3)]);
    if (asked.insert(question.question).second) manipulated.push_back(question);
  }
  for (const std::vector<size_t>& record : records) {
    for (const size_t fact : record) {
      passage.questions.push_back(story.AskForward(fact));
      passage.questions.push_back(story.AskReverse(fact));
    }
  }
  size_t forward = kQuestions / 2 + random.Below(2);  // 6 or 7
  size_t reverse = kQuestions - forward;
  for (const Question& question : manipulated)
    --(question.direction == kForward ? forward : reverse);
  KeepSome(kForward, forward, random, passage.questions);
  KeepSome(kReverse, reverse, random, passage.questions);
  passage.questions.insert(passage.questions.end(), manipulated.begin(), manipulated.end());
}

}  // namespace

extern const GeneratorInfo kKnowledge = {
    .name = "knowledge",
    .summary = "Template biographies: birth, study, work and home, asked both ways.",
    .source = "arXiv:2603.01426, section 2",
    .paper_passages = 4000,
    .make_paper = MakePaperPassage,
    .write_pocket = WritePocketPassage,
};

}  // namespace kvscope::orchestrator
