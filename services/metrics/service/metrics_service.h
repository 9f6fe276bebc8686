// MetricsService over gRPC: see metrics.proto, which is its contract.
#pragma once

#include <atomic>

#include "kvscope/v1/metrics.grpc.pb.h"

namespace kvscope::metrics {

// One thread a call: a unit is measured while it arrives, and a slow reader slows its own sender.
class MetricsService final : public v1::MetricsService::Service {
 public:
  grpc::Status MeasureUnit(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::PassageMetrics, v1::SurvivalRecord>* stream) override;

 private:
  std::atomic<int> units_running_ = 0;
};

}  // namespace kvscope::metrics
