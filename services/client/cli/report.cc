// kvscope report SWEEP --out report.html --figures DIR
#include "services/client/cli/report.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/client/cli/cells.h"
#include "services/client/cli/command.h"
#include "services/client/cli/model_labels.h"
#include "services/client/cli/report_tags.h"
#include "services/client/cli/session.h"
#include "services/client/cli/statistics.h"
#include "services/client/cli/terminal.h"
#include "services/orchestrator/report/figure_files.h"
#include "services/orchestrator/report/findings.h"
#include "services/orchestrator/report/headlines.h"
#include "services/orchestrator/report/report.h"
#include "services/rpc/call_policy.h"
#include "services/rpc/grpc_status.h"
#include "services/status_macros.h"

namespace kvscope::cli {
namespace {

using orchestrator::ReportInput;

void AddModel(const std::string& name, const v1::ModelInfo& model, ReportInput& input) {
  auto& out = input.provenance;
  out.emplace_back(
      "model",
      absl::StrCat(name, ": ", model.model_type(), ", ", Thousands(model.parameter_count()),
                   " parameters, ", model.layers(), " layers, ", model.q_heads(), " query and ",
                   model.kv_heads(), " KV heads of ", model.head_dim()));
  out.emplace_back("weights (SHA-256)", model.weights_digest());
  out.emplace_back("tokenizer (SHA-256)", model.tokenizer_digest());
  out.emplace_back("device, dtype", absl::StrCat(model.device(), ", ", model.dtype()));
}

void AddProvenance(const v1::Sweep& sweep, ReportInput& input) {
  const v1::SweepSpec& spec = sweep.spec();
  auto& out = input.provenance;
  out.emplace_back("sweep", absl::StrCat(spec.name(), " (", sweep.id(), ")"));
  AddModel(spec.model(), sweep.model(), input);
  for (int i = 0; i < std::min(spec.more_models_size(), sweep.more_models_size()); ++i) {
    AddModel(spec.more_models(i), sweep.more_models(i), input);
  }
  out.emplace_back("code", sweep.model().code_version());
  for (const v1::Dataset& dataset : spec.datasets()) {
    out.emplace_back(absl::StrCat("data set ", dataset.name()),
                     absl::StrCat(Thousands(dataset.passage_count()), " passages, ",
                                  Thousands(dataset.question_count()), " questions, SHA-256 ",
                                  dataset.digest()));
  }
  out.emplace_back("presses", absl::StrJoin(spec.presses(), "; "));
  out.emplace_back("ratios", absl::StrJoin(spec.ratios(), ", ", [](std::string* text, double r) {
                     absl::StrAppend(text, NumberText(r));
                   }));
  out.emplace_back("max_new_tokens", std::to_string(spec.max_new_tokens()));
}

void AddCell(const v1::Cell& cell, const ModelLabels& models, ReportInput& input) {
  const auto maybe = [](bool has, double value) {
    return has ? std::optional<double>(value) : std::nullopt;
  };
  orchestrator::ReportRow row;
  row.dataset = models.Part(cell.dataset(), cell.model());
  row.regime = RegimeText(cell.regime());
  row.press = cell.press();
  row.ratio = cell.compression_ratio();
  row.answers = cell.answer_count();
  row.ger_answers = cell.ger_count();
  row.f1 = cell.f1();
  row.exact = cell.exact();
  row.hallucination_rate = cell.hallucination_rate();
  row.unknown_rate = cell.unknown_rate();
  row.ger = maybe(cell.has_ger(), cell.ger());
  row.eviction_rate = cell.eviction_rate();
  row.evicted_share = cell.evicted_share();
  row.kept_ratio = cell.kept_ratio();
  row.consensus_mean = maybe(cell.has_consensus_mean(), cell.consensus_mean());
  const auto layers = [](const auto& values) {
    return std::vector<double>(values.begin(), values.end());
  };
  row.consensus_layer = layers(cell.consensus_layer());
  row.agreement_layer = layers(cell.agreement_layer());
  row.ger_layer = layers(cell.ger_layer());
  row.eviction_rate_layer = layers(cell.eviction_rate_layer());
  input.rows.push_back(std::move(row));
}

orchestrator::ReportSurvivalMap SurvivalMap(const v1::HeatmapRow& row, const ModelLabels& models) {
  const v1::Heatmap& heatmap = row.heatmap();
  orchestrator::ReportSurvivalMap map;
  map.dataset = models.Part(row.dataset(), row.model());
  map.passage_id = row.passage_id();
  map.regime = RegimeText(row.regime());
  map.press = row.press();
  map.ratio = row.compression_ratio();
  map.layers = heatmap.layers();
  map.kv_heads = heatmap.kv_heads();
  map.tokens.assign(heatmap.tokens().begin(), heatmap.tokens().end());
  map.answer_tokens.resize(map.tokens.size());
  for (const int token : heatmap.answer_tokens()) {
    if (token >= 0 && static_cast<size_t>(token) < map.tokens.size()) {
      map.answer_tokens[static_cast<size_t>(token)] = true;
    }
  }
  map.bits.assign(heatmap.keep_bits().begin(), heatmap.keep_bits().end());
  return map;
}

struct Options {
  SessionOptions session;
  std::string sweep;
  std::string out;
  std::string figures;
  bool findings = false;
  bool markdown = false;
};

void PrintFindings(const ReportInput& input, bool markdown) {
  const auto& findings = input.statistics.findings;
  if (markdown) {
    std::cout << "# What the sweep " << input.title << " says of the paper's claims\n\n"
              << orchestrator::FindingsMarkdown(findings);
    return;
  }
  for (const std::string& line : input.statistics.headlines) std::cout << line << '\n';
  if (!input.statistics.headlines.empty()) std::cout << '\n';
  std::cout << orchestrator::FindingsText(findings);
}

// Prints what was written to stderr, and why the rest was not.
absl::Status WriteFigures(const ReportInput& input, const std::string& folder) {
  const absl::StatusOr<orchestrator::FigureFiles> files =
      orchestrator::WriteFigureFiles(input, folder);
  if (!files.ok()) {
    return absl::Status(files.status().code(),
                        absl::StrCat("--figures: ", files.status().message()));
  }
  for (const auto& [id, why] : files->left_out) {
    std::cerr << "no figure " << id << ": " << why << '\n';
  }
  std::cerr << files->written.size() << " figures, each a .vl.json and a .csv\n";
  return absl::OkStatus();
}

absl::Status Report(Options options) {
  KVSCOPE_ASSIGN_OR_RETURN(const std::string id, ResolveSweep(options.sweep, options.session));
  KVSCOPE_ASSIGN_OR_RETURN(auto session, Session::Open(options.session, 0));
  v1::GetSweepRequest request;
  request.set_sweep(id);
  v1::Sweep sweep;
  KVSCOPE_RETURN_IF_ERROR(rpc::CallPatiently([&] {
    rpc::UnaryContext context;
    return rpc::FromGrpc(session->stub().GetSweep(&context, request, &sweep));
  }));
  KVSCOPE_ASSIGN_OR_RETURN(const std::vector<v1::Cell> cells,
                           FetchCells(session->stub(), sweep.id()));
  KVSCOPE_ASSIGN_OR_RETURN(const ReportInput input, ReadReport(session->stub(), sweep, cells));
  const bool findings = options.findings || options.markdown;
  std::ostream& told = findings ? std::cerr : std::cout;  // where the paths go
  if (findings) PrintFindings(input, options.markdown);
  if (!options.figures.empty()) {
    KVSCOPE_RETURN_IF_ERROR(WriteFigures(input, options.figures));
    told << std::filesystem::absolute(options.figures).string() << '\n';
  }
  if (options.out.empty()) {
    if (findings || !options.figures.empty()) return absl::OkStatus();
    options.out = "report.html";
  }
  std::ofstream out(options.out, std::ios::binary);
  orchestrator::WriteReport(input, out);
  out.close();
  if (!out) return absl::ResourceExhaustedError(absl::StrCat("--out: cannot write ", options.out));
  told << std::filesystem::absolute(options.out).string() << '\n';
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<orchestrator::ReportInput> ReadReport(v1::OrchestratorService::Stub& stub,
                                                     const v1::Sweep& sweep,
                                                     const std::vector<v1::Cell>& cells) {
  ReportInput input;
  input.title = sweep.spec().name();
  AddProvenance(sweep, input);
  const ModelLabels models(ModelsOf(sweep));
  for (const v1::Cell& cell : cells) AddCell(cell, models, input);
  KVSCOPE_RETURN_IF_ERROR(ReadTagRows(stub, sweep, input));
  v1::StreamHeatmapsRequest request;
  request.set_sweep(sweep.id());
  KVSCOPE_RETURN_IF_ERROR(rpc::CallPatiently([&] {
    rpc::StreamContext context;
    const auto reader = stub.StreamHeatmaps(&context, request);
    v1::HeatmapRow row;
    while (reader->Read(&row)) input.survival_maps.push_back(SurvivalMap(row, models));
    return rpc::FromGrpc(reader->Finish());
  }));
  KVSCOPE_RETURN_IF_ERROR(AddStatistics(stub, sweep, input));
  input.statistics.headlines = orchestrator::Headlines(input);
  input.statistics.findings = orchestrator::JudgeFindings(input);
  return input;
}

void AddReport(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("report", "One HTML file that opens offline");
  command->footer(
      "Example:\n  kvscope report kvscope-out/pocket --out report.html\n"
      "  kvscope report kvscope-out/paper-small --findings\n"
      "  kvscope report kvscope-out/pocket --figures figures");
  AddSessionOptions(*command, options->session);
  command->add_option("SWEEP", options->sweep, "an id, a unique name, or run's directory")
      ->required();
  command->add_option("--out", options->out, "the file to write; default: report.html");
  command->add_option("--figures", options->figures,
                      "a folder: write each figure as a Vega-Lite specification and its rows as "
                      "CSV; without --out no page is written");
  command->add_flag(
      "--findings", options->findings,
      "print the headlines and whether the sweep confirms the paper's claims; without "
      "--out no page is written");
  command->add_flag("--markdown", options->markdown, "the findings as Markdown");
  command->callback([options, &action] { action = [options] { return Report(*options); }; });
}

}  // namespace kvscope::cli
