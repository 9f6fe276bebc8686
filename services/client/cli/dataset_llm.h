// `kvscope dataset generate NAME --llm URL`: a data set that a language model writes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace CLI {
class App;
}

namespace kvscope::cli {

struct LlmOptions {
  std::string url;  // empty: no language model is asked for
  std::string model;
  std::string words;  // LOW-HIGH; empty: the suite's
  std::string api_key_file;
  int attempts = 4;
  double timeout_s = 300;
  int tries = 6;
  int parallel = 1;
  int64_t max_tokens = 0;
  std::optional<double> temperature;
  std::vector<std::string> omitted;  // request fields that are not sent
  bool insecure = false;
  bool skip_bad = false;
  bool json = false;
};

// Adds --llm and what goes with it to the parser of `dataset generate`.
void AddLlmOptions(CLI::App& generate, LlmOptions& options);

// Writes `passages` passages (0: as many as the paper) of `suite` to `file`.  Talk, the table of
// what was refused among it, goes to stderr; with --json the account goes to stdout.
absl::Status GenerateByLlm(const std::string& suite, uint64_t seed, int64_t passages,
                           const std::string& file, const LlmOptions& options);

}  // namespace kvscope::cli
