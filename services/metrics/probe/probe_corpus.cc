#include "services/metrics/probe/probe_corpus.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/status_macros.h"

namespace kvscope::metrics {
namespace {

std::string Describe(const FeatureShape& shape) {
  return absl::StrCat("width ", shape.width, ", layers ", absl::StrJoin(shape.layers, ","));
}

}  // namespace

absl::StatusOr<ProbeCorpus> ProbeCorpus::Make(
    std::vector<std::shared_ptr<const UnitFeatures>> units) {
  if (units.empty()) return absl::InvalidArgumentError("there is no unit to fit probes on");
  std::stable_sort(units.begin(), units.end(),
                   [](const auto& a, const auto& b) { return a->path() < b->path(); });
  const auto again = std::unique(units.begin(), units.end(), [](const auto& a, const auto& b) {
    return a->path() == b->path();
  });
  units.erase(again, units.end());
  for (const auto& unit : units) {
    if (unit->shape() == units[0]->shape()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "units do not fit together: ", units[0]->path().string(), " has ",
        Describe(units[0]->shape()), ", ", unit->path().string(), " ", Describe(unit->shape())));
  }
  ProbeCorpus corpus;
  corpus.units_ = std::move(units);
  return corpus;
}

std::vector<ProbeCell> ProbeCorpus::cells() const {
  std::vector<ProbeCell> cells;
  for (const auto& unit : units_) {
    cells.insert(cells.end(), unit->cells().begin(), unit->cells().end());
  }
  std::sort(cells.begin(), cells.end());
  cells.erase(std::unique(cells.begin(), cells.end()), cells.end());
  return cells;
}

// Some neighbouring layers of the cell's rows.
class CellProbe::Features final : public FeatureSource {
 public:
  Features(const CellProbe& cell, int first_layer, int layer_count)
      : cell_(cell), first_layer_(first_layer), layer_count_(layer_count) {}

  int64_t rows() const override { return static_cast<int64_t>(cell_.stored_.size()); }
  int64_t width() const override { return int64_t{cell_.units_[0]->shape().width} * layer_count_; }
  absl::Status Read(int64_t first, int64_t count, float* out) const override {
    for (int64_t i = first; i < first + count; ++i, out += width()) {
      const StoredRow& at = cell_.stored_[i];
      KVSCOPE_RETURN_IF_ERROR(cell_.units_[at.unit]->Read(at.row, first_layer_, layer_count_, out));
    }
    return absl::OkStatus();
  }

 private:
  const CellProbe& cell_;
  int first_layer_;
  int layer_count_;
};

absl::StatusOr<CellProbe> CellProbe::Make(const ProbeCorpus& corpus, ProbeCell cell,
                                          const ProbeOptions& options) {
  CellProbe probe;
  probe.options_ = options;
  probe.units_.assign(corpus.units().begin(), corpus.units().end());
  for (size_t u = 0; u < probe.units_.size(); ++u) {
    const UnitFeatures& unit = *probe.units_[u];
    const std::span<const FeatureIndex> rows = unit.rows();
    for (size_t row = 0; row < rows.size(); ++row) {
      if (unit.cells()[rows[row].cell] != cell) continue;
      probe.stored_.push_back({static_cast<uint32_t>(u), static_cast<uint32_t>(row)});
      probe.rows_.tags.push_back(unit.labels()[rows[row].label]);
      probe.rows_.passages.push_back(unit.passages()[rows[row].passage]);
    }
  }
  KVSCOPE_ASSIGN_OR_RETURN(probe.plan_, PlanProbe(probe.rows_, options));
  if (probe.stored_.empty()) probe.plan_.note = "no hidden state of this cell is stored";
  return probe;
}

absl::StatusOr<ProbeFit> CellProbe::Fit(int layer) const {
  const std::vector<int>& layers = units_[0]->shape().layers;
  if (layer == kAllLayers) {
    return FitProbe(Features(*this, 0, static_cast<int>(layers.size())), rows_, plan_, options_);
  }
  const auto found = std::find(layers.begin(), layers.end(), layer);
  if (found == layers.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("layer ", layer, " was not probed; layers: ", absl::StrJoin(layers, ", ")));
  }
  const auto position = static_cast<int>(found - layers.begin());
  return FitProbe(Features(*this, position, 1), rows_, plan_, options_);
}

}  // namespace kvscope::metrics
