// MetricsService over gRPC: see metrics.proto, which is its contract.
#pragma once

#include <atomic>
#include <optional>
#include <utility>

#include "kvscope/v1/metrics.grpc.pb.h"
#include "services/metrics/probe/feature_store.h"
#include "services/metrics/service/service_metrics.h"

namespace kvscope::metrics {

// One thread a call: a unit is measured while it arrives, and a slow reader slows its own sender.
class MetricsService final : public v1::MetricsService::Service {
 public:
  // `features`: where hidden states are kept for probes; none: units that bring some are refused.
  explicit MetricsService(std::optional<FeatureStore> features = std::nullopt)
      : features_(std::move(features)) {}

  grpc::Status MeasureUnit(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::PassageMetrics, v1::SurvivalRecord>* stream) override;

  grpc::Status FitProbes(grpc::ServerContext* context, const v1::FitProbesRequest* request,
                         grpc::ServerWriter<v1::ProbeFit>* writer) override;

  grpc::Status ForgetUnits(grpc::ServerContext* context, const v1::ForgetUnitsRequest* request,
                           v1::ForgetUnitsResponse* response) override;

 private:
  const ServiceMetrics& counts_ = ServiceMetrics::Get();
  const std::optional<FeatureStore> features_;
  std::atomic<int> units_running_ = 0;
  std::atomic<int> fits_running_ = 0;
};

}  // namespace kvscope::metrics
