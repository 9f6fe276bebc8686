#include "services/orchestrator/datasets/llm/algorithm1.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/orchestrator/datasets/llm/entity_names.h"
#include "services/orchestrator/datasets/llm/json_answer.h"
#include "services/orchestrator/datasets/llm/prompts.h"
#include "services/orchestrator/datasets/llm/questions.h"
#include "services/orchestrator/datasets/random.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator::llm {
namespace {

using nlohmann::json;

constexpr int64_t kTokensPerWord = 3;
constexpr int64_t kTokensOfJson = 3000;

// One passage in the making.
class Writer {
 public:
  Writer(const Algorithm1Options& options, int64_t index, int64_t asked_before, ChatClient& client)
      : options_(options),
        rules_(*options.rules),
        index_(index),
        client_(client),
        asked_(asked_before) {}

  absl::StatusOr<PassageOutcome> Write() {
    Feedback feedback;
    for (int attempt = 1; attempt <= options_.attempts && !outcome_.passage; ++attempt) {
      KVSCOPE_ASSIGN_OR_RETURN(std::optional<Draft> draft, WriteDraft(attempt, feedback));
      if (!draft) continue;
      feedback = {};  // what was wrong with its questions is nothing that another passage can mend
      Random names = Random::Keyed(options_.seed, Salt("llm-names"), Index());
      RenameEntities(*draft, names);
      KVSCOPE_RETURN_IF_ERROR(AskQuestions(*draft));
    }
    return std::move(outcome_);
  }

 private:
  uint64_t Index() const { return static_cast<uint64_t>(index_); }
  std::string Salt(std::string_view what) const {
    return absl::StrCat(std::string(what), "/", std::string(rules_.suite->suite));
  }

  // Asks, and finds the JSON object with `key` in the answer.  What is of no use becomes a problem
  // in `feedback`, and a null object.
  absl::StatusOr<json> Ask(std::vector<ChatMessage> messages, std::string_view key,
                           Feedback& feedback) {
    feedback = {};
    ChatRequest request;
    request.messages = std::move(messages);
    request.max_tokens = options_.max_tokens != 0
                             ? options_.max_tokens
                             : kTokensPerWord * options_.words.high + kTokensOfJson;
    Random seeds = Random::Keyed(options_.seed, Salt("llm-request"), Index());
    for (int64_t i = 0; i < asked_; ++i) seeds.Next();
    ++asked_;
    request.seed = static_cast<uint32_t>(seeds.Next() >> 33);  // 31 bits: signed ints hold it
    absl::StatusOr<ChatReply> reply = client_.Ask(request, outcome_.traffic);
    if (absl::IsDataLoss(reply.status())) {
      feedback.problems.push_back({"bad_reply", std::string(reply.status().message())});
      return json();
    }
    if (!reply.ok()) return reply.status();
    feedback.answer = reply->text;
    absl::StatusOr<json> object = FindJsonObject(reply->text, key);
    if (object.ok()) return object;
    if (reply->truncated) {
      feedback.problems.push_back(
          {"truncated", "the answer was cut off at the token limit: answer more briefly"});
    } else {
      feedback.problems.push_back({"malformed", std::string(object.status().message())});
    }
    return json();
  }

  absl::StatusOr<std::optional<Draft>> WriteDraft(int attempt, Feedback& feedback) {
    KVSCOPE_ASSIGN_OR_RETURN(const json object, Ask(PassagePrompt(rules_, options_.words,
                                                                  options_.seed, index_, feedback),
                                                    "passage", feedback));
    std::optional<Draft> written;
    if (feedback.problems.empty()) {
      absl::StatusOr<Draft> draft = ParseDraft(object);
      if (draft.ok()) {
        feedback.problems = CheckDraft(*draft, rules_, options_.words);
        written = *std::move(draft);
      } else {
        feedback.problems.push_back({"malformed", std::string(draft.status().message())});
      }
    }
    Note("passage", attempt, feedback);
    if (!feedback.problems.empty()) written.reset();
    return written;
  }

  absl::Status AskQuestions(const Draft& draft) {
    QuestionSet questions(draft, rules_);
    Feedback feedback;
    for (int attempt = 1; attempt <= options_.attempts && !questions.Complete(); ++attempt) {
      absl::StatusOr<json> object =
          Ask(QuestionsPrompt(rules_, draft, questions, feedback), "questions", feedback);
      if (!object.ok()) return object.status();
      if (feedback.problems.empty()) feedback.problems = questions.Take(*object);
      if (feedback.problems.empty() && !questions.Complete()) {
        feedback.problems.push_back({"too_few_questions", "fewer were asked than wanted"});
      }
      Note("questions", attempt, feedback);
    }
    if (questions.Complete()) outcome_.passage = Finished(draft, questions);
    return absl::OkStatus();
  }

  Passage Finished(const Draft& draft, const QuestionSet& questions) const {
    Passage passage;
    passage.dataset = rules_.suite->suite;
    passage.passage_id = LlmPassageId(rules_, options_.seed, index_);
    passage.context = draft.passage;
    passage.questions = questions.InOrder();
    for (size_t i = 0; i < passage.questions.size(); ++i) {
      passage.questions[i].question_id = absl::StrFormat("%s-%02d", passage.passage_id, i);
    }
    return passage;
  }

  void Note(const std::string& stage, int attempt, const Feedback& feedback) {
    for (const Problem& problem : feedback.problems) {
      outcome_.rejections.push_back(
          {stage, attempt, std::string(problem.reason), problem.detail, problem.text});
    }
  }

  const Algorithm1Options& options_;
  const WritingRules& rules_;
  const int64_t index_;
  ChatClient& client_;
  int64_t asked_;
  PassageOutcome outcome_;
};

}  // namespace

absl::StatusOr<PassageOutcome> WritePassage(const Algorithm1Options& options, int64_t index,
                                            int64_t asked_before, ChatClient& client) {
  return Writer(options, index, asked_before, client).Write();
}

}  // namespace kvscope::orchestrator::llm
