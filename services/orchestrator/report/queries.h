// The named queries that the figures draw: each gives the rows of one `data.name` of a spec, one by
// one, for a document of them all would take gigabytes.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "services/orchestrator/report/cliff.h"
#include "services/orchestrator/report/report.h"

namespace kvscope::orchestrator {

using TakeRow = std::function<void(const nlohmann::json& row)>;

// "cells": the rows of the results table.
void CellsQuery(const std::vector<DegradationCurve>& curves, const TakeRow& take);

// "degradation": the rows with retained_f1 = F1 / uncompressed F1, and the ends of each curve's
// cliff. Curves without an uncompressed F1 above 0 are left out.
void DegradationQuery(const std::vector<DegradationCurve>& curves, const TakeRow& take);

// "consensus_by_layer": a row for each layer at the ratios nearest to 0.1, 0.5 and 0.9, each in a
// panel beside the uncompressed cache's where that was run.
void ConsensusByLayerQuery(const std::vector<DegradationCurve>& curves, const TakeRow& take);

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
void SurvivalRowsQuery(const SurvivalFigure& figure, const TakeRow& take);
void SurvivalColumnsQuery(const SurvivalFigure& figure, const TakeRow& take);

// Of `available`, those nearest to 0.1, 0.5 and 0.9 and at most 0.1 away; ascending, each once.
std::vector<double> PanelRatios(std::vector<double> available);

}  // namespace kvscope::orchestrator
