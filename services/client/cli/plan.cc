// kvscope plan SWEEP.yaml: what a sweep will cost, before anything runs.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "services/client/cli/command.h"
#include "services/client/cli/engine_grid.h"
#include "services/client/cli/submit.h"
#include "services/client/cli/terminal.h"
#include "services/inference/engine/engine.h"
#include "services/orchestrator/datasets/source.h"
#include "services/orchestrator/sweep/sweep.h"
#include "services/status_macros.h"

namespace kvscope::cli {
namespace {

struct Options {
  std::string sweep_file;
  bool json = false;
  bool no_estimate = false;
};

struct Plan {
  int64_t cells = 0, passages = 0, questions = 0, prefills = 0, streams = 0;
  int64_t context_tokens = 0;  // over all prefills
  int context_tokens_max = 0, suffix_tokens_max = 0;
  double kv_bytes_per_token = 0;
  double seconds = -1;  // estimated; < 0: not asked for
};

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
    return inference::EvaluatePassage(*engine, g, p, false, {},
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

absl::StatusOr<Plan> MakePlan(const Options& options, const orchestrator::Sweep& sweep) {
  KVSCOPE_ASSIGN_OR_RETURN(const ModelNames names, LocalNames(sweep, options.sweep_file));
  const std::string& model = names.model;
  inference::EngineOptions engine_options;
  engine_options.scoring_tokenizer = names.scoring_tokenizer;  // a broken one is told now
  KVSCOPE_ASSIGN_OR_RETURN(auto engine,
                           inference::Engine::Load(model, engine_options, /*info_only=*/true));
  std::vector<inference::Grid> grids;
  for (const auto regime : sweep.regimes) {
    KVSCOPE_ASSIGN_OR_RETURN(inference::Grid grid, MakeGrid(sweep, regime));
    grids.push_back(std::move(grid));
  }
  Plan plan;
  const int64_t points = static_cast<int64_t>(sweep.presses.size() * sweep.ratios.size());
  plan.cells = points * static_cast<int64_t>(sweep.datasets.size() * sweep.regimes.size());
  const inference::EngineInfo& info = engine->info();
  plan.kv_bytes_per_token = 2.0 * info.layers * info.kv_heads * info.head_dim * sizeof(float);

  const std::string directory = std::filesystem::path(options.sweep_file).parent_path().string();
  KVSCOPE_ASSIGN_OR_RETURN(auto source, orchestrator::PassageSource::Open(sweep, directory));
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
    }
    if (!sample.has_value()) sample = std::move(passage);
  }
  if (!options.no_estimate && sample.has_value()) {
    KVSCOPE_ASSIGN_OR_RETURN(plan.seconds, Estimate(sweep, model, *sample, plan));
  }
  return plan;
}

absl::Status RunPlan(const Options& options) {
  KVSCOPE_ASSIGN_OR_RETURN(const orchestrator::Sweep sweep,
                           orchestrator::LoadSweep(options.sweep_file));
  KVSCOPE_ASSIGN_OR_RETURN(const Plan plan, MakePlan(options, sweep));
  const double cache_bytes = plan.kv_bytes_per_token * plan.context_tokens_max;
  if (options.json) {
    nlohmann::ordered_json json = {{"name", sweep.name},
                                   {"cells", plan.cells},
                                   {"passages", plan.passages},
                                   {"questions", plan.questions},
                                   {"prefills", plan.prefills},
                                   {"streams", plan.streams},
                                   {"context_tokens_total", plan.context_tokens},
                                   {"context_tokens_max", plan.context_tokens_max},
                                   {"suffix_tokens_max", plan.suffix_tokens_max},
                                   {"kv_bytes_per_token", plan.kv_bytes_per_token},
                                   {"kv_bytes_max", cache_bytes}};
    json["estimated_s"] =
        plan.seconds < 0 ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(plan.seconds);
    std::cout << json.dump(2) << '\n';
    return absl::OkStatus();
  }
  Table table({"sweep", sweep.name}, 1);
  table.AddRow({"cells", Thousands(plan.cells)});
  table.AddRow({"passages", Thousands(plan.passages)});
  table.AddRow({"questions", Thousands(plan.questions)});
  table.AddRow({"prefills", Thousands(plan.prefills)});
  table.AddRow({"answers (press x ratio x question)", Thousands(plan.streams)});
  table.AddRow({"longest context, tokens", Thousands(plan.context_tokens_max)});
  table.AddRow({"longest question, tokens", Thousands(plan.suffix_tokens_max)});
  table.AddRow({"KV cache of the longest context", Bytes(cache_bytes)});
  if (plan.seconds >= 0) {
    table.AddRow({"estimated time, one worker", absl::StrCat("about ", Duration(plan.seconds))});
  }
  table.Print(std::cout);
  return absl::OkStatus();
}

}  // namespace

void AddPlan(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("plan", "What a sweep will cost, before anything runs");
  command->footer("Example:\n  kvscope plan sweeps/pocket.yaml");
  command->add_option("SWEEP.yaml", options->sweep_file, "the sweep file")->required();
  command->add_flag("--json", options->json, "print JSON");
  command->add_flag("--no-estimate", options->no_estimate,
                    "do not load the weights to measure what a stream costs");
  command->callback([options, &action] { action = [options] { return RunPlan(*options); }; });
}

}  // namespace kvscope::cli
