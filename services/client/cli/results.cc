// kvscope results SWEEP --level answers|cells --format table|csv|jsonl
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/client/cli/answers.h"
#include "services/client/cli/cells.h"
#include "services/client/cli/command.h"
#include "services/client/cli/session.h"
#include "services/status_macros.h"

namespace kvscope::cli {
namespace {

struct Options {
  SessionOptions session;
  std::string sweep;
  std::string level = "cells";
  std::string format = "table";
  std::vector<std::string> by;  // tags
  bool json = false;
};

absl::Status CheckTags(const Options& options) {
  if (options.level == "answers" && !options.by.empty()) {
    return absl::InvalidArgumentError("--by: parts cells, but --level asks for answers");
  }
  for (size_t i = 0; i < options.by.size(); ++i) {
    if (std::count(options.by.begin(), options.by.end(), options.by[i]) == 1) continue;
    return absl::InvalidArgumentError(absl::StrCat("--by: lists ", options.by[i], " twice"));
  }
  return absl::OkStatus();
}

absl::Status Results(Options options) {
  KVSCOPE_RETURN_IF_ERROR(CheckTags(options));
  KVSCOPE_ASSIGN_OR_RETURN(const std::string id, ResolveSweep(options.sweep, options.session));
  KVSCOPE_ASSIGN_OR_RETURN(auto session, Session::Open(options.session, 0));
  const std::string format = options.json ? "jsonl" : options.format;
  if (options.level == "answers") {
    return WriteAnswers(session->stub(), id, format, std::cout);
  }
  KVSCOPE_ASSIGN_OR_RETURN(const std::vector<v1::Cell> cells,
                           FetchCells(session->stub(), id, options.by));
  if (format == "table") {
    PrintCells(cells, /*with_dataset=*/true, std::cout, options.by);
    return absl::OkStatus();
  }
  return WriteCells(cells, format, std::cout, options.by);
}

}  // namespace

void AddResults(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("results", "A sweep's answers, or its cells");
  command->footer(
      "Example:\n  kvscope results kvscope-out/pocket --level answers --format jsonl > "
      "answers.jsonl\n  kvscope results kvscope-out/pocket --by direction,hop");
  AddSessionOptions(*command, options->session);
  command->add_option("SWEEP", options->sweep, "an id, a unique name, or run's directory")
      ->required();
  command->add_option("--level", options->level, "answers (one row each) or cells (means)")
      ->check(CLI::IsMember({"answers", "cells"}))
      ->capture_default_str();
  command->add_option("--format", options->format, "table, csv or jsonl")
      ->check(CLI::IsMember({"table", "csv", "jsonl"}))
      ->capture_default_str();
  command
      ->add_option("--by", options->by,
                   "part each cell's answers by these tags: direction, answer_type, question_type, "
                   "hop")
      ->delimiter(',')
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kTagNames), std::end(kTagNames))));
  command->add_flag("--json", options->json, "the same as --format jsonl");
  command->callback([options, &action] { action = [options] { return Results(*options); }; });
}

}  // namespace kvscope::cli
