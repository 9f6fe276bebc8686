#include "services/client/cli/statistics.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/client/cli/answer_columns.h"
#include "services/client/cli/cells.h"
#include "services/client/cli/model_labels.h"
#include "services/client/cli/terminal.h"
#include "services/metrics/estimate/bootstrap_ratio.h"
#include "services/metrics/estimate/depth_profile.h"
#include "services/orchestrator/report/queries.h"
#include "services/rpc/call_policy.h"
#include "services/rpc/grpc_status.h"
#include "services/status_macros.h"

namespace kvscope::cli {
namespace {

using orchestrator::ReportInput;
using orchestrator::ReportInterval;
using orchestrator::ReportProbeRow;
using orchestrator::ReportRow;
using orchestrator::ReportTagRow;

std::optional<ReportInterval> MeanInterval(const AnswerColumns& columns,
                                           const std::vector<double>& values) {
  const auto estimate = metrics::MeanEstimate(columns.passages(), values);
  return estimate.ok() ? IntervalOf(*estimate) : std::nullopt;
}

const CellAnswers* FindCell(const SweepAnswers& answers, const std::string& dataset,
                            const std::string& regime, const std::string& press, double ratio) {
  const auto found = answers.cells.find({dataset, regime, press, ratio});
  return found == answers.cells.end() ? nullptr : &found->second;
}

void AddRowIntervals(const SweepAnswers& answers, ReportRow& row) {
  const CellAnswers* cell = FindCell(answers, row.dataset, row.regime, row.press, row.ratio);
  if (cell == nullptr) return;
  AnswerColumns columns;
  columns.passage_count = answers.parts.at(row.dataset).passages;
  columns.Add(*cell, row.ratio);
  row.f1_interval = MeanInterval(columns, columns.f1);
  row.hallucination_interval = MeanInterval(columns, columns.hallucinated);
  row.unknown_interval = MeanInterval(columns, columns.unknown);
  row.ger_interval = MeanInterval(columns, columns.ger);
}

void AddTagInterval(const SweepAnswers& answers, ReportTagRow& row) {
  const CellAnswers* cell = FindCell(answers, row.dataset, row.regime, row.press, row.ratio);
  const auto name = std::find(std::begin(kTagNames), std::end(kTagNames), row.tag);
  if (cell == nullptr || name == std::end(kTagNames)) return;
  const AnswerPart& part = answers.parts.at(row.dataset);
  CellAnswers tagged;
  for (const AnswerPoint& answer : cell->answers) {
    const auto& tags = part.tags[static_cast<size_t>(answer.question)];
    const auto value = static_cast<size_t>(tags[static_cast<size_t>(name - kTagNames)]);
    if (part.tag_values[value] == row.value) tagged.answers.push_back(answer);
  }
  AnswerColumns columns;
  columns.passage_count = part.passages;
  columns.Add(tagged, row.ratio);
  row.f1_interval = MeanInterval(columns, columns.f1);
}

std::optional<ReportInterval> IntervalOf(const v1::Interval& interval) {
  if (!interval.has_low() || !interval.has_high()) return std::nullopt;
  return ReportInterval(interval.low(), interval.high());
}

// One row for the macro-F1 and one a tag.
void AddProbe(const v1::ProbeRow& probe, const ModelLabels& models,
              std::vector<ReportProbeRow>& rows) {
  const v1::ProbeFit& fit = probe.fit();
  ReportProbeRow row = {.dataset = models.Part(probe.dataset(), probe.model()),
                        .regime = RegimeText(probe.regime()),
                        .press = probe.press(),
                        .ratio = probe.compression_ratio(),
                        .layer = fit.layer(),
                        .count = fit.validation_count(),
                        .note = fit.note()};
  if (fit.has_macro_f1()) {
    row.f1 = fit.macro_f1().value();
    row.interval = IntervalOf(fit.macro_f1());
  }
  rows.push_back(row);
  for (const v1::ProbeFit::Tag& tag : fit.tags()) {
    row.tag = tag.tag();
    row.count = tag.count();
    row.note = tag.note();
    row.f1 = tag.has_f1() ? std::optional(tag.f1().value()) : std::nullopt;
    row.interval = tag.has_f1() ? IntervalOf(tag.f1()) : std::nullopt;
    rows.push_back(row);
  }
}

// How many there will be: one a cell and probed layer, and one on all of them together.
int64_t ProbeCount(const v1::Sweep& sweep, int ratios) {
  const v1::SweepSpec& spec = sweep.spec();
  int64_t layers = spec.capture().probe_layers_size();
  if (layers == 0) layers = sweep.model().layers() + 1;
  const int64_t slices =
      int64_t{1 + spec.more_models_size()} * spec.datasets_size() * spec.regimes_size();
  return slices * spec.presses_size() * ratios * (layers > 1 ? layers + 1 : layers);
}

// At ratio 0 and those that the report's panels show: every fit takes its time.
absl::Status ReadProbes(v1::OrchestratorService::Stub& stub, const v1::Sweep& sweep,
                        std::vector<ReportProbeRow>& rows) {
  if (sweep.spec().capture().probe_pool().empty()) return absl::OkStatus();
  const auto& ratios = sweep.spec().ratios();
  std::vector<double> shown = orchestrator::PanelRatios({ratios.begin(), ratios.end()});
  if (std::count(ratios.begin(), ratios.end(), 0.0) > 0 &&
      std::count(shown.begin(), shown.end(), 0.0) == 0) {
    shown.push_back(0);
  }
  v1::StreamProbesRequest request;
  request.set_sweep(sweep.id());
  request.mutable_compression_ratios()->Assign(shown.begin(), shown.end());
  rpc::StreamContext context;
  const auto reader = stub.StreamProbes(&context, request);
  const ModelLabels models(ModelsOf(sweep));
  const int64_t total = ProbeCount(sweep, request.compression_ratios_size());
  ProgressBar bar(sweep.spec().name(), "probes");
  v1::ProbeRow row;
  for (int64_t done = 0; reader->Read(&row);) {
    AddProbe(row, models, rows);
    bar.Update(++done, std::max(done, total), "fitting probes");
  }
  bar.Finish();
  const grpc::Status status = reader->Finish();
  if (status.ok()) return absl::OkStatus();
  // A store that was moved without its hidden states still has a report.
  rows.push_back({.note = status.error_message()});
  return absl::OkStatus();
}

// What is kept of the cache at each ratio, as measured: provenance of everything below.
void AddKeptBytes(const SweepAnswers& answers, ReportInput& input) {
  std::string kept;
  for (const auto& [ratio, cache] : answers.cache) {
    const auto count = static_cast<double>(cache.answers);
    absl::StrAppend(&kept, kept.empty() ? "" : "; ", Decimal(ratio, 2), ": ",
                    Bytes(cache.kept / count), " of ", Bytes(cache.full / count));
  }
  if (!kept.empty()) input.provenance.emplace_back("kept of a context's cache, by ratio", kept);
}

}  // namespace

void AddIntervals(const SweepAnswers& answers, ReportInput& input) {
  ForEachInParallel(input.rows.size(), "cells",
                    [&](size_t i) { AddRowIntervals(answers, input.rows[i]); });
  ForEachInParallel(input.tag_rows.size(), "cells by tag",
                    [&](size_t i) { AddTagInterval(answers, input.tag_rows[i]); });
  input.statistics.interval_method =
      "95 % intervals by bootstrap over passages: answers about one passage count as one cluster";
}

void AddDepthShapes(ReportInput& input) {
  for (const ReportRow& row : input.rows) {
    if (row.consensus_layer.empty()) continue;
    const std::vector<std::optional<double>> layers(row.consensus_layer.begin(),
                                                    row.consensus_layer.end());
    const metrics::DepthProfile profile = metrics::ProfileDepth(layers);
    input.statistics.depth_shapes.push_back({.dataset = row.dataset,
                                             .regime = row.regime,
                                             .press = row.press,
                                             .ratio = row.ratio,
                                             .label = std::string(DepthShapeName(profile.shape)),
                                             .rule = profile.rule});
  }
}

absl::Status AddStatistics(v1::OrchestratorService::Stub& stub, const v1::Sweep& sweep,
                           ReportInput& input) {
  AddDepthShapes(input);
  if (input.rows.size() > kMostCellsWithStatistics) {
    input.statistics.interval_method =
        absl::StrCat("no intervals and tests: the grid has ", input.rows.size(),
                     " cells, they are calculated for up to ", kMostCellsWithStatistics);
    return absl::OkStatus();
  }
  KVSCOPE_ASSIGN_OR_RETURN(const SweepAnswers answers, ReadSweepAnswers(stub, sweep));
  AddKeptBytes(answers, input);
  AddIntervals(answers, input);
  AddCurves(answers, input.statistics);
  AddFailures(answers, input.statistics);
  const v1::Capture& capture = sweep.spec().capture();
  if (capture.graph_passages() > 0 && capture.graph_epsilon() == 0) {
    input.statistics.routes.push_back({.note = "capture.graph.epsilon is 0: every pair of tokens "
                                               "would be an edge and every answer reachable"});
  }
  AddComparisons(answers, input.statistics);
  return ReadProbes(stub, sweep, input.statistics.probes);
}

}  // namespace kvscope::cli
