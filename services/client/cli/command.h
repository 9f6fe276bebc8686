// One subcommand of `kvscope` a file. Each adds itself to the parser; `main.cc` lists them.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"

namespace CLI {
class App;
}

namespace kvscope::cli {

// Exit codes: scripts rely on them.
enum ExitCode {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,  // what was typed, or a file that was named, is wrong
  kGateFailed = 3,
  kUnreachable = 4,
  kInterrupted = 130,
};

// The exit code of an error: InvalidArgument, NotFound, AlreadyExists and OutOfRange are the user's
// to mend (2), Unavailable and DeadlineExceeded mean that nobody answered (4), Cancelled is Ctrl-C
// (130).
int ExitCodeOf(const absl::Status& status);

// What a parsed command line is to run; set by the callback of the subcommand that was typed.
using Action = std::function<absl::Status()>;

void AddRun(CLI::App& app, Action& action);
void AddPlan(CLI::App& app, Action& action);
void AddSweeps(CLI::App& app, Action& action);
void AddResults(CLI::App& app, Action& action);
void AddReport(CLI::App& app, Action& action);
void AddLists(CLI::App& app, Action& action);  // presses, metrics, datasets, models
void AddDataset(CLI::App& app, Action& action);
void AddInspect(CLI::App& app, Action& action);
void AddServe(CLI::App& app, Action& action);
void AddToken(CLI::App& app, Action& action);
void AddDoctor(CLI::App& app, Action& action);

}  // namespace kvscope::cli
