#include "services/orchestrator/service/orchestrator_metrics.h"

namespace kvscope::orchestrator {
namespace {

rpc::Counter Ended(const char* outcome) {
  return rpc::Counter({"kvscope_orchestrator_leases_ended_total",
                       "Leases by how they ended: recorded; failed (the worker said so, or its "
                       "result did not cover the unit); returned or cancelled, which cost no "
                       "attempt; expired (no heartbeat); lost (the worker hung up); unwritten (the "
                       "store could not be written)."},
                      {{"outcome", outcome}});
}

}  // namespace

const OrchestratorMetrics& OrchestratorMetrics::Get() {
  static const auto* metrics = new OrchestratorMetrics();
  return *metrics;
}

OrchestratorMetrics::OrchestratorMetrics()
    : workers({"kvscope_orchestrator_workers", "Workers that are connected."}),
      leases({"kvscope_orchestrator_leases", "Units that workers compute at this moment."}),
      queue_units({"kvscope_orchestrator_queue_units", "Units that wait for a worker."}),
      queue_oldest_seconds(
          {"kvscope_orchestrator_queue_oldest_seconds",
           "Age of the oldest sweep that has units waiting for a worker; 0: none waits."}),
      leases_given({"kvscope_orchestrator_leases_given_total", "Units leased to a worker."}),
      retries({"kvscope_orchestrator_retries_total", "Leases of units that were tried before."}),
      duplicates_refused({"kvscope_orchestrator_duplicates_refused_total",
                          "Results that changed nothing: their lease was not held any more."}),
      ended{.recorded = Ended("recorded"),
            .failed = Ended("failed"),
            .returned = Ended("returned"),
            .cancelled = Ended("cancelled"),
            .expired = Ended("expired"),
            .lost = Ended("lost"),
            .unwritten = Ended("unwritten")},
      commit_seconds({"kvscope_store_commit_seconds",
                      "Time of a write transaction of SQLite, until it is on disk."},
                     rpc::LatencyBounds()),
      commits_failed({"kvscope_store_commits_failed_total",
                      "Write transactions that were rolled back because the store could not be "
                      "written (disk full, read-only, damaged)."}),
      database_bytes({"kvscope_store_database_bytes", "Size of the store's SQLite file."}),
      log_bytes({"kvscope_store_wal_bytes", "Size of the store's write-ahead log on disk."}) {}

}  // namespace kvscope::orchestrator
