// What the figures of the statistics draw: ReportStatistics' rows, joined with the cells' means.
#pragma once

#include <vector>

#include "services/orchestrator/report/queries.h"

namespace kvscope::orchestrator {

// "susceptibility", "change_points", "comparisons" and "routes": the rows as they are.
void SusceptibilityQuery(const std::vector<ReportSusceptibilityRow>& rows, const TakeRow& take);
void ChangePointsQuery(const std::vector<ReportChangePoint>& points, const TakeRow& take);
void ComparisonsQuery(const std::vector<ReportComparison>& comparisons, const TakeRow& take);
void RoutesQuery(const std::vector<ReportRouteRow>& rows, const TakeRow& take);

// "decomposition": the rows with `erasure` and `rigidity`, the failures of each kind as shares of
// the answers, the cell's consensus_mean, and `rigidity_at_consensus`: the rigidity_share where
// that is known.
void DecompositionQuery(const std::vector<ReportDecompositionRow>& rows,
                        const std::vector<DegradationCurve>& curves, const TakeRow& take);

// "rigidity": the rows as they are, with `consensus`, the middle of a part's range.
void RigidityQuery(const std::vector<ReportRigidityRow>& rows, const TakeRow& take);

}  // namespace kvscope::orchestrator
