// kvscope: the command line. Data goes to stdout, talk to stderr; exit codes are in command.h.
#include <CLI/CLI.hpp>
#include <iostream>

#include "services/client/cli/command.h"
#include "services/short_waits.h"
#include "services/version.h"

namespace kvscope::cli {

int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kOutOfRange:
      return kUsage;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return kUnreachable;
    case absl::StatusCode::kCancelled:
      return kInterrupted;
    default:
      return kFailed;
  }
}

namespace {

int Main(int argc, char** argv) {
  CLI::App app{
      "KVScope finds out how far a model's KV cache can be compressed on a workload before it "
      "breaks, and why."};
  app.name("kvscope");
  app.footer(
      "Example:\n  kvscope run sweeps/pocket.yaml\n"
      "  kvscope results kvscope-out/pocket --level cells --format csv\n\n"
      "Exit codes: 0 ok, 1 failed, 2 usage or bad input, 3 gate failed, 4 unreachable, 130 "
      "interrupted.");
  app.set_version_flag("--version", std::string("kvscope ") + kVersion);
  app.require_subcommand(1);

  Action action;
  AddRun(app, action);
  AddPlan(app, action);
  AddSweeps(app, action);
  AddResults(app, action);
  AddReport(app, action);
  AddLists(app, action);
  AddDataset(app, action);
  AddInspect(app, action);
  AddServe(app, action);
  AddToken(app, action);
  AddDoctor(app, action);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  const absl::Status status = action();
  if (!status.ok()) std::cerr << "kvscope: " << std::string(status.message()) << std::endl;
  return ExitCodeOf(status);
}

}  // namespace
}  // namespace kvscope::cli

int main(int argc, char** argv) {
  kvscope::RestartWithShortWaits(argv);
  return kvscope::cli::Main(argc, argv);
}
