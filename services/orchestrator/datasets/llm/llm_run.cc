#include "services/orchestrator/datasets/llm/llm_run.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/jsonl.h"
#include "services/orchestrator/datasets/llm/progress_file.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator::llm {
namespace {

constexpr int kMostGivenUpInARow = 5;
constexpr auto kTick = std::chrono::milliseconds(200);

// The passages still to be made, taken by several threads.
class Crew {
 public:
  Crew(const LlmRunOptions& options, ChatClient& client, ProgressFile& kept)
      : options_(options), client_(client), kept_(kept) {
    for (int64_t index = 0; index < options.passages; ++index) {
      const auto found = kept.outcomes().find(index);
      if (found == kept.outcomes().end() || !found->second.passage) todo_.push_back(index);
    }
    std::reverse(todo_.begin(), todo_.end());
    progress_.passages = options.passages;
    progress_.passages_done = options.passages - static_cast<int64_t>(todo_.size());
    for (const auto& [index, outcome] : kept.outcomes()) {
      progress_.rejections += static_cast<int64_t>(outcome.rejections.size());
    }
  }

  // Returns when all passages were tried, or with the first error.
  absl::Status Work() {
    const auto count =
        std::min<size_t>(static_cast<size_t>(std::max(1, options_.parallel)), todo_.size());
    std::vector<std::thread> workers;
    working_ = static_cast<int>(count);
    for (size_t i = 0; i < count; ++i) workers.emplace_back([this] { WorkAlong(); });
    std::unique_lock lock(mutex_);
    while (working_ > 0) {
      const LlmRunProgress progress = progress_;
      lock.unlock();
      if (options_.on_progress) options_.on_progress(progress);
      lock.lock();
      changed_.wait_for(lock, kTick, [&] { return working_ == 0; });
    }
    lock.unlock();
    for (std::thread& worker : workers) worker.join();
    if (options_.on_progress) options_.on_progress(progress_);
    return status_;
  }

 private:
  std::optional<int64_t> Next() {
    const std::lock_guard lock(mutex_);
    if (!status_.ok() || todo_.empty()) return std::nullopt;
    const int64_t index = todo_.back();
    todo_.pop_back();
    return index;
  }

  int64_t AskedBefore(int64_t index) {
    const std::lock_guard lock(mutex_);
    const auto found = kept_.outcomes().find(index);
    return found == kept_.outcomes().end() ? 0 : found->second.traffic.requests;
  }

  void WorkAlong() {
    while (const std::optional<int64_t> index = Next()) {
      absl::StatusOr<PassageOutcome> outcome =
          WritePassage(options_.algorithm, *index, AskedBefore(*index), client_);
      const std::lock_guard lock(mutex_);
      if (const absl::Status status = Take(*index, std::move(outcome)); status_.ok()) {
        status_ = status;
      }
    }
    const std::lock_guard lock(mutex_);
    --working_;
    changed_.notify_all();
  }

  absl::Status Take(int64_t index, absl::StatusOr<PassageOutcome> outcome) {
    if (!outcome.ok()) return outcome.status();
    const bool made = outcome->passage.has_value();
    progress_.passages_done += made;
    progress_.rejections += static_cast<int64_t>(outcome->rejections.size());
    given_up_in_a_row_ = made ? 0 : given_up_in_a_row_ + 1;
    const std::string last =
        outcome->rejections.empty() ? "" : outcome->rejections.back().detail.substr(0, 300);
    KVSCOPE_RETURN_IF_ERROR(kept_.Append(index, *std::move(outcome)));
    if (given_up_in_a_row_ < kMostGivenUpInARow) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat(given_up_in_a_row_, " passages in a row were given up, after ",
                     options_.algorithm.attempts, " attempts each; the last refusal: ", last));
  }

  const LlmRunOptions& options_;
  ChatClient& client_;
  ProgressFile& kept_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int64_t> todo_;  // the next one last
  LlmRunProgress progress_;
  int given_up_in_a_row_ = 0;
  int working_ = 0;
  absl::Status status_;  // the first error
};

absl::Status CheckPlace(const std::string& file) {
  std::error_code error;
  if (std::filesystem::exists(file, error)) {
    return absl::AlreadyExistsError(
        absl::StrCat(file, ": is there already; remove it, or give another --out"));
  }
  std::filesystem::path folder = std::filesystem::path(file).parent_path();
  if (folder.empty()) folder = ".";
  if (!std::filesystem::is_directory(folder, error)) {
    return absl::NotFoundError(absl::StrCat(file, ": there is no folder ", folder.string()));
  }
  if (access(folder.c_str(), W_OK) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat(file, ": the folder ", folder.string(), " cannot be written"));
  }
  return absl::OkStatus();
}

void Sum(const ProgressFile& kept, const LlmRunOptions& options, LlmRunReport& report) {
  const Algorithm1Options& algorithm = options.algorithm;
  for (const auto& [index, outcome] : kept.outcomes()) {
    if (outcome.passage) {
      ++report.passages;
      report.questions += static_cast<int64_t>(outcome.passage->questions.size());
    } else {
      report.given_up.push_back(LlmPassageId(*algorithm.rules, algorithm.seed, index));
    }
    for (const Rejection& rejection : outcome.rejections) {
      ++report.rejections[rejection.stage == "questions"][rejection.reason];
    }
    report.traffic.Add(outcome.traffic);
  }
}

// Has the bytes of a file on the disk before what it was made of goes.
absl::Status Sync(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && fsync(descriptor) == 0;
  if (descriptor >= 0) close(descriptor);
  if (!synced) return absl::DataLossError(absl::StrCat(path, ": writing failed"));
  return absl::OkStatus();
}

absl::Status WriteDataset(const ProgressFile& kept, const std::string& file) {
  KVSCOPE_ASSIGN_OR_RETURN(PassageWriter writer, PassageWriter::Create(file));
  for (const auto& [index, outcome] : kept.outcomes()) {
    if (outcome.passage) KVSCOPE_RETURN_IF_ERROR(writer.Write(*outcome.passage));
  }
  KVSCOPE_RETURN_IF_ERROR(writer.Close());
  return Sync(file);
}

// The rejects file, if there is anything to say or an old one to replace.
absl::Status WriteRejects(const ProgressFile& kept, const LlmRunOptions& options,
                          LlmRunReport& report) {
  const std::string path = RejectsPath(options.file);
  std::error_code error;
  const bool any = !report.rejections[0].empty() || !report.rejections[1].empty();
  if (!any && !std::filesystem::exists(path, error)) return absl::OkStatus();
  const std::string temporary = path + ".partial";
  std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
  for (const auto& [index, outcome] : kept.outcomes()) {
    for (const Rejection& rejection : outcome.rejections) {
      const nlohmann::ordered_json line = {
          {"passage_id", LlmPassageId(*options.algorithm.rules, options.algorithm.seed, index)},
          {"stage", rejection.stage},
          {"attempt", rejection.attempt},
          {"reason", rejection.reason},
          {"detail", rejection.detail},
          {"text", rejection.text}};
      out << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
    }
  }
  out.close();
  if (out) std::filesystem::rename(temporary, path, error);
  if (!out || error) return absl::DataLossError(absl::StrCat(path, ": writing failed"));
  if (any) report.rejects_file = path;
  return absl::OkStatus();
}

absl::Status Finish(ProgressFile& kept, const LlmRunOptions& options, const LlmRunReport& report) {
  if (!report.given_up.empty() && !options.skip_bad) {
    return absl::FailedPreconditionError(
        absl::StrCat(report.given_up.size(), " of ", options.passages,
                     " passages were given up; the same command tries them again, --skip-bad "
                     "leaves them out"));
  }
  if (report.passages == 0) {
    return absl::FailedPreconditionError("not one passage held: there is nothing to write");
  }
  KVSCOPE_RETURN_IF_ERROR(WriteDataset(kept, options.file));
  return kept.Remove();
}

}  // namespace

std::string RejectsPath(const std::string& file) {
  constexpr std::string_view kExtension = ".jsonl";
  std::string stem = file;
  if (stem.ends_with(kExtension)) stem.resize(stem.size() - kExtension.size());
  return stem + ".rejects.jsonl";
}

LlmRunReport RunAlgorithm1(const LlmRunOptions& options, ChatClient& client) {
  LlmRunReport report;
  report.file = options.file;
  report.status = CheckPlace(options.file);
  if (!report.status.ok()) return report;
  const Algorithm1Options& algorithm = options.algorithm;
  absl::StatusOr<ProgressFile> kept =
      ProgressFile::Open(options.file + ".progress",
                         {algorithm.rules, options.model, algorithm.seed, algorithm.words});
  report.status = kept.status();
  if (!kept.ok()) return report;
  if (!kept->outcomes().empty() && kept->outcomes().rbegin()->first >= options.passages) {
    report.status = absl::InvalidArgumentError(
        absl::StrCat("--passages: is ", options.passages, ", but ", kept->path(), " goes to ",
                     kept->outcomes().rbegin()->first + 1, " already"));
    return report;
  }
  report.status = Crew(options, client, *kept).Work();
  Sum(*kept, options, report);
  if (kept->outcomes().empty()) return report;
  report.progress_file = kept->path();
  const absl::Status rejects = WriteRejects(*kept, options, report);
  if (report.status.ok()) report.status = rejects;
  if (report.status.ok()) report.status = Finish(*kept, options, report);
  if (report.status.ok()) report.progress_file.clear();
  return report;
}

}  // namespace kvscope::orchestrator::llm
