#include "services/metrics/service/metrics_service.h"

#include <chrono>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "services/metrics/service/fit_probes.h"
#include "services/metrics/service/service_metrics.h"
#include "services/metrics/service/unit_measure.h"
#include "services/rpc/grpc_status.h"
#include "services/rpc/telemetry.h"
#include "services/status_macros.h"

namespace kvscope::metrics {
namespace {

using Stream = grpc::ServerReaderWriter<v1::PassageMetrics, v1::SurvivalRecord>;

constexpr int kMaxFits = 4;    // callers at once; each may take a machine's cores
constexpr int kMaxUnits = 64;  // at once; each holds up to one passage
constexpr absl::Duration kRetryDelay = absl::Seconds(1);  // advice to those over the above
constexpr size_t kMaxKeyLogged = 100;

absl::Status WritePassage(UnitMeasure& measure, Stream& stream) {
  int64_t answers = 0;
  for (const v1::PassageMetrics& part : measure.TakePassage()) {
    for (const v1::CellMetrics& cell : part.cells()) answers += cell.answers_size();
    if (!stream.Write(part)) return absl::CancelledError("the caller hung up");
  }
  ServiceMetrics::Get().passages.Add();
  ServiceMetrics::Get().answers.Add(static_cast<double>(answers));
  return absl::OkStatus();
}

// `unit_key`: as the caller names the unit, for the log.
absl::Status Measure(const FeatureStore* features, Stream& stream, std::string& unit_key) {
  stream.SendInitialMetadata();  // tells the caller that its unit is being taken
  UnitMeasure measure(features);
  v1::SurvivalRecord record;
  using Clock = std::chrono::steady_clock;
  Clock::duration busy{};
  while (stream.Read(&record)) {
    const Clock::time_point start = Clock::now();
    ServiceMetrics::Get().record_bytes.Add(static_cast<double>(record.ByteSizeLong()));
    if (record.has_unit()) unit_key = record.unit().unit_key().substr(0, kMaxKeyLogged);
    KVSCOPE_RETURN_IF_ERROR(measure.Take(record));
    const bool complete = measure.passage_complete();
    if (complete) KVSCOPE_RETURN_IF_ERROR(WritePassage(measure, stream));
    busy += Clock::now() - start;
    if (!complete) continue;
    ServiceMetrics::Get().passage_seconds.Observe(
        std::chrono::duration<double>(std::exchange(busy, {})).count());
  }
  return measure.Finish();
}

}  // namespace

grpc::Status MetricsService::MeasureUnit(grpc::ServerContext*, Stream* stream) {
  absl::Status status;
  std::string unit_key;
  counts_.units_running.Add(1);
  if (units_running_.fetch_add(1) < kMaxUnits) {
    status = Measure(features_ ? &*features_ : nullptr, *stream, unit_key);
  } else {
    status = rpc::WithRetryDelay(
        absl::ResourceExhaustedError(
            absl::StrCat("the metrics service measures ", kMaxUnits, " units already; try again")),
        kRetryDelay);
  }
  units_running_.fetch_sub(1);
  counts_.units_running.Add(-1);
  (status.ok() ? counts_.units_measured : counts_.units_failed).Add();
  if (!status.ok()) {
    rpc::Log(absl::IsCancelled(status) ? rpc::LogLevel::kInfo : rpc::LogLevel::kWarning,
             "unit not measured", {{"unit", unit_key}, {"error", std::string(status.message())}});
  }
  return rpc::ToGrpc(status);
}

grpc::Status MetricsService::FitProbes(grpc::ServerContext* context,
                                       const v1::FitProbesRequest* request,
                                       grpc::ServerWriter<v1::ProbeFit>* writer) {
  const FitHooks hooks = {
      .emit =
          [writer](const v1::ProbeFit& fit) {
            ServiceMetrics::Get().probes.Add();
            return writer->Write(fit) ? absl::OkStatus()
                                      : absl::CancelledError("the caller hung up");
          },
      .cancelled = [context] { return context->IsCancelled(); },
  };
  absl::Status status;
  if (fits_running_.fetch_add(1) < kMaxFits) {
    status = metrics::FitProbes(features_ ? &*features_ : nullptr, *request, hooks);
  } else {
    status = rpc::WithRetryDelay(
        absl::ResourceExhaustedError(absl::StrCat("the metrics service fits probes for ", kMaxFits,
                                                  " callers already; try again")),
        kRetryDelay);
  }
  fits_running_.fetch_sub(1);
  return rpc::ToGrpc(status);
}

grpc::Status MetricsService::ForgetUnits(grpc::ServerContext* context,
                                         const v1::ForgetUnitsRequest* request,
                                         v1::ForgetUnitsResponse*) {
  if (!features_) return grpc::Status::OK;
  for (const std::string& key : request->unit_keys()) {
    if (context->IsCancelled()) return grpc::Status::CANCELLED;
    if (const absl::Status status = features_->Remove(key); !status.ok()) {
      return rpc::ToGrpc(status);
    }
  }
  return grpc::Status::OK;
}

}  // namespace kvscope::metrics
