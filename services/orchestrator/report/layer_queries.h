// What the figures by layer draw.  A row holds a cell's layers as lists [layers], which the specs
// flatten: in long form the pages of large models would be many times as big.
#pragma once

#include <vector>

#include "services/orchestrator/report/queries.h"

namespace kvscope::orchestrator {

// "layers": consensus, agreement, GER and eviction rate of each layer, a row a cell; at most
// kMaxLayerRatios ratios.
inline constexpr size_t kMaxLayerRatios = 12;
void LayersQuery(const std::vector<DegradationCurve>& curves,
                 const std::vector<ReportDepthShape>& shapes, const TakeRow& take);

// "consensus_by_layer": consensus and agreement at the ratios nearest to 0.1, 0.5 and 0.9, each in
// a panel beside the uncompressed cache's where that was run.
void ConsensusByLayerQuery(const std::vector<DegradationCurve>& curves, const TakeRow& take);

}  // namespace kvscope::orchestrator
