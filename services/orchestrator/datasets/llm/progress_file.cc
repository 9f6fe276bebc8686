#include "services/orchestrator/datasets/llm/progress_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/jsonl.h"
#include "services/orchestrator/datasets/passage_json.h"
#include "services/orchestrator/sweep/utf8.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator::llm {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr int kFormat = 1;
constexpr int64_t kMaxIndex = 1'000'000;

std::string IdentityLine(const RunIdentity& identity) {
  return ordered_json({{"kvscope_llm_run", kFormat},
                       {"suite", std::string(identity.rules->suite->suite)},
                       {"model", identity.model},
                       {"seed", identity.seed},
                       {"words", {identity.words.low, identity.words.high}}})
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string OutcomeLine(int64_t index, const PassageOutcome& outcome) {
  ordered_json line = {{"index", index}};
  line["passage"] =
      outcome.passage ? ordered_json::parse(FormatPassage(*outcome.passage)) : ordered_json();
  auto& rejections = line["rejections"] = ordered_json::array();
  for (const Rejection& rejection : outcome.rejections) {
    rejections.push_back({{"stage", rejection.stage},
                          {"attempt", rejection.attempt},
                          {"reason", rejection.reason},
                          {"detail", rejection.detail},
                          {"text", rejection.text}});
  }
  line["requests"] = outcome.traffic.requests;
  line["retries"] = outcome.traffic.retries;
  line["prompt_tokens"] = outcome.traffic.prompt_tokens;
  line["completion_tokens"] = outcome.traffic.completion_tokens;
  return line.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Reads what OutcomeLine wrote.  Throws json::exception for anything else.
PassageOutcome ReadOutcome(const json& line) {
  PassageOutcome outcome;
  for (const json& element : line.at("rejections")) {
    outcome.rejections.push_back(
        {element.at("stage").get<std::string>(), element.at("attempt").get<int>(),
         element.at("reason").get<std::string>(), element.at("detail").get<std::string>(),
         element.at("text").get<std::string>()});
  }
  outcome.traffic.requests = line.at("requests").get<int64_t>();
  outcome.traffic.retries = line.at("retries").get<std::map<std::string, int64_t>>();
  outcome.traffic.prompt_tokens = line.at("prompt_tokens").get<int64_t>();
  outcome.traffic.completion_tokens = line.at("completion_tokens").get<int64_t>();
  return outcome;
}

}  // namespace

ProgressFile::ProgressFile(std::string path, RunIdentity identity)
    : path_(std::move(path)), identity_(std::move(identity)) {}

ProgressFile::ProgressFile(ProgressFile&& other) noexcept
    : path_(std::move(other.path_)),
      identity_(std::move(other.identity_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      outcomes_(std::move(other.outcomes_)) {}

ProgressFile::~ProgressFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

absl::StatusOr<ProgressFile> ProgressFile::Open(const std::string& path,
                                                const RunIdentity& identity) {
  ProgressFile file(path, identity);
  file.descriptor_ = open(path.c_str(), O_RDWR | O_APPEND | O_CLOEXEC);
  if (file.descriptor_ < 0) {
    if (errno == ENOENT) return file;
    return absl::PermissionDeniedError(
        absl::StrCat(path, ": cannot be opened: ", std::strerror(errno)));
  }
  KVSCOPE_RETURN_IF_ERROR(file.Lock());
  KVSCOPE_RETURN_IF_ERROR(file.ReadLines());
  return file;
}

absl::Status ProgressFile::Lock() {
  if (flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat(path_, ": another run writes it; wait for that one"));
}

absl::Status ProgressFile::ReadLines() {
  std::string buffer;
  int64_t number = 0;
  off_t whole = 0;  // bytes of the lines that are complete
  while (true) {
    const size_t used = buffer.size();
    buffer.resize(used + (256 << 10));
    const ssize_t count = read(descriptor_, buffer.data() + used, buffer.size() - used);
    if (count < 0) return absl::DataLossError(absl::StrCat(path_, ": reading failed"));
    buffer.resize(used + static_cast<size_t>(count));
    if (count == 0) break;
    size_t begin = 0;
    for (size_t end = 0; (end = buffer.find('\n', begin)) != std::string::npos; begin = end + 1) {
      KVSCOPE_RETURN_IF_ERROR(
          ReadLine(std::string_view(buffer).substr(begin, end - begin), ++number));
    }
    whole += static_cast<off_t>(begin);
    buffer.erase(0, begin);
    if (buffer.size() > kMaxLineBytes) {
      return absl::InvalidArgumentError(absl::StrCat(path_, ":", number + 1, ": is longer than ",
                                                     kMaxLineBytes,
                                                     " bytes: not a run's progress"));
    }
  }
  if (!buffer.empty() && ftruncate(descriptor_, whole) != 0) {
    return absl::DataLossError(absl::StrCat(path_, ": a torn last line could not be removed"));
  }
  if (number == 0) KVSCOPE_RETURN_IF_ERROR(WriteLine(IdentityLine(identity_)));
  return absl::OkStatus();
}

absl::Status ProgressFile::ReadLine(std::string_view line, int64_t number) {
  const auto error = [&](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat(path_, ":", number, ": ", what));
  };
  if (number == 1) {
    if (line == IdentityLine(identity_)) return absl::OkStatus();
    return error(absl::StrCat("belongs to another run: it was begun with ", Quoted(line, 300),
                              ", now it is ", Quoted(IdentityLine(identity_), 300),
                              "; go on with the former, or remove the file"));
  }
  try {
    const json object = json::parse(line);
    const auto index = object.at("index").get<int64_t>();
    if (index < 0 || index >= kMaxIndex) return error("index: is out of range");
    PassageOutcome outcome = ReadOutcome(object);
    if (!object.at("passage").is_null()) {
      KVSCOPE_ASSIGN_OR_RETURN(outcome.passage,
                               ParsePassage(object.at("passage").dump(),
                                            {absl::StrCat(path_, ":", number),
                                             std::string(identity_.rules->suite->suite), index}));
      const std::string id = LlmPassageId(*identity_.rules, identity_.seed, index);
      if (outcome.passage->passage_id != id) {
        return error(absl::StrCat("passage_id: is ", Quoted(outcome.passage->passage_id),
                                  ", must be ", Quoted(id)));
      }
    }
    Keep(index, std::move(outcome));
  } catch (const json::exception&) {
    return error("is not a run's progress; remove the file to begin anew");
  }
  return absl::OkStatus();
}

void ProgressFile::Keep(int64_t index, PassageOutcome outcome) {
  PassageOutcome& kept = outcomes_[index];
  kept.passage = std::move(outcome.passage);
  kept.traffic.Add(outcome.traffic);
  for (Rejection& rejection : outcome.rejections) kept.rejections.push_back(std::move(rejection));
}

absl::Status ProgressFile::WriteLine(const std::string& line) {
  const std::string bytes = line + "\n";
  size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t count = write(descriptor_, bytes.data() + written, bytes.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return absl::DataLossError(absl::StrCat(path_, ": writing failed: ", std::strerror(errno)));
    }
    written += static_cast<size_t>(count);
  }
  if (fsync(descriptor_) != 0 && errno != EINVAL) {  // EINVAL: a pipe or device has no disk
    return absl::DataLossError(absl::StrCat(path_, ": writing failed: ", std::strerror(errno)));
  }
  return absl::OkStatus();
}

absl::Status ProgressFile::Append(int64_t index, PassageOutcome outcome) {
  if (descriptor_ < 0) {
    descriptor_ = open(path_.c_str(), O_RDWR | O_APPEND | O_CLOEXEC | O_CREAT | O_EXCL, 0666);
    if (descriptor_ < 0) {
      return absl::PermissionDeniedError(
          absl::StrCat(path_, ": cannot be created: ", std::strerror(errno)));
    }
    KVSCOPE_RETURN_IF_ERROR(Lock());
    KVSCOPE_RETURN_IF_ERROR(WriteLine(IdentityLine(identity_)));
  }
  KVSCOPE_RETURN_IF_ERROR(WriteLine(OutcomeLine(index, outcome)));
  Keep(index, std::move(outcome));
  return absl::OkStatus();
}

absl::Status ProgressFile::Remove() {
  std::error_code error;
  std::filesystem::remove(path_, error);
  if (error) return absl::DataLossError(absl::StrCat(path_, ": cannot be removed"));
  return absl::OkStatus();
}

}  // namespace kvscope::orchestrator::llm
