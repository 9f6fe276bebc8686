// kvscope plan SWEEP.yaml: what a sweep will cost, before anything runs.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "services/client/cli/command.h"
#include "services/client/cli/engine_grid.h"
#include "services/client/cli/model_labels.h"
#include "services/client/cli/submit.h"
#include "services/client/cli/terminal.h"
#include "services/inference/engine/engine.h"
#include "services/inference/engine/memory_plan.h"
#include "services/inference/inspect/devices.h"
#include "services/orchestrator/datasets/source.h"
#include "services/orchestrator/sweep/sweep.h"
#include "services/status_macros.h"

namespace kvscope::cli {
namespace {

struct Options {
  std::string sweep_file;
  std::vector<std::string> models;  // instead of the file's
  std::string device;               // instead of the file's; empty: that
  bool json = false;
  bool no_estimate = false;
};

struct Plan {
  std::string model = {};  // its directory
  int64_t cells = 0, passages = 0, questions = 0, prefills = 0, streams = 0;
  int64_t context_tokens = 0;  // over all prefills
  int context_tokens_max = 0, suffix_tokens_max = 0;
  double kv_bytes_per_token = 0;
  double kv_bytes_max = 0;            // of the longest context
  double seconds = -1;                // estimated; < 0: not asked for
  inference::MemoryPlan memory = {};  // of the passage that takes most
};

// The memory of the passage that takes most.
void Grow(inference::MemoryPlan& most, inference::MemoryPlan plan) {
  if (plan.evaluation_bytes() >= most.evaluation_bytes()) most = std::move(plan);
}

double SecondsOf(const std::function<absl::Status()>& work, absl::Status& status) {
  const auto start = std::chrono::steady_clock::now();
  status.Update(work());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Measures a prefill with one answer, and the same passage with all ratios of the first press; the
// difference is what a stream costs. Larger batches are cheaper a stream, so the estimate errs on
// the long side.
absl::StatusOr<double> Estimate(const orchestrator::Sweep& sweep, const std::string& model,
                                const orchestrator::Passage& sample, const Plan& plan) {
  inference::EngineOptions engine_options;
  engine_options.device = sweep.device;
  engine_options.dtype = sweep.dtype;
  KVSCOPE_ASSIGN_OR_RETURN(auto engine, inference::Engine::Load(model, engine_options));
  KVSCOPE_ASSIGN_OR_RETURN(inference::Grid grid, MakeGrid(sweep, sweep.regimes.front()));
  const inference::Passage passage = MakePassage(sample);
  const auto evaluate = [&](const inference::Grid& g, const inference::Passage& p) {
    return inference::EvaluatePassage(*engine, g, p, {}, {},
                                      [](inference::PassageRecord&&) { return absl::OkStatus(); });
  };
  grid.presses.resize(1);
  inference::Grid single = grid;
  single.ratios = {0.5};
  inference::Passage one = passage;
  one.questions.resize(1);
  absl::Status status;
  SecondsOf([&] { return evaluate(single, one); }, status);  // warms caches and kernels up
  const double one_s = SecondsOf([&] { return evaluate(single, one); }, status);
  const double many_s = SecondsOf([&] { return evaluate(grid, passage); }, status);
  KVSCOPE_RETURN_IF_ERROR(status);
  const auto streams = static_cast<double>(grid.ratios.size() * passage.questions.size());
  const double stream_s = std::max(0.0, many_s - one_s) / std::max(1.0, streams - 1);
  const double prefill_s = std::max(0.0, one_s - stream_s);
  return static_cast<double>(plan.prefills) * prefill_s +
         static_cast<double>(plan.streams) * stream_s;
}

// In the largest slices that the device has memory for, else in the smallest.
inference::MemoryPlan FittingPlan(const inference::Engine::State& engine,
                                  const inference::Grid& grid, const inference::PassageSize& size,
                                  const inference::DeviceState& device) {
  inference::DecodeSlices slices;
  while (true) {
    inference::MemoryPlan plan = inference::PlanMemory(engine, grid, size, slices);
    const bool fits =
        !device.free_bytes.has_value() || inference::CheckFits(plan, *device.free_bytes).ok();
    if (fits || !slices.Halve()) return plan;
  }
}

// Errors of one of several models say which.
absl::Status InModel(const orchestrator::Sweep& sweep, size_t ordinal, const absl::Status& status) {
  if (status.ok() || sweep.models.size() == 1) return status;
  return absl::Status(status.code(),
                      absl::StrCat(ModelField(sweep, ordinal), ": ", status.message()));
}

// Of one model; `directory` and the scoring tokenizer's are where `names` found them.
absl::StatusOr<Plan> PlanModel(const Options& options, const orchestrator::Sweep& sweep,
                               const inference::DeviceState& device, const std::string& directory,
                               const std::string& scoring_tokenizer) {
  inference::EngineOptions engine_options;
  engine_options.scoring_tokenizer = scoring_tokenizer;  // a broken one is told now
  engine_options.device = device.name;
  engine_options.dtype = sweep.dtype;
  KVSCOPE_ASSIGN_OR_RETURN(auto engine,
                           inference::Engine::Load(directory, engine_options, /*info_only=*/true));
  std::vector<inference::Grid> grids;
  for (const auto regime : sweep.regimes) {
    KVSCOPE_ASSIGN_OR_RETURN(inference::Grid grid, MakeGrid(sweep, regime));
    grids.push_back(std::move(grid));
  }
  Plan plan{.model = directory};
  const int64_t points = static_cast<int64_t>(sweep.presses.size() * sweep.ratios.size());
  plan.cells = points * static_cast<int64_t>(sweep.datasets.size() * sweep.regimes.size());
  const inference::EngineInfo& info = engine->info();
  plan.kv_bytes_per_token = 2.0 * info.layers * info.kv_heads * info.head_dim * sizeof(float);

  const std::string beside = std::filesystem::path(options.sweep_file).parent_path().string();
  KVSCOPE_ASSIGN_OR_RETURN(auto source, orchestrator::PassageSource::Open(sweep, beside));
  std::optional<orchestrator::Passage> sample;
  while (true) {
    KVSCOPE_ASSIGN_OR_RETURN(std::optional<orchestrator::Passage> passage, source.Next());
    if (!passage.has_value()) break;
    const auto questions = static_cast<int64_t>(passage->questions.size());
    ++plan.passages;
    plan.questions += questions;
    for (const inference::Grid& grid : grids) {
      KVSCOPE_ASSIGN_OR_RETURN(const inference::PassageSize size,
                               inference::MeasurePassage(*engine, grid, MakePassage(*passage)));
      const int64_t prefills = grid.regime == inference::Regime::kAwareEach ? questions : 1;
      plan.prefills += prefills;
      plan.streams += points * questions;
      plan.context_tokens += prefills * size.context_tokens;
      plan.context_tokens_max = std::max(plan.context_tokens_max, size.context_tokens);
      plan.suffix_tokens_max = std::max(plan.suffix_tokens_max, size.suffix_tokens);
      Grow(plan.memory, FittingPlan(engine->state(), grid, size, device));
    }
    if (!sample.has_value()) sample = std::move(passage);
  }
  plan.kv_bytes_max = plan.kv_bytes_per_token * plan.context_tokens_max;
  if (device.free_bytes.has_value()) {
    KVSCOPE_RETURN_IF_ERROR(inference::CheckFits(plan.memory, *device.free_bytes));
  }
  if (!options.no_estimate && device.usable && sample.has_value()) {
    KVSCOPE_ASSIGN_OR_RETURN(plan.seconds, Estimate(sweep, directory, *sample, plan));
  }
  return plan;
}

absl::StatusOr<std::vector<Plan>> MakePlans(const Options& options,
                                            const orchestrator::Sweep& sweep,
                                            const inference::DeviceState& device) {
  KVSCOPE_ASSIGN_OR_RETURN(const ModelNames names, LocalNames(sweep, options.sweep_file));
  std::vector<Plan> plans;
  for (size_t i = 0; i < names.models.size(); ++i) {
    absl::StatusOr<Plan> plan =
        PlanModel(options, sweep, device, names.models[i], names.scoring_tokenizer);
    if (!plan.ok()) return InModel(sweep, i, plan.status());
    plans.push_back(*std::move(plan));
  }
  return plans;
}

// Of all models together; passages and questions are the same for each.
Plan Total(const std::vector<Plan>& plans) {
  Plan total{.passages = plans.front().passages, .questions = plans.front().questions};
  for (const Plan& plan : plans) {
    total.cells += plan.cells;
    total.prefills += plan.prefills;
    total.streams += plan.streams;
    total.context_tokens += plan.context_tokens;
    total.context_tokens_max = std::max(total.context_tokens_max, plan.context_tokens_max);
    total.suffix_tokens_max = std::max(total.suffix_tokens_max, plan.suffix_tokens_max);
    total.kv_bytes_per_token = std::max(total.kv_bytes_per_token, plan.kv_bytes_per_token);
    total.kv_bytes_max = std::max(total.kv_bytes_max, plan.kv_bytes_max);
    if (plan.memory.bytes() >= total.memory.bytes()) total.memory = plan.memory;
    if (plan.seconds >= 0) total.seconds = std::max(total.seconds, 0.0) + plan.seconds;
  }
  return total;
}

nlohmann::ordered_json Json(const inference::MemoryPlan& memory) {
  nlohmann::ordered_json json = {{"bytes", memory.bytes()}};
  for (const auto* parts : {&memory.weights, &memory.evaluation}) {
    for (const inference::MemoryPart& part : *parts) json["parts"][part.name] = part.bytes;
  }
  return json;
}

nlohmann::ordered_json Json(const Plan& plan) {
  return {{"cells", plan.cells},
          {"passages", plan.passages},
          {"questions", plan.questions},
          {"prefills", plan.prefills},
          {"streams", plan.streams},
          {"context_tokens_total", plan.context_tokens},
          {"context_tokens_max", plan.context_tokens_max},
          {"suffix_tokens_max", plan.suffix_tokens_max},
          {"kv_bytes_per_token", plan.kv_bytes_per_token},
          {"kv_bytes_max", plan.kv_bytes_max},
          {"estimated_s", plan.seconds < 0 ? nlohmann::ordered_json(nullptr)
                                           : nlohmann::ordered_json(plan.seconds)},
          {"memory", Json(plan.memory)}};
}

std::string About(const Plan& plan) {
  return plan.seconds < 0 ? "-" : absl::StrCat("about ", Duration(plan.seconds));
}

// One line a model.
void PrintModels(const std::vector<Plan>& plans) {
  std::vector<std::string> names;
  names.reserve(plans.size());
  for (const Plan& plan : plans) names.push_back(plan.model);
  const ModelLabels labels(names);
  Table table({"model", "cells", "prefills", "answers", "longest context", "its KV cache", "time"},
              1);
  for (const Plan& plan : plans) {
    table.AddRow({labels.Of(plan.model), Thousands(plan.cells), Thousands(plan.prefills),
                  Thousands(plan.streams),
                  absl::StrCat(Thousands(plan.context_tokens_max), " tokens"),
                  Bytes(plan.kv_bytes_max), About(plan)});
  }
  table.Print(std::cout);
}

void PrintTotal(const orchestrator::Sweep& sweep, const Plan& plan) {
  Table table({"sweep", sweep.name}, 1);
  table.AddRow({"cells", Thousands(plan.cells)});
  table.AddRow({"passages", Thousands(plan.passages)});
  table.AddRow({"questions", Thousands(plan.questions)});
  table.AddRow({"prefills", Thousands(plan.prefills)});
  table.AddRow({"answers (press x ratio x question)", Thousands(plan.streams)});
  table.AddRow({"longest context, tokens", Thousands(plan.context_tokens_max)});
  table.AddRow({"longest question, tokens", Thousands(plan.suffix_tokens_max)});
  table.AddRow({"KV cache of the longest context", Bytes(plan.kv_bytes_max)});
  if (plan.seconds >= 0) table.AddRow({"estimated time, one worker", About(plan)});
  table.Print(std::cout);
}

// What the device must hold at once, and what it has.
void PrintMemory(const inference::MemoryPlan& memory, const inference::DeviceState& device) {
  Table table({absl::StrCat("memory of the device ", device.name),
               Bytes(static_cast<double>(memory.bytes()))},
              1);
  for (const auto* parts : {&memory.weights, &memory.evaluation}) {
    for (const inference::MemoryPart& part : *parts) {
      table.AddRow({absl::StrCat("  ", part.name), Bytes(static_cast<double>(part.bytes))});
    }
  }
  if (device.free_bytes.has_value())
    table.AddRow({"there are", Bytes(static_cast<double>(*device.free_bytes))});
  std::cout << '\n';
  table.Print(std::cout);
  if (!device.usable) std::cout << "not compared with a device: " << device.says << '\n';
}

absl::Status RunPlan(const Options& options) {
  KVSCOPE_ASSIGN_OR_RETURN(orchestrator::Sweep sweep,
                           LoadSweep(options.sweep_file, options.models));
  if (!options.device.empty()) sweep.device = options.device;
  const inference::DeviceState device = inference::InspectDevice(sweep.device);
  KVSCOPE_ASSIGN_OR_RETURN(const std::vector<Plan> plans, MakePlans(options, sweep, device));
  const Plan total = Total(plans);
  if (!options.json) {
    PrintTotal(sweep, total);
    if (plans.size() > 1) {
      std::cout << '\n';
      PrintModels(plans);
    }
    if (device.free_bytes.has_value() || !options.device.empty() || !device.usable) {
      PrintMemory(total.memory, device);
    }
    return absl::OkStatus();
  }
  nlohmann::ordered_json json = {{"name", sweep.name}, {"device", device.name}};
  json.update(Json(total));
  for (const Plan& plan : plans) {
    nlohmann::ordered_json model = {{"model", plan.model}};
    model.update(Json(plan));
    json["models"].push_back(std::move(model));
  }
  std::cout << json.dump(2) << '\n';
  return absl::OkStatus();
}

}  // namespace

void AddPlan(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("plan", "What a sweep will cost, before anything runs");
  command->footer(
      "Example:\n  kvscope plan sweeps/pocket.yaml\n"
      "  kvscope plan sweeps/paper.yaml --device cuda --model ~/models/Llama-3.2-3B-Instruct");
  command->add_option("SWEEP.yaml", options->sweep_file, "the sweep file")->required();
  AddModelOption(*command, options->models);
  command->add_option("--device", options->device,
                      "plan for cpu, cuda or cuda:N instead of the file's device, and list what it "
                      "must hold; it need not be there");
  command->add_flag("--json", options->json, "print JSON");
  command->add_flag("--no-estimate", options->no_estimate,
                    "do not load the weights to measure what a stream costs");
  command->callback([options, &action] { action = [options] { return RunPlan(*options); }; });
}

}  // namespace kvscope::cli
