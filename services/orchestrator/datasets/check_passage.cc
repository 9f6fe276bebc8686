#include "services/orchestrator/datasets/check_passage.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/answer_finder.h"
#include "services/orchestrator/datasets/answer_parts.h"
#include "services/orchestrator/datasets/grounding.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator {
namespace {

bool Holds(const Evidence& span, const Evidence& place) {
  return span.start <= place.start && place.end <= span.end;
}

// A context that is looked into many times.
class Context {
 public:
  explicit Context(std::string_view text) : text_(text), finder_(text) {
    if (static_cast<size_t>(finder_.length()) == text_.size()) return;  // a byte a code point
    for (size_t i = 0; i < text_.size(); ++i) {
      if ((static_cast<unsigned char>(text_[i]) & 0xC0) != 0x80) starts_.push_back(i);
    }
    starts_.push_back(text_.size());
  }

  std::string_view Slice(const Evidence& span) const {
    const size_t start = ByteOf(span.start);
    return text_.substr(start, ByteOf(span.end) - start);
  }

  // All places of `text`, in order.
  const std::vector<Evidence>& Find(const std::string& text) {
    const auto [entry, is_new] = places_.try_emplace(text);
    if (is_new) entry->second = finder_.Find(text, text_.size());
    return entry->second;
  }

 private:
  size_t ByteOf(int64_t code_point) const {
    return starts_.empty() ? static_cast<size_t>(code_point)
                           : starts_[static_cast<size_t>(code_point)];
  }

  std::string_view text_;
  AnswerFinder finder_;
  std::vector<size_t> starts_;  // of each code point, and the end; empty where all are one byte
  std::unordered_map<std::string, std::vector<Evidence>> places_;
};

// One question at a time.
class QuestionCheck {
 public:
  QuestionCheck(const Question& question, size_t index, Context& context, PassageFacts& facts)
      : question_(question), index_(index), context_(context), facts_(facts) {
    for (const Evidence& span : question.evidence) {
      std::string text = NormalizeText(context.Slice(span));
      if (std::find(texts_.begin(), texts_.end(), text) == texts_.end()) {
        texts_.push_back(std::move(text));
      }
    }
  }

  AnswerFacts Answer() {
    if (Abstains(question_.answer)) return {AnswerForm::kUnknown, {}};
    const std::string* whole = First([&](const std::string& text) {  //
      return !context_.Find(text).empty();
    });
    const bool held = First([&](const std::string& text) {
                        return std::any_of(texts_.begin(), texts_.end(),
                                           [&](const auto& span) { return Occurs(text, span); });
                      }) != nullptr;
    if (whole != nullptr && (held || texts_.empty())) return Counted(AnswerForm::kWhole, {*whole});
    const bool parts = texts_.size() > 1 && First([&](const std::string& text) {
                                              return IsMadeOf(NormalizeText(text), texts_);
                                            }) != nullptr;
    if (parts) return Counted(AnswerForm::kParts, texts_);
    if (whole == nullptr) return Missing();
    AnswerFacts facts{AnswerForm::kWhole, {}};
    facts.pieces.push_back({*whole, static_cast<int64_t>(context_.Find(*whole).size())});
    Add(FindingKind::kEvidence, "evidence",
        absl::StrCat(FirstEvidence(), " does not hold the answer ", Quoted(question_.answer),
                     ", as one span of it must"));
    return facts;
  }

  // Of a chain: the question's key, then each bridge at both ends, in the order followed.
  void Support() {
    if (question_.hop < 2 || question_.support.empty()) return;
    std::vector<size_t> run_starts;  // in support: runs of one text
    std::string last;
    for (size_t i = 0; i < question_.support.size(); ++i) {
      std::string text = NormalizeText(context_.Slice(question_.support[i]));
      if (i == 0 || text != last) run_starts.push_back(i);
      last = std::move(text);
    }
    run_starts.push_back(question_.support.size());
    const auto bridges = static_cast<int64_t>(run_starts.size()) - 2;  // the first run is the key
    if (bridges != question_.hop && bridges != question_.hop - 1) {
      Add(FindingKind::kSupport, "support",
          absl::StrCat("leads over ", bridges, bridges == 1 ? " bridge" : " bridges", ", hop ",
                       question_.hop, " over ", question_.hop - 1, " or ", question_.hop));
    }
    for (size_t run = 1; run + 1 < run_starts.size(); ++run) {
      const auto from = question_.support.begin() + static_cast<std::ptrdiff_t>(run_starts[run]);
      const auto to = question_.support.begin() + static_cast<std::ptrdiff_t>(run_starts[run + 1]);
      if (std::any_of(from, to, [&](const Evidence& span) { return span != *from; })) continue;
      Add(FindingKind::kSupport, absl::StrCat("support[", run_starts[run], "]"),
          absl::StrCat(Quoted(context_.Slice(*from)),
                       " stands at one place, a bridge must be given where its link ends and where "
                       "the next begins"));
    }
  }

 private:
  // The first of the answer and its aliases for which `test` holds; null if there is none.
  template <typename Test>
  const std::string* First(Test test) const {
    if (test(question_.answer)) return &question_.answer;
    const auto alias = std::find_if(question_.aliases.begin(), question_.aliases.end(), test);
    return alias == question_.aliases.end() ? nullptr : &*alias;
  }

  std::string FirstEvidence() const { return Quoted(context_.Slice(question_.evidence.front())); }

  void Add(FindingKind kind, std::string_view field, const std::string& what) {
    facts_.findings.push_back(
        {kind, absl::StrCat("questions[", index_, "].", std::string(field), ": ", what)});
  }

  AnswerFacts Missing() {
    if (question_.question_type == kManipulated) return {AnswerForm::kTransformed, {}};
    const std::string parts =
        texts_.size() < 2
            ? ""
            : absl::StrCat(" and is not made up of its ", texts_.size(), " pieces of evidence");
    Add(FindingKind::kUngrounded, "answer",
        absl::StrCat(Quoted(question_.answer), " does not occur in the context", parts,
                     ", as an answer must unless it is \"", std::string(kUnknownAnswer),
                     "\" or the question Manipulated"));
    return {AnswerForm::kMissing, {}};
  }

  AnswerFacts Counted(AnswerForm form, std::vector<std::string> texts) {
    AnswerFacts facts{form, {}};
    bool told = question_.evidence.empty();
    for (std::string& text : texts) {
      const std::vector<Evidence>& places = context_.Find(text);
      const auto outside = std::find_if(places.begin(), places.end(), [&](const Evidence& place) {
        return std::none_of(question_.evidence.begin(), question_.evidence.end(),
                            [&](const Evidence& span) { return Holds(span, place); });
      });
      if (outside != places.end() && !told) {
        told = true;
        Add(FindingKind::kRedundant, "evidence",
            absl::StrCat("the answer", form == AnswerForm::kParts ? "'s part " : " ", Quoted(text),
                         " also stands where no evidence is, at character ", outside->start,
                         "; evidence must be all places where it stands, ", places.size(),
                         " in this context"));
      }
      facts.pieces.push_back({std::move(text), static_cast<int64_t>(places.size())});
    }
    return facts;
  }

  const Question& question_;
  const size_t index_;
  Context& context_;
  PassageFacts& facts_;
  std::vector<std::string> texts_;  // of the evidence, normalized, each once
};

void FindRepeated(const Passage& passage, PassageFacts& facts) {
  std::unordered_map<std::string, size_t> asked;
  for (size_t i = 0; i < passage.questions.size(); ++i) {
    const Question& question = passage.questions[i];
    const auto [entry, is_new] = asked.try_emplace(NormalizeText(question.question), i);
    if (is_new) continue;
    const std::string& first = passage.questions[entry->second].answer;
    const bool same = NormalizeText(first) == NormalizeText(question.answer);
    facts.findings.push_back(
        {same ? FindingKind::kRepeated : FindingKind::kAmbiguous,
         absl::StrCat("questions[", i, "].question: ", Quoted(question.question),
                      " was asked before in questions[", entry->second, "], ",
                      same ? absl::StrCat("also with the answer ", Quoted(first))
                           : absl::StrCat("with the answer ", Quoted(first), " and not ",
                                          Quoted(question.answer)),
                      "; a question must be asked once in its passage")});
  }
}

}  // namespace

PassageFacts CheckPassage(const Passage& passage) {
  PassageFacts facts;
  facts.words = CountWords(passage.context);
  Context context(passage.context);
  for (size_t i = 0; i < passage.questions.size(); ++i) {
    QuestionCheck check(passage.questions[i], i, context, facts);
    facts.answers.push_back(check.Answer());
    check.Support();
  }
  FindRepeated(passage, facts);
  return facts;
}

}  // namespace kvscope::orchestrator
