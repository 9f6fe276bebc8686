// The named queries that the figures draw: each returns the rows of one `data.name` of a spec.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "services/orchestrator/report/cliff.h"
#include "services/orchestrator/report/report.h"

namespace kvscope::orchestrator {

// "cells": the rows of the results table.
nlohmann::json CellsQuery(const std::vector<DegradationCurve>& curves);

// "degradation": the rows with retained_f1 = F1 / uncompressed F1, and the ends of each curve's
// cliff. Curves without an uncompressed F1 above 0 are left out.
nlohmann::json DegradationQuery(const std::vector<DegradationCurve>& curves);

// "consensus_by_layer": the rows at the ratios nearest to 0.1, 0.5 and 0.9, each in a panel beside
// the uncompressed cache's where that was run.
nlohmann::json ConsensusByLayerQuery(const std::vector<ReportConsensusRow>& rows);

// The survival maps of one passage in one regime: what one heat map figure draws.
struct SurvivalFigure {
  std::string dataset;
  std::string passage_id;
  std::string regime;
  std::vector<const ReportSurvivalMap*> maps;  // by press, then ratio; equal tokens and shape
};

// Maps whose bits match their shape, at the ratios nearest to 0.1, 0.5 and 0.9, by passage.
std::vector<SurvivalFigure> SurvivalFigures(const std::vector<ReportSurvivalMap>& maps);

// "survival_rows": a row for each (press, ratio, layer, KV head) with the share kept of each
// column. "survival_columns": each column's tokens, their text and whether they belong to the gold
// answer. Columns are tokens, or bins of neighbours where there are more than 160 tokens; where
// there are more than 64 (layer, head) rows, a row is the mean over a layer's heads.
nlohmann::json SurvivalRowsQuery(const SurvivalFigure& figure);
nlohmann::json SurvivalColumnsQuery(const SurvivalFigure& figure);

// Of `available`, those nearest to 0.1, 0.5 and 0.9 and at most 0.1 away; ascending, each once.
std::vector<double> PanelRatios(std::vector<double> available);

}  // namespace kvscope::orchestrator
