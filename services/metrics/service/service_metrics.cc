#include "services/metrics/service/service_metrics.h"

namespace kvscope::metrics {
namespace {

rpc::Counter Units(const char* outcome) {
  return rpc::Counter({"kvscope_metrics_units_total",
                       "Units by how their call ended: measured; failed, or given up by its "
                       "worker."},
                      {{"outcome", outcome}});
}

}  // namespace

const ServiceMetrics& ServiceMetrics::Get() {
  static const auto* metrics = new ServiceMetrics();
  return *metrics;
}

ServiceMetrics::ServiceMetrics()
    : units_running({"kvscope_metrics_units_running", "Units that are being measured."}),
      units_measured(Units("measured")),
      units_failed(Units("failed")),
      passages({"kvscope_metrics_passages_total", "Passages measured."}),
      answers({"kvscope_metrics_answers_total", "Answers measured."}),
      record_bytes({"kvscope_metrics_record_bytes_total", "Survival records received."}),
      probes({"kvscope_metrics_probes_total", "Probes fitted."}),
      passage_seconds({"kvscope_metrics_passage_seconds",
                       "Time spent on a passage's survival records, from the first to its metrics; "
                       "without waiting for them."},
                      rpc::WorkBounds()) {}

}  // namespace kvscope::metrics
