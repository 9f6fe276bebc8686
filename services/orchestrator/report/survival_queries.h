// What the survival maps draw.
#pragma once

#include <string>
#include <vector>

#include "services/orchestrator/report/queries.h"

namespace kvscope::orchestrator {

// The survival maps of one passage in one regime: what one heat map figure draws.
struct SurvivalFigure {
  std::string dataset;
  std::string passage_id;
  std::string regime;
  std::vector<const ReportSurvivalMap*> maps;  // by press, then ratio; equal tokens and shape
};

// Maps whose bits match their shape, at the ratios nearest to 0.1, 0.5 and 0.9, by passage.
std::vector<SurvivalFigure> SurvivalFigures(const std::vector<ReportSurvivalMap>& maps);

// "Survival map: knowledge \u00B7 agnostic \u00B7 passage p0".
std::string SurvivalTitle(const SurvivalFigure& figure);

// "survival_rows": a row for each (press, ratio, layer, KV head) with the share kept of each
// column. "survival_columns": each column's tokens, their text and whether they belong to the gold
// answer. Their lists of columns are flattened by the spec. Columns are tokens, or bins of
// neighbours where there are more than 160 tokens; where there are more than 64 (layer, head) rows,
// a row is the mean over a layer's heads.
void SurvivalRowsQuery(const SurvivalFigure& figure, const TakeRow& take);
void SurvivalColumnsQuery(const SurvivalFigure& figure, const TakeRow& take);

}  // namespace kvscope::orchestrator
