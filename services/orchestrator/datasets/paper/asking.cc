#include "services/orchestrator/datasets/paper/asking.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "services/orchestrator/datasets/paper/wording.h"

namespace kvscope::orchestrator::paper {
namespace {

// "person who", "guild that"
std::string WithPronoun(std::string_view noun, Kind kind) {
  return Joined({noun, kind == Kind::kPerson ? " who" : " that"});
}

// "14 May 1862" also as "May 14, 1862".
std::string OtherDate(const Name& date) {
  const size_t space = date.text.find(' ');
  return Joined({date.first, " ", date.text.substr(0, space), ", ", date.last});
}

// "When was ..." as "In which year was ...".
std::string ForTheYear(std::string_view question) {
  constexpr std::string_view kWhen = "When ";
  if (!question.starts_with(kWhen)) std::abort();  // a slip in the vocabulary
  return Joined({"In which year ", question.substr(kWhen.size())});
}

}  // namespace

Question Asker::Tagged(std::string_view direction, Kind answer, int64_t hop) const {
  Question question;
  question.direction = direction;
  question.answer_type = AnswerType(answer);
  question.question_type = kStandard;
  question.hop = hop;
  return question;
}

void Asker::AnswerWith(const Name& name, const std::vector<Evidence>& at,
                       Question& question) const {
  question.answer = name.text;
  question.evidence = at;
  if (name.kind == Kind::kDate) question.aliases = {OtherDate(name)};
  if (!name.the.empty()) question.aliases = {WithArticle(name)};
}

// The answer becomes a word of itself: the first or the last, as it stands in it.
void Asker::NarrowTo(std::string_view word, Question& question) const {
  const bool first = question.answer.starts_with(word);
  const auto length = static_cast<int64_t>(word.size());
  for (Evidence& span : question.evidence) {
    span =
        first ? Evidence{span.start, span.start + length} : Evidence{span.end - length, span.end};
  }
  question.answer = word;
  question.aliases.clear();
  question.question_type = kManipulated;
}

bool Asker::AskForWord(const Name& name, const std::string& who, Question& question) {
  switch (name.kind) {
    case Kind::kPerson: {
      const bool first = random_.OneIn(3);
      question.question = Joined({"What is the ", first ? "first" : "last", " name of ", who, "?"});
      NarrowTo(first ? name.first : name.last, question);
      return true;
    }
    case Kind::kThing:
    case Kind::kOrganization:
    case Kind::kEvent:
      question.question = Joined({"What is the first word in the name of ", who, "?"});
      NarrowTo(std::string_view(name.text).substr(0, name.text.find(' ')), question);
      return true;
    default:
      return false;
  }
}

Question Asker::Forward(int index, bool manipulated) {
  const Fact& fact = At(index);
  const Name& subject = Entity(fact.subject);
  Question question = Tagged(kForward, fact.value.kind, 0);
  AnswerWith(fact.value, {ValueAt(index)}, question);
  question.support = Mentions(fact.subject);
  const std::string key = WithArticle(subject);
  std::string_view text = random_.Pick(fact.relation->forward);
  question.question = WithSlot(text, "{S}", key);
  if (!manipulated) return question;
  if (fact.value.kind == Kind::kDate) {
    question.question = ForTheYear(question.question);
    NarrowTo(fact.value.last, question);
  } else if (fact.value.kind == Kind::kPerson) {
    const std::string_view noun = GenericNoun(Kind::kPerson);
    const std::string who = WithSlot(WithSlot(fact.relation->pointer, "{n}", noun), "{S}", key);
    AskForWord(fact.value, who, question);
  }
  return question;
}

Question Asker::Part(std::span<const int> pair) {
  const Fact& fact = At(pair[0]);
  Question question = Tagged(kForward, fact.value.kind, 0);
  question.question_type = kPart;
  question.question =
      WithSlot(random_.Pick(fact.pair->forward), "{S}", WithArticle(Entity(fact.subject)));
  const Name& other = At(pair[1]).value;
  question.answer = Joined({fact.value.text, " and ", other.text});
  question.aliases = {Joined({other.text, " and ", fact.value.text})};
  question.evidence = {ValueAt(pair[0]), ValueAt(pair[1])};
  question.support = Mentions(fact.subject);
  return question;
}

// `whole`: the value is a long phrase, which must stand last and as it is.
std::string Asker::ReversePhrase(const Fact& fact, std::string_view value, bool whole) {
  if (fact.pair != nullptr) return WithSlot(fact.pair->reverse, "{V}", value);
  Texts phrases = fact.relation->reverse;
  if (whole) std::erase_if(phrases, [](auto text) { return !text.ends_with("{V}"); });
  return WithSlot(random_.Pick(phrases), "{V}", value);
}

Question Asker::Reverse(int index, bool manipulated) {
  const Fact& fact = At(index);
  const Name& subject = Entity(fact.subject);
  Question question = Tagged(kReverse, subject.kind, 0);
  AnswerWith(subject, Mentions(fact.subject), question);
  question.support = {ValueAt(index)};
  const std::string phrase =
      WithSlot(ReversePhrase(fact, WithArticle(fact.value), false), "{v}", fact.value.text);
  const std::string_view generic = GenericNoun(subject.kind);
  const std::string described = Joined({"the ", WithPronoun(generic, subject.kind), " ", phrase});
  if (manipulated && AskForWord(subject, described, question)) return question;
  switch (random_.Below(4)) {
    case 0:
      question.question = Joined({"What is the name of ", described, "?"});
      break;
    case 1:
      question.question = Joined({"Which ", subject.noun, " ", phrase, "?"});
      break;
    case 2:
      if (subject.kind == Kind::kPerson) {
        question.question = Joined({"Who ", phrase, "?"});
        break;
      }
      [[fallthrough]];
    default:
      question.question = Joined({"Which ", generic, " ", phrase, "?"});
      break;
  }
  return question;
}

// Each link as it is followed from its subject: where it ends, where the next begins.
void Asker::SupportChain(std::span<const int> links, Question& question) const {
  for (const int link : links) {
    question.support.push_back(ValueAt(link));
    for (const Evidence& mention : Mentions(At(link).value_entity)) {
      if (mention != ValueAt(link)) question.support.push_back(mention);
    }
  }
}

Question Asker::ForwardChain(std::span<const int> links, int index, bool manipulated) {
  const Fact& fact = At(index);
  Question question = Tagged(kForward, fact.value.kind, static_cast<int64_t>(links.size()));
  AnswerWith(fact.value, {ValueAt(index)}, question);
  std::string who = WithArticle(Entity(links.empty() ? fact.subject : At(links[0]).subject));
  question.support = Mentions(links.empty() ? fact.subject : At(links[0]).subject);
  for (const int link : links) {
    const std::string_view noun = GenericNoun(At(link).value.kind);
    who = WithSlot(WithSlot(At(link).relation->pointer, "{n}", noun), "{S}", who);
  }
  SupportChain(links, question);
  question.question = WithSlot(fact.relation->chained, "{S}", who);
  if (!manipulated) return question;
  if (fact.value.kind == Kind::kDate) {
    question.question = ForTheYear(question.question);
    NarrowTo(fact.value.last, question);
  } else if (fact.value.kind == Kind::kPerson) {
    const std::string_view noun = GenericNoun(Kind::kPerson);
    who = WithSlot(WithSlot(fact.relation->pointer, "{n}", noun), "{S}", who);
    AskForWord(fact.value, who, question);
  }
  return question;
}

Question Asker::ReverseChain(std::span<const int> links, int index) {
  const Fact& fact = At(index);
  const int answer = links.empty() ? fact.subject : At(links[0]).subject;
  const Name& subject = Entity(answer);
  Question question = Tagged(kReverse, subject.kind, static_cast<int64_t>(links.size()));
  AnswerWith(subject, Mentions(answer), question);
  std::string phrase =
      WithSlot(ReversePhrase(fact, WithArticle(fact.value), false), "{v}", fact.value.text);
  question.support = {ValueAt(index)};
  for (size_t i = links.size(); i-- > 0;) {
    const Fact& link = At(links[i]);
    const std::string_view noun = GenericNoun(link.value.kind);
    phrase = ReversePhrase(link, Joined({"the ", WithPronoun(noun, link.value.kind), " ", phrase}),
                           true);
    for (const Evidence& mention : Mentions(link.value_entity)) {
      if (mention != ValueAt(links[i])) question.support.push_back(mention);
    }
    question.support.push_back(ValueAt(links[i]));
  }
  question.question = subject.kind == Kind::kPerson && random_.OneIn(2)
                          ? Joined({"Who ", phrase, "?"})
                          : Joined({"Which ", GenericNoun(subject.kind), " ", phrase, "?"});
  return question;
}

bool IsGrounded(const Passage& passage) {
  const std::string context = absl::AsciiStrToLower(passage.context);
  const auto occurrences = [&](const std::string& text) {
    const std::string piece = absl::AsciiStrToLower(text);
    size_t count = 0;
    for (size_t at = context.find(piece); at != std::string::npos; at = context.find(piece, at + 1))
      ++count;
    return count;
  };
  return std::all_of(passage.questions.begin(), passage.questions.end(), [&](const Question& q) {
    if (q.answer == kUnknownAnswer) return occurrences(q.answer) == 0;
    if (q.question_type != kPart) return occurrences(q.answer) == q.evidence.size();
    return occurrences(q.answer) == 0 &&
           std::all_of(q.evidence.begin(), q.evidence.end(), [&](const Evidence& span) {
             return occurrences(
                        passage.context.substr(static_cast<size_t>(span.start),
                                               static_cast<size_t>(span.end - span.start))) == 1;
           });
  });
}

std::vector<int> DrawForward(const Story& story, size_t count, Random& random,
                             std::vector<int>& facts) {
  std::vector<int> drawn;
  const auto weight = [&](int fact) -> uint64_t {
    const Kind kind = story.facts[static_cast<size_t>(fact)].value.kind;
    return kind == Kind::kNumeral || kind == Kind::kDate ? 5 : 1;
  };
  while (drawn.size() < count && !facts.empty()) {
    uint64_t total = 0;
    for (const int fact : facts) total += weight(fact);
    uint64_t left = random.Below(total);
    size_t i = 0;
    while (left >= weight(facts[i])) left -= weight(facts[i++]);
    drawn.push_back(facts[i]);
    facts.erase(facts.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return drawn;
}

}  // namespace kvscope::orchestrator::paper
