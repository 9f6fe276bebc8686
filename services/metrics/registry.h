// Every metric that answers, cells and groups of answers have.
#pragma once

#include <span>
#include <string_view>

#include "services/metrics/metric.h"

namespace kvscope::metrics {

// In the order in which they are printed; names are unique.
std::span<const MetricInfo> AllMetrics();

// Null if there is no such metric.
const MetricInfo* FindMetric(std::string_view name);

}  // namespace kvscope::metrics
