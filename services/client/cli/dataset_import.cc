// kvscope dataset import
#include "services/client/cli/dataset_import.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "services/inference/tokenizer/tokenizer.h"
#include "services/orchestrator/datasets/import/format.h"
#include "services/orchestrator/datasets/import/import.h"
#include "services/status_macros.h"

namespace kvscope::cli {
namespace {

struct Options {
  orchestrator::ImportOptions import;
  std::vector<std::string> columns;  // column=NAME
  std::string tokenizer;             // a directory
  bool json = false;
};

absl::Status ReadColumns(Options& options) {
  for (const std::string& column : options.columns) {
    const size_t equals = column.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == column.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--columns: is \"", column, "\", must be column=NAME"));
    }
    options.import.columns[column.substr(0, equals)] = column.substr(equals + 1);
  }
  return absl::OkStatus();
}

absl::Status ImportDataset(Options options) {
  KVSCOPE_RETURN_IF_ERROR(ReadColumns(options));
  std::unique_ptr<inference::Tokenizer> tokenizer;
  if (!options.tokenizer.empty()) {
    KVSCOPE_ASSIGN_OR_RETURN(tokenizer, inference::Tokenizer::Load(options.tokenizer));
    options.import.count_tokens = [&](std::string_view text) {
      return static_cast<int64_t>(tokenizer->Encode(text, /*add_special_tokens=*/false).size());
    };
  }
  KVSCOPE_ASSIGN_OR_RETURN(const orchestrator::ImportReport report,
                           orchestrator::ImportFiles(options.import));
  std::cerr << orchestrator::ImportText(report);
  if (options.json) std::cout << orchestrator::ImportJson(report);
  if (report.written) return absl::OkStatus();
  const int64_t bad = report.rows_left_out();
  if (report.rows_taken() > 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(bad, bad == 1 ? " row is" : " rows are",
                     " bad, so nothing was written; --skip-bad writes the others"));
  }
  return absl::FailedPreconditionError(
      absl::StrCat("no row was taken, so nothing was written", bad > 0 ? "" : ": there was none"));
}

std::string FormatNames() {
  std::string names = "auto";
  for (const orchestrator::FormatInfo* format : orchestrator::Formats()) {
    absl::StrAppend(&names, ", ", std::string(format->name));
  }
  return names;
}

}  // namespace

void AddDatasetImport(CLI::App& dataset, Action& action) {
  auto options = std::make_shared<Options>();
  orchestrator::ImportOptions& import = options->import;
  CLI::App* command =
      dataset.add_subcommand("import", "Turn other people's data into JSON lines, or say why not");
  std::string footer =
      "Example:\n  kvscope dataset import dev-v2.0.json --out squad.jsonl\n"
      "  kvscope dataset import mine.csv --columns question=Frage,answer=Antwort --skip-bad --out "
      "mine.jsonl\n\nFormats:\n";
  for (const orchestrator::FormatInfo* format : orchestrator::Formats()) {
    absl::StrAppend(&footer, "  ", std::string(format->name), ": ", std::string(format->summary),
                    "\n");
  }
  command->footer(footer);
  command->add_option("FILE", import.files, "what to read, one after the other")->required();
  command->add_option("--format", import.format, FormatNames())->capture_default_str();
  command->add_option("--out", import.out, "the file to write")->required();
  command->add_option("--name", import.dataset,
                      "the data set's name; default: what the rows say, or the file's name");
  command->add_flag("--skip-bad", import.skip_bad, "write the good rows though there are bad ones");
  command
      ->add_option("--columns", options->columns,
                   "csv: what the header calls a column, as question=Frage,answer=Antwort")
      ->delimiter(',');
  CLI::Option* tokenizer = command->add_option(
      "--tokenizer", options->tokenizer, "a directory whose tokenizer.json counts for --window");
  CLI::Option* window = command->add_option(
      "--window", import.window, "leave out rows whose context and question are more tokens");
  window->check(CLI::PositiveNumber)->needs(tokenizer);
  tokenizer->needs(window);
  command->add_flag("--json", options->json, "print the account as JSON");
  command->callback([options, &action] { action = [options] { return ImportDataset(*options); }; });
}

}  // namespace kvscope::cli
