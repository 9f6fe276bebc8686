// kvscope results SWEEP --level answers|cells --format table|csv|jsonl
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

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
  bool json = false;
};

absl::Status Results(Options options) {
  KVSCOPE_ASSIGN_OR_RETURN(const std::string id, ResolveSweep(options.sweep, options.session));
  KVSCOPE_ASSIGN_OR_RETURN(auto session, Session::Open(options.session, 0));
  const std::string format = options.json ? "jsonl" : options.format;
  if (options.level == "answers") {
    return WriteAnswers(session->stub(), id, format, std::cout);
  }
  KVSCOPE_ASSIGN_OR_RETURN(const std::vector<v1::Cell> cells, FetchCells(session->stub(), id));
  if (format == "table") {
    PrintCells(cells, /*with_dataset=*/true, std::cout);
    return absl::OkStatus();
  }
  return WriteCells(cells, format, std::cout);
}

}  // namespace

void AddResults(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("results", "A sweep's answers, or its cells");
  command->footer(
      "Example:\n  kvscope results kvscope-out/pocket --level answers --format jsonl > "
      "answers.jsonl");
  AddSessionOptions(*command, options->session);
  command->add_option("SWEEP", options->sweep, "an id, a unique name, or run's directory")
      ->required();
  command->add_option("--level", options->level, "answers (one row each) or cells (means)")
      ->check(CLI::IsMember({"answers", "cells"}))
      ->capture_default_str();
  command->add_option("--format", options->format, "table, csv or jsonl")
      ->check(CLI::IsMember({"table", "csv", "jsonl"}))
      ->capture_default_str();
  command->add_flag("--json", options->json, "the same as --format jsonl");
  command->callback([options, &action] { action = [options] { return Results(*options); }; });
}

}  // namespace kvscope::cli
