// A made-up sweep that looks like a real one: two data sets' worth of rows, layers and keep sets.
#pragma once

#include "services/orchestrator/report/report.h"

namespace kvscope::orchestrator {

struct ExampleSize {
  int datasets = 1;
  int layers = 4;
  int kv_heads = 2;
  int tokens = 60;
};

ReportInput ExampleInput(const ExampleSize& size = {});

std::string RenderReport(const ReportInput& input);

}  // namespace kvscope::orchestrator
