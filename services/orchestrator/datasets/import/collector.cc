#include "services/orchestrator/datasets/import/collector.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/orchestrator/datasets/grounding.h"
#include "services/orchestrator/datasets/import/row_check.h"
#include "services/orchestrator/datasets/passage_json.h"
#include "services/orchestrator/datasets/sha256.h"
#include "services/orchestrator/sweep/utf8.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

constexpr size_t kToldProblems = 20;
constexpr size_t kDigestBytes = 15;       // 120 bits never collide by chance
constexpr size_t kAutomaticIdBytes = 24;  // what counting adds to a name

// The bytes of `text` as a JSON string.
int64_t JsonBytes(std::string_view text) {
  int64_t bytes = 2;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    bytes += byte < 0x20 ? 6 : c == '"' || c == '\\' ? 2 : 1;
  }
  return bytes;
}

// At most what FormatPassage makes of it.
int64_t JsonBytes(const Question& question) {
  constexpr int64_t kKeys = 200;
  constexpr int64_t kSpan = 24;
  int64_t bytes = kKeys + static_cast<int64_t>(kMaxIdBytes) + JsonBytes(question.question) +
                  JsonBytes(question.answer) + JsonBytes(question.answer_type) +
                  JsonBytes(question.question_type) +
                  kSpan * static_cast<int64_t>(question.evidence.size() + question.support.size());
  for (const std::string& alias : question.aliases) bytes += JsonBytes(alias) + 1;
  return bytes;
}

// `name` as the beginning of an id that counting ends: a long one is cut, but stays unlike others.
std::string AsPrefix(const std::string& name) {
  constexpr size_t kDigits = 16;
  if (name.size() + kAutomaticIdBytes <= kMaxIdBytes) return name;
  size_t size = kMaxIdBytes - kAutomaticIdBytes - kDigits - 1;
  while (size > 0 && (static_cast<unsigned char>(name[size]) & 0xC0) == 0x80) --size;
  Sha256 hash;
  hash.Update(name);
  return absl::StrCat(name.substr(0, size), "-", hash.HexDigest().substr(0, kDigits));
}

}  // namespace

void Collector::BeginFile(const std::string& path, std::string_view format) {
  report_.files.push_back({path, std::string(format)});
  file_dataset_ = DatasetNameOf(path);
}

void Collector::LeaveOut(Reason reason, const std::string& message) {
  ++report_.files.back().rows_read;
  ++report_.left_out[reason];
  auto& told = report_.problems;
  const bool again = !told.empty() && told.back() == message;  // a context's, for each question
  if (!again && told.size() < kToldProblems) told.push_back(message);
}

void Collector::Take(Row row) {
  if (!options_.dataset.empty()) row.dataset = options_.dataset;
  if (row.dataset.empty()) row.dataset = file_dataset_;
  const Context& context = Look(row);
  std::optional<Problem> problem = context.problem;
  if (!problem) problem = CheckFields(row);
  if (!problem) problem = Ground(*context.finder, row);
  if (!problem) problem = CheckWindow(row, context);
  if (!problem) problem = Join(row);
  if (problem) {
    const std::string& path = problem->of_passage ? row.passage_path : row.path;
    return LeaveOut(problem->reason, ProblemText(row.where, path, *problem));
  }
  FileAccount& file = report_.files.back();
  ++file.rows_read;
  ++file.rows_taken;
  if (report_.rows_taken() > kMaxRows && status_.ok()) {
    status_ = absl::ResourceExhaustedError(absl::StrCat(row.where, ": this is question ",
                                                        kMaxRows + 1, ", but at most ", kMaxRows,
                                                        " are imported at once: split the files"));
  }
}

const Collector::Context& Collector::Look(const Row& row) {
  if (context_.text == row.context || (context_.text && *context_.text == *row.context)) {
    return context_;
  }
  context_ = Context();
  context_.text = row.context;
  context_.problem = CheckContext(row);
  if (context_.problem) return context_;
  context_.finder.emplace(*row.context);
  if (options_.count_tokens) context_.tokens = options_.count_tokens(*row.context);
  return context_;
}

std::optional<Problem> Collector::CheckWindow(const Row& row, const Context& context) const {
  if (!options_.count_tokens) return std::nullopt;
  const int64_t tokens = options_.count_tokens(row.question.question);
  if (context.tokens + tokens <= options_.window) return std::nullopt;
  return Problem{Reason::kOverWindow, row.names->context,
                 absl::StrCat("is ", context.tokens, " tokens long and the question ", tokens,
                              ", together at most ", options_.window, " are allowed: the window"),
                 /*of_passage=*/true};
}

std::optional<size_t> Collector::FindGroup(const Row& row, std::string* key) const {
  if (!groups_.empty()) {  // most rows follow their neighbour
    const Passage& last = groups_.back().passage;
    if (last.dataset == row.dataset && !row.passage_id.empty() &&
        last.passage_id == row.passage_id && last.context == *row.context) {
      return groups_.size() - 1;
    }
  }
  Sha256 hash;
  for (const std::string* part : {&row.dataset, &row.passage_id, row.context.get()}) {
    hash.Update(*part);
    hash.Update(std::string_view("\0", 1));
  }
  *key = hash.Digest().substr(0, kDigestBytes);
  const auto found = group_of_.find(*key);
  return found == group_of_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<Problem> Collector::Join(Row& row) {
  const std::string& id = row.question.question_id;
  if (const auto used = question_at_.find(id); !id.empty() && used != question_at_.end()) {
    return Problem{Reason::kDuplicateId, row.names->question_id,
                   absl::StrCat(Quoted(id), " was already used in ", used->second,
                                ", but an id must be unique")};
  }
  std::string key;
  const std::optional<size_t> found = FindGroup(row, &key);
  if (!row.passage_id.empty()) {
    const auto used = group_of_id_.find(row.passage_id);
    const bool other =
        used != group_of_id_.end() &&
        (found != used->second || (row.alone && groups_[used->second].where != row.where));
    if (other) {
      return Problem{Reason::kDuplicateId, row.names->passage_id,
                     absl::StrCat(Quoted(row.passage_id), " was already used in ",
                                  groups_[used->second].where, ", but an id must be unique"),
                     /*of_passage=*/true};
    }
  }
  const int64_t begun = found ? groups_[*found].json_bytes
                              : JsonBytes(*row.context) + 3 * static_cast<int64_t>(kMaxIdBytes);
  const int64_t bytes = begun + JsonBytes(row.question);
  const size_t questions = found ? groups_[*found].passage.questions.size() : 0;
  if (bytes > static_cast<int64_t>(kMaxLineBytes) || questions == kMaxQuestions) {
    return Problem{Reason::kTooLong, "",
                   absl::StrCat("its passage would have ", questions + 1, " questions and ", bytes,
                                " bytes; allowed are ", kMaxQuestions, " and ", kMaxLineBytes)};
  }
  const size_t at = found.value_or(groups_.size());
  if (!found) {
    group_of_.emplace(std::move(key), at);
    if (!row.passage_id.empty()) group_of_id_.emplace(row.passage_id, at);
    groups_.push_back(
        {{std::move(row.dataset), std::move(row.passage_id), *row.context, {}}, row.where, 0});
  }
  if (!id.empty()) question_at_.emplace(id, row.where);
  groups_[at].json_bytes = bytes;
  report_.unanswerable += Abstains(row.question.answer) ? 1 : 0;
  groups_[at].passage.questions.push_back(std::move(row.question));
  return std::nullopt;
}

void Collector::NameGroup(Group& group, int64_t position, int64_t* next) {
  Passage& passage = group.passage;
  const std::string prefix = AsPrefix(passage.dataset);
  for (int64_t n = std::max(position, *next); passage.passage_id.empty(); ++n) {
    std::string id = absl::StrFormat("%s-%03d", prefix, n);
    if (group_of_id_.emplace(id, 0).second) passage.passage_id = std::move(id);
    *next = n + 1;
  }
  const std::string question_prefix = AsPrefix(passage.passage_id);
  size_t n = 0;
  for (size_t i = 0; i < passage.questions.size(); ++i) {
    std::string& question_id = passage.questions[i].question_id;
    for (n = std::max(n, i); question_id.empty(); ++n) {
      std::string id = absl::StrFormat("%s-%02d", question_prefix, n);
      if (question_at_.emplace(id, group.where).second) question_id = std::move(id);
    }
  }
}

absl::Status Collector::WriteTo(PassageWriter& writer) {
  struct Count {
    int64_t passages = 0;
    int64_t next = 0;  // the first number that may be free
  };
  std::unordered_map<std::string, Count> counts;  // by data set
  for (Group& group : groups_) {
    Count& count = counts[group.passage.dataset];
    NameGroup(group, count.passages++, &count.next);
    KVSCOPE_RETURN_IF_ERROR(writer.Write(group.passage));
  }
  report_.passages = static_cast<int64_t>(groups_.size());
  return absl::OkStatus();
}

}  // namespace kvscope::orchestrator
