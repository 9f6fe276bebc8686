// What the figures of the probes draw.
#pragma once

#include <vector>

#include "services/orchestrator/report/queries.h"

namespace kvscope::orchestrator {

// The layer that stands for a probe as a whole: -1, all of them together, or where no row is of
// that, the last one.
int WholeProbeLayer(const std::vector<ReportProbeRow>& rows);

// "probes": the macro-F1 (`probe`) of the whole probe beside the F1 of the cell's answers.
void ProbesQuery(const std::vector<ReportProbeRow>& rows,
                 const std::vector<DegradationCurve>& curves, const TakeRow& take);

// "probes_by_layer": the macro-F1 of each layer; at most kMaxLayerRatios ratios.
void ProbesByLayerQuery(const std::vector<ReportProbeRow>& rows, const TakeRow& take);

// "probes_radar": polygons of the whole probe's F1 over the answer types at the ratios nearest to
// 0.1, 0.5 and 0.9, beside the uncompressed cache's, and the net behind them.  `part` says what a
// row is of: "ring" and "spoke" (lines of the net, told apart by `line`), "tag" (a label), "press"
// (a corner).  x and y lie in the circle of radius 1 = F1 1, the first type at the top, clockwise.
// A polygon is closed by its first corner again, and broken where a type has no F1.
void ProbesRadarQuery(const std::vector<ReportProbeRow>& rows, const TakeRow& take);

}  // namespace kvscope::orchestrator
