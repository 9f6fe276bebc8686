// kvscope doctor: backends, cores, memory, versions, a self-test.
#include <grpcpp/grpcpp.h>
#include <sqlite3.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "absl/strings/str_cat.h"
#include "services/client/cli/command.h"
#include "services/client/cli/models.h"
#include "services/client/cli/terminal.h"
#include "services/inference/engine/engine.h"
#include "services/inference/inspect/devices.h"
#include "services/status_macros.h"
#include "services/version.h"

namespace kvscope::cli {
namespace {

using Json = nlohmann::ordered_json;

// The processor's name and those of its abilities that products use.
Json Processor() {
  std::ifstream in("/proc/cpuinfo");
  Json found = {{"name", "unknown"}, {"simd", Json::array()}};
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("model name") && line.find(": ") != std::string::npos) {
      found["name"] = line.substr(line.find(": ") + 2);
    }
    if (!line.starts_with("flags")) continue;
    for (const char* flag : {"avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16"}) {
      if (absl::StrCat(line, " ").find(absl::StrCat(" ", flag, " ")) != std::string::npos) {
        found["simd"].push_back(flag);
      }
    }
    break;
  }
  return found;
}

// Answers one question of a made-up passage through a compressed cache on one backend.
absl::StatusOr<std::vector<int32_t>> Answer(const std::string& model, const std::string& device) {
  inference::EngineOptions options;
  options.device = device;
  options.dtype = "float32";
  KVSCOPE_ASSIGN_OR_RETURN(auto engine, inference::Engine::Load(model, options));
  inference::Grid grid;
  KVSCOPE_ASSIGN_OR_RETURN(inference::Press press,
                           inference::ParsePress("snapkv(window_size=8)", 0));
  grid.presses.push_back(std::move(press));
  grid.ratios = {0.3};
  grid.max_new_tokens = 12;
  inference::Passage passage;
  passage.context = "Falwyn Belmont was born on 3 August 1993. They lived in Delgate.";
  passage.questions.push_back({"Where did Falwyn Belmont live?", "Delgate", {}});
  std::vector<int32_t> tokens;
  KVSCOPE_RETURN_IF_ERROR(inference::EvaluatePassage(
      *engine, grid, passage, {}, {}, [&](inference::PassageRecord&& record) {
        tokens = record.cells.at(0).streams.at(0).tokens;
        return absl::OkStatus();
      }));
  return tokens;
}

// The cpu backend must answer as the plain loops of the reference do.
Json SelfTest() {
  const std::vector<std::string> models = FindModels("");
  if (models.empty()) {
    return {{"ok", nullptr}, {"says", "no bundled model found (set KVSCOPE_MODELS_DIR)"}};
  }
  const auto reference = Answer(models.front(), "reference");
  const auto cpu = Answer(models.front(), "cpu");
  for (const auto* answer : {&reference, &cpu}) {
    if (!answer->ok()) return {{"ok", false}, {"says", std::string(answer->status().message())}};
  }
  const bool same = *reference == *cpu;
  return {{"ok", same},
          {"says", absl::StrCat(models.front(), ": ", cpu->size(),
                                same ? " tokens, cpu as reference" : " tokens, cpu differs")}};
}

Json Backends() {
  Json backends = Json::array();
  for (const inference::DeviceState& device : inference::InspectDevices()) {
    backends.push_back({{"name", device.name}, {"usable", device.usable}, {"says", device.says}});
  }
  return backends;
}

absl::Status Doctor(bool as_json) {
  const double memory =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  const Json processor = Processor();
  const Json self_test = SelfTest();
  const Json facts = {{"version", kVersion},
                      {"results_version", kResultsVersion},
                      {"processor", processor},
                      {"cores", std::thread::hardware_concurrency()},
                      {"memory_bytes", memory},
                      {"backends", Backends()},
                      {"libraries", {{"grpc", grpc::Version()}, {"sqlite", sqlite3_libversion()}}},
                      {"self_test", self_test}};
  if (as_json) {
    std::cout << facts.dump(2) << '\n';
  } else {
    Table table({"kvscope", kVersion}, 2);
    table.AddRow({"processor", processor["name"].get<std::string>()});
    table.AddRow({"simd", processor["simd"].dump()});
    table.AddRow({"cores", facts["cores"].dump()});
    table.AddRow({"memory", Bytes(memory)});
    for (const Json& backend : facts["backends"]) {
      table.AddRow({absl::StrCat("backend ", backend["name"].get<std::string>()),
                    absl::StrCat(backend["usable"].get<bool>() ? "usable: " : "",
                                 backend["says"].get<std::string>())});
    }
    table.AddRow({"gRPC", grpc::Version()});
    table.AddRow({"SQLite", sqlite3_libversion()});
    table.AddRow({"self-test", absl::StrCat(self_test["ok"] == true ? "ok: " : "NOT ok: ",
                                            self_test["says"].get<std::string>())});
    table.Print(std::cout);
  }
  if (self_test["ok"] == false) return absl::InternalError("the self-test failed");
  return absl::OkStatus();
}

}  // namespace

void AddDoctor(CLI::App& app, Action& action) {
  auto as_json = std::make_shared<bool>(false);
  CLI::App* command =
      app.add_subcommand("doctor", "Backends found, cores, memory, versions, a self-test");
  command->footer("Example:\n  kvscope doctor");
  command->add_flag("--json", *as_json, "print JSON");
  command->callback([as_json, &action] { action = [as_json] { return Doctor(*as_json); }; });
}

}  // namespace kvscope::cli
