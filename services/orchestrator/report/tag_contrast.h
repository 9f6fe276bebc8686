// How fragile a tag's answers are beside all answers of the same cells.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "services/orchestrator/report/bounds.h"
#include "services/orchestrator/report/sweep_model.h"

namespace kvscope::orchestrator {

// Means over the series (data set, regime, press) in which both can be told, as MeanRetained.
struct TagContrast {
  std::string tag = {};
  std::string value = {};
  Bounds retained = {};    // of the answers with that value
  Bounds all = {};         // of all answers of the same cells
  Bounds difference = {};  // retained - all; below 0: fragile
  size_t datasets = 0;
};

// By value.  Only series in which the tag has two values or more.  Series of one data set are taken
// to depend on each other, data sets not to.
std::vector<TagContrast> ContrastTag(std::span<const SweepModel> models, const std::string& tag,
                                     const std::function<bool(const SeriesKey&)>& chosen);

}  // namespace kvscope::orchestrator
