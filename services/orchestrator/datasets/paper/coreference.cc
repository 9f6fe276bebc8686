// coreference: the paper's template, whose pronouns say who is meant; 44 words.
#include <array>
#include <string>
#include <utility>

#include "services/orchestrator/datasets/calendar.h"
#include "services/orchestrator/datasets/invented_names.h"
#include "services/orchestrator/datasets/marked_text.h"
#include "services/orchestrator/datasets/paper/names.h"
#include "services/orchestrator/datasets/paper/passage_writing.h"
#include "services/orchestrator/datasets/paper/suites.h"
#include "services/orchestrator/datasets/paper/wording.h"
#include "services/orchestrator/datasets/pocket_world.h"

namespace kvscope::orchestrator {
namespace paper {
namespace {

constexpr size_t kAnswered = 3;  // of each direction
constexpr size_t kSwapped = 3;

struct Biography {
  Name name;
  std::string month, year, date;
  std::string birthplace, university, campus, occupation, home;
};

std::string TownOf(NameMaker& names) {
  const std::string town = names.Value(Kind::kLocation).text;
  return town.substr(town.find(' ') + 1);  // without "Upper", or all of it
}

// Four words: "Lower Benashford upon Telask".
std::string PlaceOf(Random& random, NameMaker& names) {
  constexpr std::string_view kParts[] = {"Upper", "Lower", "Great", "Little", "Old", "New"};
  const std::string river = names.Value(Kind::kEvent).text;
  return Joined({random.Pick(kParts), " ", TownOf(names), " upon ",
                 std::string_view(river).substr(0, river.find(' '))});
}

// Six words: "Royal Benashford University of Marine Sciences".
std::string UniversityOf(Random& random, NameMaker& names) {
  const std::string university = InventUniversity(random);
  const size_t town = university.find(' ') + 1;
  return Joined({std::string_view(university).substr(0, town), TownOf(names),
                 std::string_view(university).substr(university.find(' ', town))});
}

Biography DrawBiography(Random& random) {
  NameMaker names(random);
  Biography b;
  b.name = names.Value(Kind::kPerson);
  b.month = random.Pick(kMonths);
  b.year = std::to_string(random.Between(1940, 2004));
  b.date = Joined({std::to_string(random.Between(1, 28)), " ", b.month, " ", b.year});
  b.birthplace = PlaceOf(random, names);
  b.university = UniversityOf(random, names);
  b.campus = PlaceOf(random, names);
  b.occupation = InventOccupation(random);
  b.home = PlaceOf(random, names);
  return b;
}

struct Spans {
  Evidence name, date, birthplace, university, campus, occupation, home;
};

Spans WriteBiography(const Biography& b, MarkedText& text) {
  const std::string_view he = b.name.female ? "She" : "He";
  Spans at;
  at.name = text.Append(b.name.text);
  text.Append(" was born on ");
  at.date = text.Append(b.date);
  text.Append(" in ");
  at.birthplace = text.Append(b.birthplace);
  text.Append(Joined({". ", he, " is ", b.name.female ? "female" : "male", ". "}));
  text.Append(Joined({he, " studied in "}));
  at.university = text.Append(b.university);
  text.Append(" in ");
  at.campus = text.Append(b.campus);
  text.Append(Joined({". ", he, " works as ", ArticleOf(b.occupation)}));
  at.occupation = text.Append(b.occupation);
  text.Append(Joined({". ", he, " lives in "}));
  at.home = text.Append(b.home);
  text.Append(".");
  return at;
}

// A question by pronoun: {he} and {his} are the right ones or, swapped, the others.
struct Query {
  std::string text;
  std::string_view answer_type, question_type;
  std::string answer;
  Evidence at;
  Evidence key;  // of a reverse question
};

std::vector<Query> ForwardQueries(const Biography& b, const Spans& at) {
  const Evidence year = {at.date.end - 4, at.date.end};
  return {
      {"When was {he} born?", "Dates/Times", kStandard, b.date, at.date, {}},
      {"Where was {he} born?", "Location", kStandard, b.birthplace, at.birthplace, {}},
      {"At which university did {he} study?",
       "Organization",
       kStandard,
       b.university,
       at.university,
       {}},
      {"In which town is the university where {he} studied?",
       "Location",
       kStandard,
       b.campus,
       at.campus,
       {}},
      {"What does {he} work as?", "Thing", kStandard, b.occupation, at.occupation, {}},
      {"Where does {he} live?", "Location", kStandard, b.home, at.home, {}},
      {"In which year was {he} born?", "Dates/Times", kManipulated, b.year, year, {}},
  };
}

std::vector<Query> ReverseQueries(const Biography& b, const Spans& at) {
  const std::string job = Joined({ArticleOf(b.occupation), b.occupation});
  const std::array<std::pair<std::string, Evidence>, 6> known = {{
      {Joined({"was born on ", b.date}), at.date},
      {Joined({"was born in ", b.birthplace}), at.birthplace},
      {Joined({"studied in ", b.university}), at.university},
      {Joined({"studied in ", b.campus}), at.campus},
      {Joined({"works as ", job}), at.occupation},
      {Joined({"lives in ", b.home}), at.home},
  }};
  const int64_t space = at.name.start + static_cast<int64_t>(b.name.first.size());
  std::vector<Query> queries;
  for (size_t i = 0; i < known.size(); ++i) {
    const auto& [what, key] = known[i];
    const std::string start = Joined({"{He} ", what, ". What is {his} "});
    if (i % 3 == 2) {
      queries.push_back({start + "last name?",
                         "Person",
                         kManipulated,
                         b.name.last,
                         {space + 1, at.name.end},
                         key});
    } else if (i == 3) {
      queries.push_back({start + "first name?",
                         "Person",
                         kManipulated,
                         b.name.first,
                         {at.name.start, space},
                         key});
    } else {
      queries.push_back({start + "name?", "Person", kStandard, b.name.text, at.name, key});
    }
  }
  return queries;
}

// `swapped`: by the pronoun that nobody in the passage has.
Question Ask(const Query& query, std::string_view direction, bool swapped, const Biography& b,
             const Spans& at) {
  const bool she = b.name.female != swapped;
  Question question;
  question.question = WithSlot(
      WithSlot(WithSlot(query.text, "{he}", she ? "she" : "he"), "{He}", she ? "She" : "He"),
      "{his}", she ? "her" : "his");
  question.direction = direction;
  question.answer_type = query.answer_type;
  question.question_type = query.question_type;
  question.answer = swapped ? kUnknownAnswer : std::string_view(query.answer);
  if (swapped) return question;
  question.evidence = {query.at};
  question.support = {direction == kForward ? at.name : query.key};
  return question;
}

void Draw(Random& random, std::vector<Query>& queries) {
  for (size_t i = queries.size(); i > 1; --i) std::swap(queries[i - 1], queries[random.Below(i)]);
}

// Three answerable questions each way, and three swapped ones: two of a direction by turns.
bool WriteCoreference(int64_t index, Random& random, Passage& passage) {
  const Biography b = DrawBiography(random);
  MarkedText text;
  const Spans at = WriteBiography(b, text);
  passage.context = text.text();
  std::vector<Query> forward = ForwardQueries(b, at);
  std::vector<Query> reverse = ReverseQueries(b, at);
  Draw(random, forward);
  Draw(random, reverse);
  const size_t swapped_forward = index % 2 == 0 ? 2 : 1;
  for (size_t i = 0; i < kAnswered + swapped_forward; ++i) {
    passage.questions.push_back(Ask(forward[i], kForward, i >= kAnswered, b, at));
  }
  for (size_t i = 0; i < kAnswered + kSwapped - swapped_forward; ++i) {
    passage.questions.push_back(Ask(reverse[i], kReverse, i >= kAnswered, b, at));
  }
  for (Question& question : passage.questions) {
    if (question.answer == b.date) {
      const size_t space = b.date.find(' ');
      question.aliases = {Joined({b.month, " ", b.date.substr(0, space), ", ", b.year})};
    }
    if (question.answer == b.occupation) {
      question.aliases = {Joined({ArticleOf(b.occupation), b.occupation})};
    }
  }
  ShuffleQuestions(random, passage.questions);
  return true;
}

}  // namespace
}  // namespace paper

Passage MakePaperCoreference(uint64_t seed, int64_t index) {
  return paper::WritePassage("coreference", seed, index, [&](Random& random, Passage& passage) {
    return paper::WriteCoreference(index, random, passage);
  });
}

}  // namespace kvscope::orchestrator
