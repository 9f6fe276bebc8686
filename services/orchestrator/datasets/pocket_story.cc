#include "services/orchestrator/datasets/pocket_story.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/pocket_relations.h"

namespace kvscope::orchestrator {
namespace {

constexpr std::string_view kLinks[] = {"mentor",    "teacher", "friend",
                                       "neighbour", "cousin",  "partner"};

std::string DrawValue(Relation relation, PocketWorld& world) {
  switch (relation) {
    case Relation::kBirth:
    case Relation::kArrive:
      return world.Date();
    case Relation::kStudy:
      return world.University();
    case Relation::kJob:
      return world.Job();
    case Relation::kHome:
    case Relation::kBirthplace:
    case Relation::kTravel:
    case Relation::kSeat:
      return world.Place();
    case Relation::kPet:
      return world.Creature();
    case Relation::kOwn:
      return world.Thing();
    case Relation::kJoin:
    case Relation::kEmployer:
      return world.Organization();
    case Relation::kCount:
      return world.Number();
    case Relation::kLeave:
      return world.Time();
    case Relation::kWin:
      return world.Event();
    case Relation::kMarry:
    case Relation::kLink:
      return world.Person();
  }
  std::abort();
}

// One piece of a template: text, or a placeholder ('s', 'v', 'a', 'n').
struct Piece {
  std::string_view text;
  char placeholder = 0;
};

std::vector<Piece> PiecesOf(std::string_view wording) {
  std::vector<Piece> pieces;
  while (!wording.empty()) {
    if (wording.front() == '{') {
      pieces.push_back({{}, wording[1]});
      wording.remove_prefix(3);  // "{s}"
      continue;
    }
    const size_t end = std::min(wording.find('{'), wording.size());
    pieces.push_back({wording.substr(0, end)});
    wording.remove_prefix(end);
  }
  return pieces;
}

std::string Capitalized(std::string text) {
  text.front() = absl::ascii_toupper(static_cast<unsigned char>(text.front()));
  return text;
}

bool IsWordByte(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == ':'; }

// Occurrences of `piece` in `text`, both in lower case; nothing if one of them is part of a longer
// word.
std::optional<size_t> WordOccurrences(const std::string& piece, const std::string& text) {
  size_t count = 0;
  for (size_t at = text.find(piece); at != std::string::npos; at = text.find(piece, at + 1)) {
    const size_t end = at + piece.size();
    if (at > 0 && IsWordByte(text[at - 1])) return std::nullopt;
    if (end < text.size() && IsWordByte(text[end])) return std::nullopt;
    ++count;
  }
  return count;
}

}  // namespace

size_t PocketStory::Add(Relation relation, std::string subject) {
  std::string noun;
  if (relation == Relation::kCount) noun = world_.Goods();
  if (relation == Relation::kLink) noun = random_.Pick(kLinks);
  std::string value = DrawValue(relation, world_);
  return Add(relation, std::move(subject), std::move(value), std::move(noun));
}

size_t PocketStory::Add(Relation relation, std::string subject, std::string value,
                        std::string noun) {
  facts_.push_back({relation, std::move(subject), std::move(value), std::move(noun)});
  return facts_.size() - 1;
}

size_t PocketStory::AddLink(std::string subject, std::string value) {
  return Add(Relation::kLink, std::move(subject), std::move(value),
             std::string(random_.Pick(kLinks)));
}

void PocketStory::State(size_t fact, Called called) {
  const std::vector<std::string_view>& wordings = WordsOf(facts_[fact].relation).wordings;
  size_t allowed = wordings.size();  // a pronoun goes only where the sentence begins
  while (!called.pronoun.empty() && !wordings[allowed - 1].starts_with("{s}")) --allowed;
  const size_t wording = random_.Below(10) < 7 ? 0 : random_.Below(allowed);
  Write(fact, wording, called);
}

void PocketStory::Restate(size_t fact) {
  const size_t count = WordsOf(facts_[fact].relation).wordings.size();
  size_t last = 0;
  for (const Statement& statement : statements_) {
    if (statement.fact == fact) last = statement.wording;
  }
  Write(fact, (last + 1 + random_.Below(std::max<size_t>(1, count - 1))) % count, {});
}

void PocketStory::Remark() {
  text_.Append(text().empty() ? "" : " ");
  text_.Append(world_.Remark());
}

void PocketStory::Write(size_t index, size_t wording, Called called) {
  const Fact& fact = facts_[index];
  text_.Append(text().empty() ? "" : " ");
  const size_t sentence = text().size();
  const auto cased = [&](std::string_view piece) {
    return text().size() == sentence ? Capitalized(std::string(piece)) : std::string(piece);
  };
  Statement statement = {index, wording, {}, {}};
  for (const Piece& piece : PiecesOf(WordsOf(fact.relation).wordings[wording])) {
    switch (piece.placeholder) {
      case 's':
        if (!called.pronoun.empty()) {
          text_.Append(called.pronoun);
          for (const Mention& mention : mentions_) {
            if (mention.name == fact.subject) statement.subject = mention.span;
          }
          break;
        }
        statement.subject = text_.Append(cased(fact.subject));
        mentions_.push_back({fact.subject, statement.subject});
        break;
      case 'a':
        text_.Append(cased(ArticleOf(fact.value)));
        [[fallthrough]];
      case 'v':
        statement.value = text_.Append(cased(fact.value));
        mentions_.push_back({fact.value, statement.value});
        break;
      case 'n':
        text_.Append(fact.noun);
        break;
      default:
        text_.Append(piece.text);
    }
  }
  statements_.push_back(statement);
}

std::string PocketStory::Render(std::string_view wording, const Fact& fact) const {
  std::string text;
  for (const Piece& piece : PiecesOf(wording)) {
    switch (piece.placeholder) {
      case 's':
        text += fact.subject;
        break;
      case 'a':
        text += ArticleOf(fact.value) + fact.value;
        break;
      case 'v':
        text += fact.value;
        break;
      case 'n':
        text += fact.noun;
        break;
      default:
        text += piece.text;
    }
  }
  return text;
}

std::vector<Evidence> PocketStory::Mentions(std::string_view name) const {
  std::vector<Evidence> spans;
  for (const Mention& mention : mentions_) {
    if (mention.name == name) spans.push_back(mention.span);
  }
  return spans;
}

std::vector<std::pair<Evidence, Evidence>> PocketStory::Statements(size_t fact) const {
  std::vector<std::pair<Evidence, Evidence>> spans;
  for (const Statement& statement : statements_) {
    if (statement.fact == fact) spans.emplace_back(statement.subject, statement.value);
  }
  return spans;
}

Question PocketStory::AskForward(size_t index) {
  const Fact& fact = facts_[index];
  const RelationWords& words = WordsOf(fact.relation);
  Question question;
  question.question = Render(random_.Pick(words.forward), fact);
  question.answer = fact.value;
  question.direction = kForward;
  question.answer_type = words.value_type;
  question.question_type = kStandard;
  question.evidence = Mentions(fact.value);
  for (const auto& [subject, value] : Statements(index)) question.support.push_back(subject);
  return question;
}

Question PocketStory::AskReverse(size_t index) {
  const Fact& fact = facts_[index];
  const RelationWords& words = WordsOf(fact.relation);
  Question question;
  question.question = Render(random_.Pick(words.reverse), fact);
  question.answer = fact.subject;
  question.direction = kReverse;
  question.answer_type = words.subject_type;
  question.question_type = kStandard;
  question.evidence = Mentions(fact.subject);
  for (const auto& [subject, value] : Statements(index)) question.support.push_back(value);
  return question;
}

std::string PocketStory::AskWith(size_t index, std::string_view pronoun) const {
  Fact fact = facts_[index];
  fact.subject = pronoun;
  const std::string stated = Render(WordsOf(fact.relation).wordings.front(), fact);
  return absl::StrCat(stated, " Who is ", absl::AsciiStrToLower(fact.subject), "?");
}

Question PocketStory::AskChain(std::string text, std::span<const size_t> chain) {
  Question question = AskForward(chain.back());
  question.question = std::move(text);
  question.support.clear();
  for (const size_t fact : chain) {
    const auto [subject, value] = Statements(fact).front();
    question.support.push_back(subject);
    question.support.push_back(value);
  }
  question.support.pop_back();  // the last value is the answer
  return question;
}

bool AnswersAreUnambiguous(const Passage& passage) {
  const std::string context = absl::AsciiStrToLower(passage.context);
  return std::all_of(passage.questions.begin(), passage.questions.end(), [&](const Question& q) {
    if (q.answer == kUnknownAnswer) return true;
    if (q.question_type == kPart) {
      return std::all_of(q.evidence.begin(), q.evidence.end(), [&](const Evidence& span) {
        const auto start = static_cast<size_t>(span.start);
        const std::string part = context.substr(start, static_cast<size_t>(span.end) - start);
        return WordOccurrences(part, context) == size_t{1};
      });
    }
    return WordOccurrences(absl::AsciiStrToLower(q.answer), context) == q.evidence.size();
  });
}

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

void AskBothWays(PocketStory& story, std::span<const size_t> facts, size_t forward, size_t reverse,
                 Random& random, std::vector<Question>& questions) {
  for (const size_t fact : facts) {
    questions.push_back(story.AskForward(fact));
    questions.push_back(story.AskReverse(fact));
  }
  KeepSome(kForward, forward, random, questions);
  KeepSome(kReverse, reverse, random, questions);
}

}  // namespace kvscope::orchestrator
