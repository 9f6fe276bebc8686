// knowledge: template biographies, 13 questions each.  Source: arXiv:2603.01426, section 2.
#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/orchestrator/datasets/calendar.h"
#include "services/orchestrator/datasets/generator.h"
#include "services/orchestrator/datasets/invented_names.h"
#include "services/orchestrator/datasets/marked_text.h"
#include "services/orchestrator/datasets/pocket_world.h"
#include "services/orchestrator/datasets/random.h"

namespace kvscope::orchestrator {
namespace {

constexpr size_t kQuestions = 13;

Passage NewPassage(Scale scale, uint64_t seed, int64_t index) {
  Passage passage;
  passage.dataset = "knowledge";
  passage.passage_id =
      absl::StrFormat("knowledge-%s-%d-%04d", std::string(ScaleName(scale)), seed, index);
  return passage;
}

void NumberQuestions(Passage& passage) {
  for (size_t i = 0; i < passage.questions.size(); ++i) {
    passage.questions[i].question_id = absl::StrFormat("%s-%02d", passage.passage_id, i);
  }
}

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

// Whether every answer stands in the context, case aside, only where its evidence says: "Elton"
// within "Kelton" would be counted among the answer's tokens.
bool AnswersAreUnambiguous(const Passage& passage) {
  const std::string context = absl::AsciiStrToLower(passage.context);
  return std::all_of(passage.questions.begin(), passage.questions.end(), [&](const Question& q) {
    const std::string answer = absl::AsciiStrToLower(q.answer);
    size_t occurrences = 0;
    for (size_t at = context.find(answer); at != std::string::npos;
         at = context.find(answer, at + 1)) {
      ++occurrences;
    }
    return occurrences == q.evidence.size();
  });
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
  Passage passage = NewPassage(Scale::kPaper, seed, index);
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

// ---- the pocket models' scale: records of several persons, in the words they were trained on

// A way to state a fact: text before the subject, between subject and value, after the value.
// Only what begins with its subject can be said of "They".
struct Wording {
  std::string_view before, between, after;
};

struct Relation {
  std::string_view answer_type;
  std::vector<Wording> wordings;
  std::vector<std::pair<std::string_view, std::string_view>> forward;  // around the subject
  std::vector<std::string_view> reverse;                               // before value and "?"
  bool has_article;                                                    // before the value
};

const std::array<Relation, 4>& PocketRelations() {
  static const std::array<Relation, 4> relations = {{
      {"Dates/Times",
       {{"", " was born on ", "."}},
       {{"When was ", " born?"}},
       {"Who was born on "},
       false},
      {"Organization",
       {{"", " studied in ", "."}, {"", " studied at ", "."}},
       {{"Where did ", " study?"}},
       {"Who studied at ", "Who studied in "},
       false},
      {"Thing",
       {{"", " worked as ", "."},
        {"", " had a job as ", "."},
        {"For years ", " made a living as ", "."}},
       {{"What was the job of ", "?"}, {"What did ", " work as?"}},
       {"Who worked as "},
       true},
      {"Location",
       {{"", " lived in ", "."},
        {"", " had a home in ", "."},
        {"The house of ", " stood in ", "."}},
       {{"Where did ", " live?"}},
       {"Who lived in "},
       false},
  }};
  return relations;
}

// Seven sentences in ten take the first wording, as in training.
const Wording& PickWording(const Relation& relation, bool pronoun, Random& random) {
  if (random.Below(10) < 7) return relation.wordings.front();
  size_t allowed = relation.wordings.size();
  while (pronoun && !relation.wordings[allowed - 1].before.empty()) --allowed;
  return relation.wordings[random.Below(allowed)];
}

// A fact as it stands in the text: where its value is.  `mentions` gains its subject's span.
Evidence WriteFact(const Relation& relation, const std::string& person, const std::string& value,
                   bool pronoun, Random& random, MarkedText& text,
                   std::vector<Evidence>& mentions) {
  const Wording& wording = PickWording(relation, pronoun, random);
  text.Append(text.text().empty() ? "" : " ");
  text.Append(wording.before);
  const Evidence subject = text.Append(pronoun ? "They" : person);
  if (!pronoun) mentions.push_back(subject);
  text.Append(wording.between);
  if (relation.has_article) text.Append(ArticleOf(value));
  const Evidence at = text.Append(value);
  text.Append(wording.after);
  return at;
}

// One person's record; asks each of its facts forward, then in reverse.
std::vector<Question> WriteRecord(PocketWorld& world, Random& random, MarkedText& text) {
  const std::string person = world.Person();
  const std::array<std::string, 4> values = {world.Date(), world.University(), world.Job(),
                                             world.Place()};
  std::vector<Evidence> mentions;
  std::vector<Question> questions;
  for (size_t i = 0; i < values.size(); ++i) {
    const Relation& relation = PocketRelations()[i];
    const bool pronoun = i > 0 && !random.OneIn(10);
    const Evidence at = WriteFact(relation, person, values[i], pronoun, random, text, mentions);
    const auto& [before, after] = relation.forward[random.Below(relation.forward.size())];
    questions.push_back(Ask(absl::StrCat(std::string(before), person, std::string(after)),
                            values[i], kForward, relation.answer_type, {at}));
    const std::string_view who = relation.reverse[random.Below(relation.reverse.size())];
    const std::string value =
        relation.has_article ? absl::StrCat(ArticleOf(values[i]), values[i]) : values[i];
    questions.push_back(
        Ask(absl::StrCat(std::string(who), value, "?"), person, kReverse, "Person", {}));
  }
  for (Question& question : questions) {
    if (question.direction == kReverse) question.evidence = mentions;
  }
  return questions;
}

// Keeps `count` questions of one direction, drawn evenly.
void KeepSome(std::string_view direction, size_t count, Random& random,
              std::vector<Question>& questions) {
  std::vector<size_t> left;
  for (size_t i = 0; i < questions.size(); ++i) {
    if (questions[i].direction == direction) left.push_back(i);
  }
  std::vector<bool> drop(questions.size(), false);
  while (left.size() > count) {
    const size_t drawn = random.Below(left.size());
    drop[left[drawn]] = true;
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(drawn));
  }
  std::vector<Question> kept;
  for (size_t i = 0; i < questions.size(); ++i) {
    if (!drop[i]) kept.push_back(std::move(questions[i]));
  }
  questions = std::move(kept);
}

// Records and all their questions, 8 a person.
void WritePocketPassage(Random& random, Passage& passage) {
  PocketWorld world(random);
  MarkedText text;
  passage.questions.clear();
  const int64_t persons = random.Between(2, 6);  // two give 16 questions, six about 350 tokens
  for (int64_t person = 0; person < persons; ++person) {
    for (Question& question : WriteRecord(world, random, text)) {
      passage.questions.push_back(std::move(question));
    }
  }
  passage.context = text.text();
}

Passage MakePocketPassage(uint64_t seed, int64_t index) {
  Random random = Random::Keyed(seed, "knowledge/pocket", static_cast<uint64_t>(index));
  Passage passage = NewPassage(Scale::kPocket, seed, index);
  do {
    WritePocketPassage(random, passage);
  } while (!AnswersAreUnambiguous(passage));
  const size_t forward = kQuestions / 2 + static_cast<size_t>(index % 2);  // 6 and 7 by turns
  KeepSome(kForward, forward, random, passage.questions);
  KeepSome(kReverse, kQuestions - forward, random, passage.questions);
  NumberQuestions(passage);
  return passage;
}

Passage MakeKnowledge(Scale scale, uint64_t seed, int64_t index) {
  return scale == Scale::kPaper ? MakePaperPassage(seed, index) : MakePocketPassage(seed, index);
}

constexpr GeneratorParameter kParameters[] = {
    {"scale", "pocket", "paper | pocket",
     "one person in 32 words, or records of 2 to 6 persons worded for the pocket models"},
    {"passages", "", "1 to 1000000", "how many passages; each has 13 questions"},
    {"seed", "0", "0 to 2^64 - 1", "equal seeds give equal passages"},
};

}  // namespace

extern const GeneratorInfo kKnowledge = {
    .name = "knowledge",
    .summary = "Template biographies: birth, study, work and home, asked both ways.",
    .source = "arXiv:2603.01426, section 2",
    .paper_passages = 4000,
    .parameters = kParameters,
    .make = MakeKnowledge,
};

}  // namespace kvscope::orchestrator
