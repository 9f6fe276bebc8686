#include "services/orchestrator/service/sweep_gauges.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/service/sweep_models.h"
#include "services/rpc/telemetry.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

constexpr absl::Duration kInterval = absl::Seconds(1);
constexpr int kDuty = 20;  // times as long as a refresh took until the next

constexpr SweepState kStates[] = {SweepState::kChecking, SweepState::kRunning,
                                  SweepState::kSucceeded, SweepState::kFailed,
                                  SweepState::kCancelled};

std::string StateName(SweepState state) {
  switch (state) {
    case SweepState::kChecking:
      return "checking";
    case SweepState::kRunning:
      return "running";
    case SweepState::kSucceeded:
      return "succeeded";
    case SweepState::kFailed:
      return "failed";
    case SweepState::kCancelled:
      return "cancelled";
  }
  return "unknown";  // of a damaged store
}

// As ListCells has it.
std::string CellState(const SliceCounts& counts, bool ended) {
  if (counts.pending + counts.leased == 0) return counts.failed > 0 ? "failed" : "succeeded";
  const bool begun = counts.leased + counts.done + counts.failed > 0;
  return begun && !ended ? "running" : "pending";
}

bool Finished(const SliceCounts& counts) { return counts.pending + counts.leased == 0; }

bool Moved(const SweepRecord& a, const SweepRecord& b) {
  return a.state != b.state || a.units_total != b.units_total || a.units_done != b.units_done ||
         a.units_running != b.units_running || a.units_failed != b.units_failed;
}

bool SameSlice(const GridSlice& a, const GridSlice& b) {
  return a.model_ordinal == b.model_ordinal && a.dataset_ordinal == b.dataset_ordinal &&
         a.regime == b.regime;
}

void LogState(const SweepRecord& sweep) {
  rpc::Log(sweep.state == SweepState::kFailed ? rpc::LogLevel::kWarning : rpc::LogLevel::kInfo,
           absl::StrCat("sweep ", StateName(sweep.state)),
           {{"sweep", sweep.sweep_id},
            {"name", sweep.name},
            {"units", absl::StrCat(sweep.units_total)},
            {"error", sweep.error}});
}

constexpr char kOfPoint[] = ", by press and ratio, in the slice of kvscope_sweep_slice_info.";

rpc::GaugeTable PointTable(const char* name, const char* what) {
  return rpc::GaugeTable({name, absl::StrCat(what, kOfPoint)});
}

}  // namespace

SweepGauges::SweepGauges(Store& store, const Clock& clock)
    : store_(store),
      clock_(clock),
      sweeps_by_state_({"kvscope_orchestrator_sweeps", "Sweeps in the store, by state."}),
      units_by_state_({"kvscope_orchestrator_units",
                       "Units by state, once for each sweep that has them: pending and running of "
                       "sweeps that run, done and failed (set aside) of all."}),
      info_({"kvscope_sweep_info", "1 for each of the most recent sweeps."}),
      units_({"kvscope_sweep_units", "Units of a sweep by state; failed ones were set aside."}),
      cells_({"kvscope_sweep_cells", "Cells of a sweep's grid by state."}),
      streams_({"kvscope_sweep_streams",
                "Answers (press x ratio x question) of a sweep: done, and still open."}),
      slice_info_(
          {"kvscope_sweep_slice_info",
           "1, labelled with the slice (model, data set, regime) that the sweep's gauges by press "
           "and ratio are of: the last one that is finished; before one is, the first that has "
           "answers."}),
      ratio_(PointTable("kvscope_sweep_compression_ratio",
                        "The label `ratio` as a number, the fraction of KV pairs removed")),
      ger_(PointTable("kvscope_sweep_ger_ratio", "Mean global eviction ratio")),
      hallucination_(
          PointTable("kvscope_sweep_hallucination_ratio", "Share of answers that hallucinate")),
      f1_(PointTable("kvscope_sweep_f1_ratio", "Mean token F1 of the answers")),
      kept_(PointTable("kvscope_sweep_kept_ratio", "Mean share of KV pairs kept, as measured")) {}

absl::Status SweepGauges::Refresh() {
  const absl::Duration start = clock_.Uptime();
  if (start < next_) return absl::OkStatus();
  KVSCOPE_RETURN_IF_ERROR(PublishTotals());
  KVSCOPE_ASSIGN_OR_RETURN(std::vector<SweepRecord> records, store_.ListSweeps(0, kSweeps));
  std::set<std::string> listed;
  for (SweepRecord& record : records) {
    listed.insert(record.sweep_id);
    const auto [entry, added] = sweeps_.try_emplace(record.sweep_id);
    Seen& seen = entry->second;
    const bool entered = added || seen.record.state != record.state;
    if (entered && !first_) LogState(record);  // at a start: what was told before
    if (!added && !Moved(seen.record, record)) continue;
    if (absl::Status status = Read(std::move(record), seen); !status.ok()) {
      sweeps_.erase(entry);  // to be read anew
      return status;
    }
  }
  std::erase_if(sweeps_, [&](const auto& sweep) { return !listed.contains(sweep.first); });
  first_ = false;
  Publish();
  const absl::Duration end = clock_.Uptime();
  next_ = end + std::max(kInterval, kDuty * (end - start));
  return absl::OkStatus();
}

absl::Status SweepGauges::PublishTotals() {
  KVSCOPE_ASSIGN_OR_RETURN(const StoreTotals totals, store_.CountAll());
  rpc::GaugeTable::Rows sweeps, units;
  for (const SweepState state : kStates) {
    const auto found = totals.sweeps.find(state);
    const int64_t count = found == totals.sweeps.end() ? 0 : found->second;
    sweeps.push_back({{{"state", StateName(state)}}, static_cast<double>(count)});
  }
  for (const auto& [state, count] :
       {std::pair("pending", totals.units_pending), std::pair("running", totals.units_running),
        std::pair("done", totals.units_done), std::pair("failed", totals.units_failed)}) {
    units.push_back({{{"state", state}}, static_cast<double>(count)});
  }
  sweeps_by_state_.Replace(std::move(sweeps));
  units_by_state_.Replace(std::move(units));
  return absl::OkStatus();
}

absl::Status SweepGauges::Read(SweepRecord record, Seen& seen) {
  KVSCOPE_ASSIGN_OR_RETURN(const SweepProtos protos, ReadProtos(record));
  KVSCOPE_ASSIGN_OR_RETURN(const std::vector<SliceProgress> slices, store_.CountSlices(record.row));
  const v1::SweepSpec& spec = protos.spec;
  const int64_t points = int64_t{spec.presses_size()} * spec.ratios_size();
  const int64_t slice_count =
      int64_t{ModelCount(spec)} * spec.datasets_size() * spec.regimes_size();
  seen.cells = {{"pending", 0}, {"running", 0}, {"succeeded", 0}, {"failed", 0}};
  seen.cells["pending"] = points * (slice_count - static_cast<int64_t>(slices.size()));
  const SliceProgress* shown = nullptr;
  for (const SliceProgress& slice : slices) {
    seen.cells[CellState(slice.counts, Ended(record.state))] += points;
    if (slice.counts.done == 0) continue;
    if (shown == nullptr || Finished(slice.counts)) shown = &slice;
  }
  seen.record = std::move(record);
  seen.model = ModelName(protos, 0);
  return shown == nullptr ? absl::OkStatus() : ReadPoints(protos, *shown, seen);
}

absl::Status SweepGauges::ReadPoints(const SweepProtos& protos, const SliceProgress& slice,
                                     Seen& seen) {
  if (SameSlice(slice.slice, seen.slice) && slice.counts.done == seen.slice_units_done) {
    return absl::OkStatus();
  }
  KVSCOPE_ASSIGN_OR_RETURN(std::vector<CellSummary> summaries,
                           store_.SummarizeCells(seen.record.row, slice.slice));
  const v1::SweepSpec& spec = protos.spec;
  seen.slice = slice.slice;
  seen.slice_units_done = slice.counts.done;
  seen.slice_model = ModelName(protos, slice.slice.model_ordinal);
  const int dataset = slice.slice.dataset_ordinal;
  seen.slice_dataset = dataset < spec.datasets_size() ? spec.datasets(dataset).name() : "";
  seen.points.clear();
  for (CellSummary& summary : summaries) {
    if (summary.press >= spec.presses_size() || summary.ratio >= spec.ratios_size()) continue;
    if (seen.points.size() == kPoints) break;
    const double ratio = spec.ratios(summary.ratio);
    seen.points.push_back(
        {spec.presses(summary.press), absl::StrCat(ratio), ratio, std::move(summary)});
  }
  return absl::OkStatus();
}

void SweepGauges::Publish() {
  using Rows = rpc::GaugeTable::Rows;
  Rows info, units, cells, streams, slices, ratio, ger, hallucination, f1, kept;
  for (const auto& sweep : sweeps_) {
    const std::string& id = sweep.first;
    const Seen& seen = sweep.second;
    const auto add = [&id](Rows& rows, const char* state, int64_t count) {
      rows.push_back({{{"sweep", id}, {"state", state}}, static_cast<double>(count)});
    };
    const SweepRecord& record = seen.record;
    info.push_back({{{"sweep", id},
                     {"name", record.name},
                     {"model", seen.model},
                     {"state", StateName(record.state)}},
                    1});
    const int64_t begun = record.units_done + record.units_running + record.units_failed;
    add(units, "pending", std::max<int64_t>(0, record.units_total - begun));
    add(units, "running", record.units_running);
    add(units, "done", record.units_done);
    add(units, "failed", record.units_failed);
    for (const auto& [state, count] : seen.cells) add(cells, state.c_str(), count);
    add(streams, "done", record.streams_done);
    add(streams, "open", std::max<int64_t>(0, record.streams_total - record.streams_done));
    if (seen.points.empty()) continue;
    slices.push_back({{{"sweep", id},
                       {"model", seen.slice_model},
                       {"dataset", seen.slice_dataset},
                       {"regime", seen.slice.regime}},
                      1});
    for (const Point& point : seen.points) {
      const rpc::MetricLabels labels = {
          {"sweep", id}, {"press", point.press}, {"ratio", point.ratio}};
      const auto mean = [&labels](Rows& rows, const std::optional<double>& value) {
        if (value.has_value()) rows.push_back({labels, *value});
      };
      ratio.push_back({labels, point.compression_ratio});
      mean(ger, point.summary.ger);
      mean(hallucination, point.summary.hallucination_rate);
      mean(f1, point.summary.f1);
      mean(kept, point.summary.kept_ratio);
    }
  }
  info_.Replace(std::move(info));
  units_.Replace(std::move(units));
  cells_.Replace(std::move(cells));
  streams_.Replace(std::move(streams));
  slice_info_.Replace(std::move(slices));
  ratio_.Replace(std::move(ratio));
  ger_.Replace(std::move(ger));
  hallucination_.Replace(std::move(hallucination));
  f1_.Replace(std::move(f1));
  kept_.Replace(std::move(kept));
}

}  // namespace kvscope::orchestrator
