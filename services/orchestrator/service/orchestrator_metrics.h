// What the orchestrator tells Prometheus of its queue, its workers and its store. (Of its sweeps:
// sweep_gauges.h.)
#pragma once

#include "services/rpc/instruments.h"

namespace kvscope::orchestrator {

struct OrchestratorMetrics {
  // Of the process; the first call puts everything on the page at 0.
  static const OrchestratorMetrics& Get();

  rpc::Gauge workers, leases, queue_units, queue_oldest_seconds;
  rpc::Counter leases_given, retries, duplicates_refused;
  struct {  // leases, by how they ended
    rpc::Counter recorded, failed, returned, cancelled, expired, lost, unwritten;
  } ended;
  rpc::Histogram commit_seconds;
  rpc::Counter commits_failed;
  rpc::Gauge database_bytes, log_bytes;

 private:
  OrchestratorMetrics();
};

}  // namespace kvscope::orchestrator
