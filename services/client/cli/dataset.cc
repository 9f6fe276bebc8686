// kvscope dataset generate|check, and import
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "services/client/cli/command.h"
#include "services/client/cli/dataset_import.h"
#include "services/client/cli/dataset_llm.h"
#include "services/client/cli/terminal.h"
#include "services/orchestrator/datasets/check.h"
#include "services/orchestrator/datasets/generator.h"
#include "services/orchestrator/datasets/jsonl.h"
#include "services/status_macros.h"

namespace kvscope::cli {
namespace {

struct Options {
  orchestrator::GeneratorSpec spec;
  std::string scale = "pocket";
  std::string names = "heldout";
  std::string file;
  bool json = false;
  LlmOptions llm;
};

absl::Status GenerateFile(Options options) {
  if (!options.llm.url.empty()) {
    return GenerateByLlm(options.spec.name, options.spec.seed, options.spec.passages, options.file,
                         options.llm);
  }
  options.spec.scale = *orchestrator::ScaleOf(options.scale);
  options.spec.names =
      options.names == "training" ? orchestrator::Names::kTraining : orchestrator::Names::kHeldOut;
  KVSCOPE_ASSIGN_OR_RETURN(const orchestrator::GeneratorInfo* generator,
                           orchestrator::FindGenerator(options.spec.name));
  if (options.spec.passages == 0) options.spec.passages = generator->paper_passages;
  KVSCOPE_ASSIGN_OR_RETURN(orchestrator::PassageWriter writer,
                           orchestrator::PassageWriter::Create(options.file));
  int64_t questions = 0;
  KVSCOPE_RETURN_IF_ERROR(
      orchestrator::Generate(options.spec, [&](const orchestrator::Passage& passage) {
        questions += static_cast<int64_t>(passage.questions.size());
        return writer.Write(passage);
      }));
  KVSCOPE_RETURN_IF_ERROR(writer.Close());
  std::cerr << options.file << ": " << Thousands(options.spec.passages) << " passages, "
            << Thousands(questions) << " questions\n";
  return absl::OkStatus();
}

absl::Status CheckFile(const Options& options) {
  KVSCOPE_ASSIGN_OR_RETURN(const orchestrator::CheckReport report,
                           orchestrator::CheckDataset(options.file));
  std::cout << (options.json ? orchestrator::CheckJson(report) : orchestrator::CheckText(report));
  if (report.ok()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(options.file, ": ", report.finding_count, " findings"));
}

}  // namespace

void AddDataset(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* dataset = app.add_subcommand("dataset", "Generate a data set, or check one");
  dataset->require_subcommand(1);
  dataset->footer(
      "Example:\n  kvscope dataset generate knowledge --scale pocket --seed 1 --passages 40 --out "
      "k.jsonl\n  kvscope dataset generate base --llm http://127.0.0.1:8000/v1 --model NAME --out "
      "b.jsonl\n  kvscope dataset check k.jsonl");

  CLI::App* generate = dataset->add_subcommand("generate", "Write passages as JSON lines");
  generate->add_option("NAME", options->spec.name, "a suite; `kvscope datasets` lists them")
      ->required();
  generate->add_option("--scale", options->scale, "paper or pocket")
      ->check(CLI::IsMember({"paper", "pocket"}))
      ->capture_default_str();
  generate
      ->add_option("--names", options->names,
                   "of the pocket scale: heldout, which the pocket models never met, or training")
      ->check(CLI::IsMember({"heldout", "training"}))
      ->capture_default_str();
  generate->add_option("--seed", options->spec.seed, "equal seeds give equal bytes")
      ->capture_default_str();
  generate->add_option("--passages", options->spec.passages, "how many; default: as the paper")
      ->check(CLI::PositiveNumber);
  generate->add_option("--out", options->file, "the file to write")->required();
  AddLlmOptions(*generate, options->llm);
  generate->callback([options, &action] { action = [options] { return GenerateFile(*options); }; });

  AddDatasetImport(*dataset, action);

  CLI::App* check =
      dataset->add_subcommand("check", "Hold a file to the paper's design principles");
  check->add_option("FILE", options->file, "JSON lines, one passage a line")->required();
  check->add_flag("--json", options->json, "print JSON");
  check->callback([options, &action] { action = [options] { return CheckFile(*options); }; });
}

}  // namespace kvscope::cli
