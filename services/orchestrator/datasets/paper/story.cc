#include "services/orchestrator/datasets/paper/story.h"

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "services/orchestrator/datasets/marked_text.h"
#include "services/orchestrator/datasets/paper/wording.h"
#include "services/orchestrator/datasets/pocket_world.h"

namespace kvscope::orchestrator::paper {
namespace {

std::string_view He(const Name& name) {
  if (name.kind != Kind::kPerson) return "it";
  return name.female ? "she" : "he";
}
std::string_view His(const Name& name) {
  if (name.kind != Kind::kPerson) return "its";
  return name.female ? "her" : "his";
}
std::string_view Him(const Name& name) {
  if (name.kind != Kind::kPerson) return "it";
  return name.female ? "her" : "him";
}

// Whether a pronoun in the next sentence could mean this value as well as the subject.
bool Competes(Kind subject, Kind value) {
  switch (value) {
    case Kind::kNumeral:
    case Kind::kDate:
      return false;
    case Kind::kPerson:
      return subject == Kind::kPerson;
    case Kind::kLocation:
      return subject == Kind::kLocation;
    default:
      return subject != Kind::kPerson;
  }
}

class Writer {
 public:
  explicit Writer(const Story& story) : story_(story), known_(story.entities.size(), false) {
    rendered_.mentions.resize(story.entities.size());
    rendered_.values.resize(story.facts.size());
  }

  RenderedStory Write() {
    for (const Paragraph& paragraph : story_.paragraphs) {
      if (!text_.text().empty()) text_.Append("\n\n");
      before_ = kNobody;
      for (size_t i = 0; i < paragraph.sentences.size(); ++i) {
        if (i > 0) text_.Append(" ");
        WriteSentence(paragraph.sentences[i]);
      }
    }
    rendered_.text = text_.text();
    return std::move(rendered_);
  }

 private:
  void WriteSentence(const Sentence& sentence) {
    start_ = true;
    used_pronoun_ = false;
    std::string_view rest = sentence.pattern;
    while (!rest.empty()) {
      const size_t open = rest.find('{');
      Put(rest.substr(0, open));
      if (open == std::string_view::npos) break;
      const size_t close = rest.find('}', open);
      if (close == std::string_view::npos) std::abort();  // a slip in the vocabulary
      WriteSlot(sentence, rest.substr(open + 1, close - open - 1));
      rest.remove_prefix(close + 1);
    }
    Put(".");
    EndSentence(sentence);
  }

  // Who may be "it" in the next sentence.
  void EndSentence(const Sentence& sentence) {
    before_ = sentence.subject;
    pronouns_ = used_pronoun_ ? pronouns_ + 1 : 0;
    if (sentence.subject == kNobody) return;
    known_[static_cast<size_t>(sentence.subject)] = true;
    for (const int fact : sentence.facts) {
      const Kind kind = story_.facts[static_cast<size_t>(fact)].value.kind;
      if (Competes(Subject(sentence).kind, kind)) before_ = kNobody;
    }
  }

  void WriteSlot(const Sentence& sentence, std::string_view slot) {
    if (slot[0] == '0' || slot[0] == '1') {
      const int fact = sentence.facts[static_cast<size_t>(slot[0] - '0')];
      return WriteValue(static_cast<size_t>(fact), /*bare=*/slot.size() > 1);
    }
    const Name& subject = Subject(sentence);
    if (slot == "F") {
      WriteName(sentence.subject);
    } else if (slot == "S" || slot == "D") {
      WriteSubject(sentence, slot == "S");
    } else if (slot == "he") {
      Put(He(subject));
    } else if (slot == "his") {
      Put(His(subject));
    } else if (slot == "him") {
      Put(Him(subject));
    } else if (slot == "n") {
      Put(subject.noun);
    } else if (slot == "a n") {
      Put(Joined({ArticleOf(subject.noun), subject.noun}));
    } else {
      std::abort();  // a slip in the vocabulary
    }
  }

  void WriteSubject(const Sentence& sentence, bool may_be_pronoun) {
    const Name& subject = Subject(sentence);
    const bool known = known_[static_cast<size_t>(sentence.subject)];
    if (sentence.by_name || !known) return WriteName(sentence.subject);
    if (may_be_pronoun && before_ == sentence.subject && pronouns_ < 2 && sentence.coin < 75) {
      used_pronoun_ = true;
      Put(He(subject));
      return;
    }
    Put(Described(sentence, subject));
  }

  // "the guild"; where the sentence before was about it, too, also "this guild" and "the place".
  std::string Described(const Sentence& sentence, const Name& subject) const {
    if (before_ != sentence.subject) return Joined({"the ", subject.noun});
    if (start_ && sentence.coin % 7 == 0) return Joined({"this ", subject.noun});
    const bool generic = subject.kind == Kind::kCreature || subject.kind == Kind::kLocation;
    if (generic && sentence.coin % 3 == 0) return Joined({"the ", GenericNoun(subject.kind)});
    return Joined({"the ", subject.noun});
  }

  void WriteName(int entity) {
    const Name& name = story_.entities[static_cast<size_t>(entity)];
    Put(name.the);
    rendered_.mentions[static_cast<size_t>(entity)].push_back(Put(name.text));
  }

  void WriteValue(size_t index, bool bare) {
    const Fact& fact = story_.facts[index];
    if (!bare) Put(fact.value.the);
    rendered_.values[index] = Put(fact.value.text);
    if (fact.value_entity == kNobody) return;
    rendered_.mentions[static_cast<size_t>(fact.value_entity)].push_back(rendered_.values[index]);
  }

  Evidence Put(std::string_view piece) {
    if (piece.empty()) return {};
    if (!start_) return text_.Append(piece);
    start_ = false;
    std::string capital(piece);
    capital[0] = absl::ascii_toupper(static_cast<unsigned char>(capital[0]));
    return text_.Append(capital);
  }

  const Name& Subject(const Sentence& sentence) const {
    return story_.entities[static_cast<size_t>(sentence.subject)];
  }

  const Story& story_;
  MarkedText text_;
  RenderedStory rendered_;
  std::vector<bool> known_;  // entities whose noun the reader knows
  int before_ = kNobody;     // whom a pronoun would mean
  int pronouns_ = 0;         // sentences in a row that began with one
  bool start_ = true;        // of a sentence
  bool used_pronoun_ = false;
};

}  // namespace

RenderedStory Render(const Story& story) { return Writer(story).Write(); }

std::string WithArticle(const Name& name) { return Joined({name.the, name.text}); }

}  // namespace kvscope::orchestrator::paper
