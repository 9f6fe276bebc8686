// A made-up sweep that looks like a real one: rows, layers, keep sets and, where asked for, all
// that the statistics can add.
#pragma once

#include "services/orchestrator/report/report.h"

namespace kvscope::orchestrator {

struct ExampleSize {
  int datasets = 1;
  int layers = 4;
  int kv_heads = 2;
  int tokens = 60;
  int models = 1;           // of several, a data set's name tells the model
  bool statistics = false;  // intervals, tags, layers of all kinds, ReportStatistics
};

ReportInput ExampleInput(const ExampleSize& size = {});

std::string RenderReport(const ReportInput& input);

}  // namespace kvscope::orchestrator
