// Probes on stored units: one a cell and layer, and one on all layers of a cell together.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "services/metrics/probe/feature_file.h"
#include "services/metrics/probe/probe.h"

namespace kvscope::metrics {

// In a layer's place: the features of all layers, one after the other.
inline constexpr int kAllLayers = -1;

// Units of one model, data set and regime: their cells' indices mean the same.
class ProbeCorpus {
 public:
  // The order of the units does not matter; one that is given twice counts once.
  // Errors: InvalidArgument (no unit, or units of another width or other layers).
  static absl::StatusOr<ProbeCorpus> Make(std::vector<std::shared_ptr<const UnitFeatures>> units);

  const FeatureShape& shape() const { return units_[0]->shape(); }
  std::vector<ProbeCell> cells() const;  // that any unit has, sorted
  std::span<const std::shared_ptr<const UnitFeatures>> units() const { return units_; }

 private:
  std::vector<std::shared_ptr<const UnitFeatures>> units_;  // by path
};

// All rows of one cell. The split is that of every cell with the same questions.
class CellProbe {
 public:
  // Errors: InvalidArgument (options out of their range). A cell without a row has a note in place
  // of scores.
  static absl::StatusOr<CellProbe> Make(const ProbeCorpus& corpus, ProbeCell cell,
                                        const ProbeOptions& options);

  const ProbePlan& plan() const { return plan_; }
  // `layer`: one of the corpus's, or kAllLayers. Reads the features from the units' files, which
  // may be larger than the memory. Errors: InvalidArgument (a layer that was not probed),
  // Unavailable.
  absl::StatusOr<ProbeFit> Fit(int layer) const;

 private:
  struct StoredRow {
    uint32_t unit = 0;
    uint32_t row = 0;
  };
  class Features;

  CellProbe() = default;

  std::vector<std::shared_ptr<const UnitFeatures>> units_;
  std::vector<StoredRow> stored_;
  ProbeRows rows_;
  ProbeOptions options_;
  ProbePlan plan_;
};

}  // namespace kvscope::metrics
