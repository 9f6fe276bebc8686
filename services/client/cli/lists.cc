// kvscope presses|metrics|datasets|models: what there is, with parameters and sources.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "services/client/cli/command.h"
#include "services/client/cli/models.h"
#include "services/client/cli/session.h"
#include "services/client/cli/terminal.h"
#include "services/inference/engine/engine.h"
#include "services/inference/presses/press.h"
#include "services/metrics/registry.h"
#include "services/orchestrator/datasets/generator.h"
#include "services/orchestrator/datasets/suite_rules.h"
#include "services/rpc/call_policy.h"
#include "services/rpc/grpc_status.h"
#include "services/status_macros.h"

namespace kvscope::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string Text(std::string_view view) { return std::string(view); }

absl::Status Presses(bool as_json) {
  Json list = Json::array();
  for (const inference::PressInfo& press : inference::ListPresses()) {
    Json parameters = Json::array();
    for (const inference::ParameterInfo& p : press.parameters) {
      parameters.push_back({{"name", Text(p.name)},
                            {"type", Text(p.type)},
                            {"default", Text(p.default_value)},
                            {"range", Text(p.range)},
                            {"summary", Text(p.summary)}});
    }
    list.push_back({{"name", press.name},
                    {"kind", press.kind},
                    {"summary", press.summary},
                    {"source", press.source},
                    {"example", press.example},
                    {"parameters", parameters}});
  }
  if (as_json) {
    std::cout << list.dump(2) << '\n';
    return absl::OkStatus();
  }
  for (const Json& press : list) {
    std::cout << press["name"].get<std::string>() << "  (" << press["kind"].get<std::string>()
              << ", " << press["source"].get<std::string>() << ")\n    "
              << press["summary"].get<std::string>()
              << "\n    example: " << press["example"].get<std::string>() << '\n';
    for (const Json& p : press["parameters"]) {
      std::cout << "    " << p["name"].get<std::string>() << " = "
                << p["default"].get<std::string>() << "  " << p["type"].get<std::string>() << " "
                << p["range"].get<std::string>() << "  " << p["summary"].get<std::string>() << '\n';
    }
    std::cout << '\n';
  }
  return absl::OkStatus();
}

absl::Status Metrics(bool as_json) {
  Json list = Json::array();
  for (const metrics::MetricInfo& metric : metrics::AllMetrics()) {
    list.push_back({{"name", Text(metric.name)},
                    {"level", Text(metrics::MetricLevelName(metric.level))},
                    {"summary", Text(metric.summary)},
                    {"unit", Text(metric.unit)},
                    {"null_when", Text(metric.null_when)},
                    {"source", Text(metric.source)}});
  }
  if (as_json) {
    std::cout << list.dump(2) << '\n';
    return absl::OkStatus();
  }
  for (const Json& metric : list) {
    std::cout << metric["name"].get<std::string>() << "  (per "
              << metric["level"].get<std::string>() << ", " << metric["unit"].get<std::string>()
              << "; " << metric["source"].get<std::string>() << ")\n    "
              << metric["summary"].get<std::string>() << '\n';
    const auto null_when = metric["null_when"].get<std::string>();
    if (!null_when.empty()) std::cout << "    undefined: " << null_when << '\n';
  }
  return absl::OkStatus();
}

absl::Status Models(const std::string& directory, bool as_json) {
  Json list = Json::array();
  for (const std::string& path : FindModels(directory)) {
    const auto engine = inference::Engine::Load(path, {}, /*info_only=*/true);
    if (!engine.ok()) {
      list.push_back({{"path", path}, {"error", std::string(engine.status().message())}});
      continue;
    }
    const inference::EngineInfo& info = (*engine)->info();
    list.push_back({{"path", path},
                    {"model_type", info.model_type},
                    {"parameters", info.parameter_count},
                    {"layers", info.layers},
                    {"q_heads", info.q_heads},
                    {"kv_heads", info.kv_heads},
                    {"head_dim", info.head_dim},
                    {"context_window", info.context_window}});
  }
  if (as_json) {
    std::cout << list.dump(2) << '\n';
    return absl::OkStatus();
  }
  Table table({"model", "type", "parameters", "layers", "heads", "head_dim", "window"}, 2);
  for (const Json& model : list) {
    if (model.contains("error")) {
      table.AddRow({model["path"], absl::StrCat("error: ", model["error"].get<std::string>())});
      continue;
    }
    table.AddRow({model["path"], model["model_type"], Thousands(model["parameters"]),
                  model["layers"].dump(),
                  absl::StrCat(model["q_heads"].dump(), ":", model["kv_heads"].dump()),
                  model["head_dim"].dump(), Thousands(model["context_window"])});
  }
  table.Print(std::cout);
  if (list.empty()) std::cerr << "no model directory found; name one with --models-dir\n";
  return absl::OkStatus();
}

absl::Status ClusterModels(const SessionOptions& options, bool as_json) {
  KVSCOPE_ASSIGN_OR_RETURN(auto session, Session::Open(options, 0));
  v1::ListModelsResponse response;
  KVSCOPE_RETURN_IF_ERROR(rpc::CallPatiently([&] {
    rpc::UnaryContext context;
    return rpc::FromGrpc(session->stub().ListModels(&context, {}, &response));
  }));
  Json list = Json::array();
  Table table({"model", "type", "weights"}, 2);
  for (const v1::CatalogModel& model : response.models()) {
    list.push_back({{"name", model.name()},
                    {"model_type", model.model_type()},
                    {"weights_bytes", model.weights_bytes()}});
    table.AddRow(
        {model.name(), model.model_type(), Bytes(static_cast<double>(model.weights_bytes()))});
  }
  if (as_json) {
    std::cout << list.dump(2) << '\n';
    return absl::OkStatus();
  }
  table.Print(std::cout);
  if (list.empty()) std::cerr << "the cluster has no models\n";
  return absl::OkStatus();
}

// "6", or "5 to 6" where a suite allows several.
std::string RangeText(const orchestrator::Range& range) {
  if (range.low == range.high) return Thousands(range.low);
  return absl::StrCat(Thousands(range.low), " to ", Thousands(range.high));
}

Json ScalesOf(std::string_view suite) {
  Json scales = Json::array();
  for (const orchestrator::Scale scale :
       {orchestrator::Scale::kPaper, orchestrator::Scale::kPocket}) {
    const orchestrator::SuiteRule* rule = orchestrator::FindSuiteRule(suite, scale);
    if (rule == nullptr) continue;
    scales.push_back({{"scale", Text(orchestrator::ScaleName(scale))},
                      {"words", RangeText(rule->words)},
                      {"questions", RangeText(rule->questions)},
                      {"passages", rule->passages}});
  }
  return scales;
}

absl::Status Datasets(bool as_json) {
  Json list = Json::array();
  for (const orchestrator::GeneratorInfo* generator : orchestrator::Generators()) {
    list.push_back({{"name", Text(generator->name)},
                    {"summary", Text(generator->summary)},
                    {"source", Text(generator->source)},
                    {"scales", ScalesOf(generator->name)}});
  }
  if (as_json) {
    std::cout << list.dump(2) << '\n';
    return absl::OkStatus();
  }
  for (const Json& generator : list) {
    std::cout << generator["name"].get<std::string>() << "  ("
              << generator["source"].get<std::string>() << ")\n    "
              << generator["summary"].get<std::string>() << '\n';
    for (const Json& scale : generator["scales"]) {
      std::cout << "    " << scale["scale"].get<std::string>() << ": "
                << scale["words"].get<std::string>() << " words and "
                << scale["questions"].get<std::string>() << " questions a passage";
      const auto passages = scale["passages"].get<int64_t>();
      if (passages > 0) std::cout << ", " << Thousands(passages) << " passages in the paper";
      std::cout << '\n';
    }
  }
  std::cout << "\nYour own: a JSONL file, `datasets: [{file: questions.jsonl}]`; check it with\n"
               "`kvscope dataset check questions.jsonl`.\n";
  return absl::OkStatus();
}

}  // namespace

void AddLists(CLI::App& app, Action& action) {
  struct Options {
    bool json = false;
    std::string models_dir;
    SessionOptions session;
  };
  auto options = std::make_shared<Options>();
  const auto add = [&](const char* name, const char* help, std::function<absl::Status()> list) {
    CLI::App* command = app.add_subcommand(name, help);
    command->add_flag("--json", options->json, "print JSON");
    command->footer(absl::StrCat("Example:\n  kvscope ", name, " --json"));
    command->callback([list = std::move(list), &action] { action = list; });
    return command;
  };
  add("presses", "Scorers and budgets that make up a press",
      [options] { return Presses(options->json); });
  add("metrics", "What is measured, and when it is undefined",
      [options] { return Metrics(options->json); });
  add("datasets", "Data sets that can be generated", [options] { return Datasets(options->json); });
  CLI::App* models =
      add("models", "Model directories that are at hand, or a cluster's models", [options] {
        return options->session.connect.empty() ? Models(options->models_dir, options->json)
                                                : ClusterModels(options->session, options->json);
      });
  models->add_option("--models-dir", options->models_dir,
                     "where to look; default: the bundled models and ./models");
  AddSessionOptions(*models, options->session);
}

}  // namespace kvscope::cli
