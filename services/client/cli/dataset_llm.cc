#include "services/client/cli/dataset_llm.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/client/cli/interrupt.h"
#include "services/client/cli/terminal.h"
#include "services/orchestrator/datasets/llm/llm_run.h"
#include "services/orchestrator/sweep/utf8.h"
#include "services/status_macros.h"

namespace kvscope::cli {
namespace {

constexpr char kKeyVariable[] = "KVSCOPE_LLM_API_KEY";
constexpr size_t kMaxKeyBytes = 8 << 10;
constexpr int kFewestWords = 10;
constexpr int kMostWords = 20'000;
constexpr int64_t kMostPassages = 100'000;

absl::StatusOr<orchestrator::llm::WordRange> ParseWords(
    const std::string& typed, const orchestrator::llm::WritingRules& rules) {
  if (typed.empty())
    return orchestrator::llm::WordRange{static_cast<int>(rules.suite->words.low),
                                        static_cast<int>(rules.suite->words.high)};
  const std::vector<std::string> parts = absl::StrSplit(typed, '-');
  orchestrator::llm::WordRange range;
  const bool whole = parts.size() == 2 && absl::SimpleAtoi(parts[0], &range.low) &&
                     absl::SimpleAtoi(parts[1], &range.high);
  if (whole && kFewestWords <= range.low && range.low <= range.high && range.high <= kMostWords) {
    return range;
  }
  return absl::InvalidArgumentError(absl::StrCat("--words: is ", orchestrator::Quoted(typed),
                                                 ", must be LOW-HIGH such as 150-200, from ",
                                                 kFewestWords, " to ", kMostWords, " words"));
}

// The key from the file, or else from the environment; empty if there is none.
absl::StatusOr<std::string> ReadKey(const std::string& path) {
  if (path.empty()) {
    const char* value = std::getenv(kKeyVariable);
    return std::string(absl::StripAsciiWhitespace(value == nullptr ? "" : value));
  }
  std::ifstream file(path, std::ios::binary);
  std::string bytes(kMaxKeyBytes + 1, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<size_t>(std::max<std::streamsize>(0, file.gcount())));
  const std::string key(absl::StripAsciiWhitespace(bytes));
  if (key.empty() || bytes.size() > kMaxKeyBytes) {
    return absl::NotFoundError(absl::StrCat("--api-key-file: ", path,
                                            ": no key can be read there, of at most ", kMaxKeyBytes,
                                            " bytes"));
  }
  return key;
}

void PrintRefused(const orchestrator::llm::LlmRunReport& report) {
  std::set<std::string> reasons;
  for (const auto& counts : report.rejections) {
    for (const auto& [reason, count] : counts) reasons.insert(reason);
  }
  if (reasons.empty()) return;
  Table table({"refused", "passages", "questions"}, 1);
  for (const std::string& reason : reasons) {
    std::vector<std::string> row = {reason};
    for (const auto& counts : report.rejections) {
      const auto found = counts.find(reason);
      row.push_back(found == counts.end() ? "-" : Thousands(found->second));
    }
    table.AddRow(std::move(row));
  }
  table.Print(std::cerr);
  if (!report.rejects_file.empty()) std::cerr << "in full: " << report.rejects_file << "\n";
}

void PrintReport(const orchestrator::llm::LlmRunReport& report, int64_t wanted) {
  std::string failures;
  for (const auto& [kind, count] : report.traffic.retries) {
    absl::StrAppend(&failures, failures.empty() ? " (failed: " : ", ", kind, " ", count, "x");
  }
  if (!failures.empty()) failures += ")";
  std::cerr << report.file << ": " << Thousands(report.passages) << " of " << Thousands(wanted)
            << " passages, " << Thousands(report.questions) << " questions; "
            << Thousands(report.traffic.requests) << " requests" << failures << ", "
            << Thousands(report.traffic.prompt_tokens) << " + "
            << Thousands(report.traffic.completion_tokens) << " tokens\n";
  PrintRefused(report);
  if (report.progress_file.empty()) return;
  std::cerr << "kept in " << report.progress_file << ": the same command goes on from there\n";
}

void PrintJson(const orchestrator::llm::LlmRunReport& report) {
  const nlohmann::ordered_json json = {{"file", report.file},
                                       {"finished", report.status.ok()},
                                       {"progress_file", report.progress_file},
                                       {"rejects_file", report.rejects_file},
                                       {"passages", report.passages},
                                       {"questions", report.questions},
                                       {"given_up", report.given_up},
                                       {"rejected_passages", report.rejections[0]},
                                       {"rejected_questions", report.rejections[1]},
                                       {"requests", report.traffic.requests},
                                       {"failed_requests", report.traffic.retries},
                                       {"prompt_tokens", report.traffic.prompt_tokens},
                                       {"completion_tokens", report.traffic.completion_tokens}};
  std::cout << json.dump(2) << "\n";
}

absl::StatusOr<orchestrator::llm::ChatEndpoint> EndpointOf(const LlmOptions& options) {
  orchestrator::llm::ChatEndpoint endpoint;
  endpoint.url = options.url;
  endpoint.model = options.model;
  KVSCOPE_ASSIGN_OR_RETURN(endpoint.api_key, ReadKey(options.api_key_file));
  endpoint.insecure = options.insecure;
  endpoint.timeout_s = options.timeout_s;
  endpoint.tries = options.tries;
  endpoint.timeout_tries = std::min(endpoint.timeout_tries, options.tries);
  endpoint.temperature = options.temperature;
  for (const std::string& field : options.omitted) {
    if (field == "seed") endpoint.send_seed = false;
    if (field == "max_tokens") endpoint.send_max_tokens = false;
  }
  return endpoint;
}

}  // namespace

void AddLlmOptions(CLI::App& generate, LlmOptions& options) {
  CLI::Option* llm = generate.add_option(
      "--llm", options.url,
      "have a language model write it (Algorithm 1): the base URL of an OpenAI-compatible "
      "endpoint, such as http://127.0.0.1:8000/v1");
  for (CLI::Option* other : generate.get_options()) {
    if (other->check_lname("scale") || other->check_lname("names")) llm->excludes(other);
  }
  CLI::Option* model =
      generate.add_option("--model", options.model, "the model, as the endpoint names it");
  llm->needs(model);
  const std::vector<CLI::Option*> needing = {
      model,
      generate.add_option("--words", options.words,
                          "LOW-HIGH words a passage; default: as the paper"),
      generate
          .add_option("--attempts", options.attempts,
                      "at a passage, and at its questions, before it is given up")
          ->check(CLI::Range(1, 100))
          ->capture_default_str(),
      generate.add_option("--timeout", options.timeout_s, "seconds that a request may take")
          ->check(CLI::Range(0.1, 86400.0))
          ->capture_default_str(),
      generate
          .add_option("--tries", options.tries,
                      "of a request that meets 429, 5xx or a broken connection")
          ->check(CLI::Range(1, 100))
          ->capture_default_str(),
      generate.add_option("--parallel", options.parallel, "requests under way at once")
          ->check(CLI::Range(1, 256))
          ->capture_default_str(),
      generate
          .add_option("--api-key-file", options.api_key_file,
                      "a file with the API key; default: KVSCOPE_LLM_API_KEY")
          ->type_name("FILE"),
      generate.add_option("--temperature", options.temperature, "default: the endpoint's")
          ->check(CLI::Range(0.0, 10.0)),
      generate
          .add_option("--max-tokens", options.max_tokens,
                      "of an answer; default: three a word and 3,000")
          ->check(CLI::PositiveNumber),
      generate
          .add_option("--omit", options.omitted,
                      "request fields not to send, where the endpoint refuses them")
          ->check(CLI::IsMember({"seed", "max_tokens"})),
      generate.add_flag("--insecure", options.insecure, "let the API key travel over plain HTTP"),
      generate.add_flag("--skip-bad", options.skip_bad,
                        "leave out passages that were given up instead of failing"),
      generate.add_flag("--json", options.json, "print the account of the run as JSON")};
  for (CLI::Option* option : needing) option->needs(llm);
}

absl::Status GenerateByLlm(const std::string& suite, uint64_t seed, int64_t passages,
                           const std::string& file, const LlmOptions& options) {
  orchestrator::llm::LlmRunOptions run;
  KVSCOPE_ASSIGN_OR_RETURN(run.algorithm.rules, orchestrator::llm::FindWritingRules(suite));
  KVSCOPE_ASSIGN_OR_RETURN(run.algorithm.words, ParseWords(options.words, *run.algorithm.rules));
  run.algorithm.seed = seed;
  run.algorithm.attempts = options.attempts;
  run.algorithm.max_tokens = options.max_tokens;
  run.model = options.model;
  run.file = file;
  run.passages = passages > 0 ? passages : run.algorithm.rules->suite->passages;
  run.parallel = options.parallel;
  run.skip_bad = options.skip_bad;
  if (run.passages > kMostPassages) {
    return absl::InvalidArgumentError(
        absl::StrCat("--passages: is ", run.passages, ", must be from 1 to ", kMostPassages));
  }
  if (options.model.empty() || orchestrator::InvalidUtf8At(options.model)) {
    return absl::InvalidArgumentError("--model: is empty or no UTF-8, must name a model");
  }
  KVSCOPE_ASSIGN_OR_RETURN(const orchestrator::llm::ChatEndpoint endpoint, EndpointOf(options));
  const CatchInterrupt catch_interrupt;
  KVSCOPE_ASSIGN_OR_RETURN(const std::unique_ptr<orchestrator::llm::ChatClient> client,
                           orchestrator::llm::ChatClient::Create(
                               endpoint, [] { return CatchInterrupt::Interrupted(); }));
  ProgressBar bar(suite, "passages");
  run.on_progress = [&bar](const orchestrator::llm::LlmRunProgress& progress) {
    bar.Update(progress.passages_done, progress.passages,
               absl::StrCat(Thousands(progress.rejections), " refusals"));
  };
  const orchestrator::llm::LlmRunReport report = orchestrator::llm::RunAlgorithm1(run, *client);
  bar.Finish();
  if (report.passages > 0 || !report.given_up.empty()) PrintReport(report, run.passages);
  if (options.json) PrintJson(report);
  return report.status;
}

}  // namespace kvscope::cli
