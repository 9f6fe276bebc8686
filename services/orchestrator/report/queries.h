// The named queries that the figures draw: each gives the rows of one `data.name` of a spec, one by
// one, for a document of them all would take gigabytes.
//
// All rows of a query have the same fields.  An undefined number is null; a cell that is missing
// where other cells of the sweep are not is a row without numbers, so that lines have a gap there.
// Intervals are `<field>_lo` and `<field>_hi`, or `lo` and `hi`.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "services/orchestrator/report/cliff.h"
#include "services/orchestrator/report/report.h"

namespace kvscope::orchestrator {

using TakeRow = std::function<void(const nlohmann::json& row)>;

struct NamedQuery {
  std::string name;
  std::function<void(const TakeRow&)> run;
};

// Every query but those of the survival maps (survival_queries.h).  `input` and `curves`, which are
// Curves(input.rows), must outlive it.
std::vector<NamedQuery> Queries(const ReportInput& input,
                                const std::vector<DegradationCurve>& curves);

// "cells": the rows of the results table.
void CellsQuery(const std::vector<DegradationCurve>& curves, const TakeRow& take);

// "degradation": the rows with retained_f1 = F1 / uncompressed F1, and the ends of each curve's
// cliff. Curves without an uncompressed F1 above 0 are left out.
void DegradationQuery(const std::vector<DegradationCurve>& curves, const TakeRow& take);

// "direction", "hop", "answer_type", "question_type": the rows of that tag, without questions that
// have none, of the data sets in which it has two values or more.
void TagQuery(const std::vector<ReportTagRow>& rows, const std::string& tag, const TakeRow& take);

// Finds a cell by what names it.
class CellIndex {
 public:
  explicit CellIndex(const std::vector<DegradationCurve>& curves);
  // Null where there is none.
  const ReportRow* Find(const std::string& dataset, const std::string& regime,
                        const std::string& press, double ratio) const;

 private:
  const std::vector<DegradationCurve>& curves_;  // as Curves() orders them
};

// "10 % removed".
std::string PanelName(double ratio);

// Of `available`, those nearest to 0.1, 0.5 and 0.9 and at most 0.1 away; ascending, each once.
std::vector<double> PanelRatios(std::vector<double> available);

// What stands for the press in panels that show the uncompressed cache beside the presses.
inline constexpr char kUncompressedPress[] = "uncompressed";

}  // namespace kvscope::orchestrator
