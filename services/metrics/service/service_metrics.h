// What the metrics service tells Prometheus.
#pragma once

#include "services/rpc/instruments.h"

namespace kvscope::metrics {

struct ServiceMetrics {
  // Of the process; the first call puts everything on the page at 0.
  static const ServiceMetrics& Get();

  rpc::Gauge units_running;
  rpc::Counter units_measured, units_failed;
  rpc::Counter passages, answers, record_bytes, probes;
  rpc::Histogram passage_seconds;

 private:
  ServiceMetrics();
};

}  // namespace kvscope::metrics
