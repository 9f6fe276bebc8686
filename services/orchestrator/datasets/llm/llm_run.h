// A data set written by a language model: Algorithm 1 over all its passages, kept as it grows.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/orchestrator/datasets/llm/algorithm1.h"
#include "services/orchestrator/datasets/llm/chat_client.h"

namespace kvscope::orchestrator::llm {

struct LlmRunProgress {
  int64_t passages_done = 0;
  int64_t passages = 0;
  int64_t rejections = 0;
};

struct LlmRunOptions {
  Algorithm1Options algorithm;
  std::string model;  // as the endpoint names it
  std::string file;   // the JSONL file; beside it FILE.progress and the rejects file
  int64_t passages = 0;
  int parallel = 1;       // requests under way at once
  bool skip_bad = false;  // leave out passages that were given up instead of failing
  // Called from this thread, about five times a second.
  std::function<void(const LlmRunProgress&)> on_progress;
};

struct LlmRunReport {
  absl::Status status;
  std::string file;
  std::string progress_file;  // where an unfinished run is kept; empty where there is nothing
  std::string rejects_file;   // empty if nothing was rejected
  int64_t passages = 0;       // that hold
  int64_t questions = 0;
  std::vector<std::string> given_up;             // ids of passages whose attempts were used up
  std::map<std::string, int64_t> rejections[2];  // by reason: of passages, of questions
  ChatTraffic traffic;
};

// "F.jsonl" -> "F.rejects.jsonl".
std::string RejectsPath(const std::string& file);

// Writes passages 0 .. passages-1 to `file`, which appears, whole, at the end.  Each passage is
// kept in FILE.progress as soon as it is finished, so after an interruption, an error or a crash
// an equal call goes on, and its file is that of an uninterrupted run.  Passages that were given up
// are then tried again.  The rejects file has a line for everything refused.
// Errors in `status`, nothing written: AlreadyExists if `file` is there; NotFound if its folder is
// not; what ProgressFile::Open and ChatClient::Ask say.  Errors with the finished passages kept:
// Ask's; FailedPrecondition if passages were given up (five in a row end the run at once).
LlmRunReport RunAlgorithm1(const LlmRunOptions& options, ChatClient& client);

}  // namespace kvscope::orchestrator::llm
