// How the orchestrator and the command line bear a large store: planning, commits, `results`,
// `report`, and many workers at once.
//
//   store_scale [--datasets 125] [--regimes 2] [--presses 20] [--ratios 20] [--passages 5]
//               [--questions 2] [--layers 24] [--parameters 494000000] [--workers 64]
//               [--think-ms 0] [--dir DIR] [--keep] [--phase fill|results|report|workers]...
//               [--json]
//
// The default grid has 100,000 cells and 1,000,000 answers. Every phase is a process of its own:
// its peak of memory (VmHWM) is its own. `results` and `report` are the real program on the filled
// store; the workers are real gRPC streams to a real kvscope-orchestrator. It asserts nothing.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/orchestrator/child_process.h"
#include "tests/bench/orchestrator/phases.h"

namespace kvscope::bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Options {
  SweepGrid grid;
  int workers = 64;
  double think_ms = 0;
  std::string dir;
  bool keep = false;
  bool as_json = false;
  std::vector<std::string> phases = {"fill", "results", "report", "workers"};
};

// Where our programs lie: beside this one.
std::string Program(const char* name) {
  return (fs::read_symlink("/proc/self/exe").parent_path() / name).string();
}

json EndJson(const ChildEnd& end) {
  return {{"exit_code", end.exit_code}, {"seconds", end.seconds}, {"peak_mib", end.peak_mib}};
}

json RunProgram(const std::vector<std::string>& command, const fs::path& output) {
  ProgramChild child(command, output.string(), output.string() + ".log");
  json result = EndJson(child.Wait());
  std::error_code error;
  const auto bytes = fs::file_size(output, error);
  result["output_bytes"] = error ? 0 : static_cast<int64_t>(bytes);
  return result;
}

json RunFill(const Options& options, const std::string& store) {
  ForkedChild child([&] { return Fill(options.grid, store); });
  ChildEnd end;
  json result = child.Wait(end);
  result.update(EndJson(end));
  result["store_bytes"] = static_cast<int64_t>(fs::file_size(store));
  return result;
}

// Lines of the orchestrator's log that tell of an error, and those of a locked database.
void CountErrors(const fs::path& log, json& result) {
  int64_t errors = 0, locked = 0;
  std::ifstream in(log);
  for (std::string line; std::getline(in, line);) {
    if (line.find("\"level\":\"error\"") != std::string::npos) ++errors;
    if (line.find("is locked") != std::string::npos) ++locked;
  }
  result["orchestrator_errors"] = errors;
  result["database_is_locked"] = locked;
}

json RunWorkers(const Options& options, const std::string& store, const fs::path& dir) {
  const fs::path port_file = dir / "port", log = dir / "orchestrator.log";
  fs::remove(port_file);
  ProgramChild server({Program("kvscope-orchestrator"), "--store", store, "--listen", "127.0.0.1:0",
                       "--port-file", port_file.string()},
                      "", log.string());
  int port = 0;
  for (int i = 0; i < 3000 && !(std::ifstream(port_file) >> port); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const std::string address = "127.0.0.1:" + std::to_string(port);
  ForkedChild crew([&] {
    return WorkOff(options.grid, address, options.workers, absl::Milliseconds(options.think_ms));
  });
  ChildEnd crew_end;
  json result = crew.Wait(crew_end);
  server.Terminate();
  result["orchestrator"] = EndJson(server.Wait());
  CountErrors(log, result);
  return result;
}

// Only what is ours: the folder may be the user's.
void Remove(const fs::path& dir) {
  for (const char* name :
       {"store.db", "store.db-wal", "store.db-shm", "store.db.lock", "answers.csv",
        "answers.csv.log", "answers.jsonl", "answers.jsonl.log", "cells.csv", "cells.csv.log",
        "cells.jsonl", "cells.jsonl.log", "report.html", "report.out", "report.out.log",
        "orchestrator.log", "port"}) {
    fs::remove(dir / name);
  }
  std::error_code not_empty;
  fs::remove(dir, not_empty);
}

void PrintLine(const char* what, const json& value, const char* unit, const char* goal) {
  const std::string text = value.is_number_float() ? [&] {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.2f", value.get<double>());
    return std::string(digits);
  }() : value.is_string() ? value.get<std::string>() : value.dump();
  std::printf("%-36s %12s %-4s %s\n", what, text.c_str(), unit, goal);
}

void PrintRun(const std::string& name, const json& run) {
  PrintLine((name + ": time").c_str(), run["seconds"], "s", "< 10");
  PrintLine((name + ": peak memory").c_str(), run["peak_mib"], "MiB", "< 512");
  if (run["exit_code"] != 0) PrintLine((name + ": exit code").c_str(), run["exit_code"], "", "0");
}

void PrintTable(const json& all) {
  std::printf("%-36s %12s %-4s %s\n", "", "measured", "", "goal");
  PrintLine("cells", all["cells"], "", "");
  PrintLine("answers", all["answers"], "", "");
  if (const json& fill = all["fill"]; !fill.is_null()) {
    PrintLine("units", fill["units"], "", "");
    PrintLine("store", static_cast<double>(fill["store_bytes"]) / (1 << 20), "MiB", "");
    PrintLine("plan", fill["plan_ms"], "ms", "< 2000");
    PrintLine("commit p50", fill["commit_ms"]["p50"], "ms", "");
    PrintLine("commit p99", fill["commit_ms"]["p99"], "ms", "< 50");
    PrintLine("commit max", fill["commit_ms"]["max"], "ms", "");
    PrintLine("lease p99", fill["lease_ms"]["p99"], "ms", "");
    PrintLine("fill: time", fill["seconds"], "s", "");
    PrintLine("fill: peak memory", fill["peak_mib"], "MiB", "< 512");
  }
  for (const char* name : {"results answers csv", "results answers jsonl", "results cells csv",
                           "results cells jsonl", "report"}) {
    if (!all[name].is_null()) PrintRun(name, all[name]);
  }
  if (const json& work = all["workers"]; !work.is_null()) {
    PrintLine("workers: sweep", work["state"], "", "SUCCEEDED");
    PrintLine("workers: units", work["units"], "", "");
    PrintLine("workers: time", work["seconds"], "s", "");
    PrintLine("workers: dispatch p50", work["dispatch_ms"]["p50"], "ms", "");
    PrintLine("workers: dispatch p99", work["dispatch_ms"]["p99"], "ms", "< 20");
    PrintLine("workers: dispatch max", work["dispatch_ms"]["max"], "ms", "");
    PrintLine("workers: result to ack p99", work["ack_ms"]["p99"], "ms", "");
    PrintLine("workers: errors", work["errors"], "", "0");
    PrintLine("workers: units not once", work["units_unsound"], "", "0");
    PrintLine("workers: orchestrator's errors", work["orchestrator_errors"], "", "0");
    PrintLine("workers: 'database is locked'", work["database_is_locked"], "", "0");
    PrintLine("orchestrator: peak memory", work["orchestrator"]["peak_mib"], "MiB", "< 512");
  }
}

int Main(const Options& options) {
  const fs::path dir = options.dir;
  fs::create_directories(dir);
  const std::string store = (dir / "store.db").string();
  const auto wanted = [&](const char* phase) {
    return std::find(options.phases.begin(), options.phases.end(), phase) != options.phases.end();
  };
  json all = {{"cells", options.grid.cells()},
              {"answers", options.grid.answers()},
              {"fill", nullptr},
              {"results answers csv", nullptr},
              {"results answers jsonl", nullptr},
              {"results cells csv", nullptr},
              {"results cells jsonl", nullptr},
              {"report", nullptr},
              {"workers", nullptr}};
  if (wanted("fill")) {
    for (const char* ending : {"", "-wal", "-shm", ".lock"}) fs::remove(store + ending);
    all["fill"] = RunFill(options, store);
  }
  const std::string kvscope = Program("kvscope");
  if (wanted("results")) {
    for (const std::string level : {"answers", "cells"}) {
      for (const std::string format : {"csv", "jsonl"}) {
        const fs::path output = dir / (level + "." + format);
        all["results " + level + " " + format] =
            RunProgram({kvscope, "results", kFilledSweep, "--store", store, "--level", level,
                        "--format", format},
                       output);
        if (!options.keep) fs::remove(output);  // gigabytes
      }
    }
  }
  if (wanted("report")) {
    const fs::path page = dir / "report.html";
    all["report"] =
        RunProgram({kvscope, "report", kFilledSweep, "--store", store, "--out", page.string()},
                   dir / "report.out");
    std::error_code error;
    all["report"]["page_bytes"] = static_cast<int64_t>(fs::file_size(page, error));
  }
  if (wanted("workers")) all["workers"] = RunWorkers(options, store, dir);
  if (!options.keep) Remove(dir);
  if (options.as_json) {
    std::printf("%s\n", all.dump(2).c_str());
  } else {
    PrintTable(all);
  }
  return 0;
}

}  // namespace
}  // namespace kvscope::bench

int main(int argc, char** argv) {
  kvscope::bench::Options options;
  options.dir = (std::filesystem::temp_directory_path() / "kvscope-store-scale").string();
  CLI::App app("Scale of the orchestrator, its store and its readers.", "store_scale");
  auto& grid = options.grid;
  app.add_option("--datasets", grid.datasets)->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--regimes", grid.regimes)->check(CLI::Range(1, 3))->capture_default_str();
  app.add_option("--presses", grid.presses)->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--ratios", grid.ratios)->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--passages", grid.passages, "of each data set")->capture_default_str();
  app.add_option("--questions", grid.questions, "of each passage")->capture_default_str();
  app.add_option("--layers", grid.layers)->capture_default_str();
  app.add_option("--parameters", grid.parameter_count, "fewer make larger units")
      ->capture_default_str();
  app.add_option("--workers", options.workers)->capture_default_str();
  app.add_option("--think-ms", options.think_ms, "of a worker on a unit")->capture_default_str();
  app.add_option("--dir", options.dir,
                 "for the store and the outputs, which are removed at the end");
  app.add_flag("--keep", options.keep, "leaves them");
  app.add_option("--phase", options.phases, "only these; without fill the kept store is used")
      ->check(CLI::IsMember({"fill", "results", "report", "workers"}));
  app.add_flag("--json", options.as_json);
  CLI11_PARSE(app, argc, argv);
  return kvscope::bench::Main(options);
}
