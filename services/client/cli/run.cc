// kvscope run SWEEP.yaml: runs a sweep, embedded or on a cluster, and leaves table, report and
// results.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "absl/strings/str_cat.h"
#include "services/client/cli/answers.h"
#include "services/client/cli/cells.h"
#include "services/client/cli/command.h"
#include "services/client/cli/report.h"
#include "services/client/cli/session.h"
#include "services/client/cli/submit.h"
#include "services/client/cli/watch.h"
#include "services/orchestrator/sweep/sweep.h"
#include "services/status_macros.h"

namespace kvscope::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  SessionOptions session;
  std::string sweep_file;
  std::vector<std::string> models;  // instead of the file's
  std::string out;
  int workers = 0;  // 0: see AutoWorkers
  int priority = 0;
  bool json = false;
};

// Where the run leaves its files: --out, or a directory of the sweep's name beside the default
// store.
fs::path OutDirectory(const Options& options, const orchestrator::Sweep& sweep) {
  return options.out.empty() ? fs::path(kDefaultDirectory) / sweep.name : fs::path(options.out);
}

absl::Status MakeDirectory(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (!error) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--out: cannot make ", directory.string(), ": ", error.message()));
}

absl::Status WriteFile(const fs::path& path,
                       const std::function<absl::Status(std::ostream&)>& write) {
  std::ofstream out(path, std::ios::binary);
  if (out) KVSCOPE_RETURN_IF_ERROR(write(out));
  out.close();
  if (out) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("cannot write ", path.string()));
}

// sweep.json makes the directory a name for the sweep (session.h: ResolveSweep).
absl::Status WriteSweepFile(const fs::path& directory, const Options& options,
                            const v1::Sweep& sweep) {
  nlohmann::ordered_json json;
  json["sweep_id"] = sweep.id();
  json["name"] = sweep.spec().name();
  if (options.session.connect.empty()) {
    json["store"] = fs::relative(options.session.store, directory).string();
  } else {
    json["store"] = "";
    json["connect"] = options.session.connect;
  }
  return WriteFile(directory / kSweepFile, [&](std::ostream& out) {
    out << json.dump(2) << '\n';
    return absl::OkStatus();
  });
}

absl::Status WriteResults(Session& session, const v1::Sweep& sweep, const fs::path& directory,
                          const std::vector<v1::Cell>& cells) {
  KVSCOPE_RETURN_IF_ERROR(WriteFile(directory / "answers.csv", [&](std::ostream& out) {
    return WriteAnswers(session.stub(), sweep.id(), "csv", out);
  }));
  KVSCOPE_RETURN_IF_ERROR(WriteFile(
      directory / "cells.csv", [&](std::ostream& out) { return WriteCells(cells, "csv", out); }));
  KVSCOPE_ASSIGN_OR_RETURN(const orchestrator::ReportInput input,
                           ReadReport(session.stub(), sweep, cells));
  return WriteFile(directory / "report.html", [&](std::ostream& out) {
    orchestrator::WriteReport(input, out);
    return absl::OkStatus();
  });
}

void NoteEmptyCapture(const orchestrator::Sweep& sweep) {
  if (sweep.capture.graph_passages == 0 || sweep.capture.graph_epsilon > 0) return;
  std::cerr << "note: capture.graph.epsilon is 0: every pair of tokens would be an edge and every "
               "answer reachable, so no graph is captured; 0.02 is the default\n";
}

// A model that fits the caches is fastest with one single-threaded worker a core; a larger one
// shares its weights best within one worker that has all cores. The largest model decides.
int AutoWorkers(const std::vector<std::string>& models) {
  constexpr uintmax_t kSmallBytes = 64 << 20;
  for (const std::string& model : models) {
    uintmax_t bytes = 0;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(model, error)) {
      if (entry.path().extension() == ".safetensors") bytes += entry.file_size(error);
    }
    if (bytes > kSmallBytes) return 1;
  }
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, 16);
}

// What to say when the watching ended early.
absl::Status Interrupted(Session& session, const Options& options, const v1::Sweep& sweep) {
  if (session.embedded()) {
    std::cerr << "stopping; what is done stays recorded" << std::endl;
    session.Stop();
    return absl::CancelledError("interrupted; the same command goes on where it stopped");
  }
  return absl::CancelledError(
      absl::StrCat("no longer watching; the sweep goes on: kvscope sweeps watch ", sweep.id(),
                   " --connect ", options.session.connect));
}

absl::Status Run(Options options) {
  KVSCOPE_ASSIGN_OR_RETURN(const orchestrator::Sweep sweep,
                           LoadSweep(options.sweep_file, options.models));
  const fs::path directory = OutDirectory(options, sweep);
  const bool local = options.session.connect.empty();
  KVSCOPE_ASSIGN_OR_RETURN(const ModelNames names, local ? LocalNames(sweep, options.sweep_file)
                                                         : ClusterNames(sweep, options.sweep_file));
  if (local) {
    if (options.session.store.empty()) {
      options.session.store =
          ((options.out.empty() ? fs::path(kDefaultDirectory) : directory) / kStoreName).string();
    }
  }
  KVSCOPE_RETURN_IF_ERROR(MakeDirectory(directory));
  NoteEmptyCapture(sweep);
  if (options.workers == 0) options.workers = AutoWorkers(names.models);

  const bool one_device = orchestrator::NamesCudaDevice(sweep.device);
  KVSCOPE_ASSIGN_OR_RETURN(auto session, Session::Open(options.session, options.workers,
                                                       one_device ? sweep.device : "auto"));
  KVSCOPE_ASSIGN_OR_RETURN(v1::Sweep submitted, Submit(session->stub(), sweep, options.sweep_file,
                                                       names, options.priority));
  KVSCOPE_RETURN_IF_ERROR(WriteSweepFile(directory, options, submitted));
  const absl::StatusOr<v1::Sweep> ended = WatchUntilEnd(*session, submitted.id(), sweep.name);
  if (absl::IsCancelled(ended.status())) return Interrupted(*session, options, submitted);
  if (!ended.ok()) return ended.status();

  KVSCOPE_ASSIGN_OR_RETURN(const std::vector<v1::Cell> cells,
                           FetchCells(session->stub(), submitted.id()));
  KVSCOPE_RETURN_IF_ERROR(WriteResults(*session, *ended, directory, cells));
  const fs::path report = fs::absolute(directory / "report.html");
  if (options.json) {
    WriteCells(cells, "jsonl", std::cout).IgnoreError();
  } else {
    PrintCells(MergeDatasets(cells), /*with_dataset=*/false, std::cout);
    std::cout << "\nreport   " << report.string() << "\nresults  "
              << fs::absolute(directory / "answers.csv").string() << '\n';
  }
  return absl::OkStatus();
}

}  // namespace

void AddRun(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("run", "Run a sweep, in this process or on a cluster");
  command->footer(
      "Example:\n  kvscope run sweeps/pocket.yaml --out /tmp/pocket\n"
      "  kvscope run sweeps/pocket.yaml --connect 127.0.0.1:7400\n"
      "  kvscope run sweeps/paper.yaml --model ~/models/Llama-3.2-3B-Instruct\n\n"
      "Ctrl-C stops; the same command goes on where it stopped.");
  command->add_option("SWEEP.yaml", options->sweep_file, "the sweep file")->required();
  AddModelOption(*command, options->models);
  command->add_option("--out", options->out,
                      "directory for store, report and results; default: kvscope-out/NAME, with "
                      "the store kvscope-out/store.db");
  AddSessionOptions(*command, options->session);
  command
      ->add_option(
          "--workers", options->workers,
          "workers in this process (not with --connect); 0: one, or one a core for a small model")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  command
      ->add_option("--priority", options->priority,
                   "of the sweep on a cluster, -100 to 100: higher goes first; above 0 for admins")
      ->check(CLI::Range(-100, 100))
      ->capture_default_str();
  command->add_flag("--json", options->json, "print the cells as JSON lines instead of the table");
  command->callback([options, &action] { action = [options] { return Run(*options); }; });
}

}  // namespace kvscope::cli
