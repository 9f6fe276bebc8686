// MeasureCall: one unit's call to the metrics service, records out and metrics in.
#pragma once

#include <grpcpp/client_context.h>

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kvscope/v1/metrics.grpc.pb.h"
#include "kvscope/v1/sweep.pb.h"
#include "services/inference/flow/record.h"
#include "services/inference/service/cancellation.h"
#include "services/rpc/call_policy.h"

namespace kvscope::inference {

// Errors of all methods: Unavailable (the service does not answer or is too busy: nothing is wrong
// with the unit), Cancelled, Internal (it refused our records: says why).
class MeasureCall {
 public:
  // Returns once the service has taken the call, so that no passage is computed in vain.
  // `cancellation` must outlive the call and has its interrupt taken.
  static absl::StatusOr<std::unique_ptr<MeasureCall>> Start(v1::MetricsService::Stub& stub,
                                                            const v1::UnitHeader& unit,
                                                            Cancellation& cancellation);
  ~MeasureCall();

  // One element for each of record.cells, answers in the order of their streams.
  absl::StatusOr<std::vector<v1::CellMetrics>> Measure(const PassageRecord& record,
                                                       const v1::Passage& passage,
                                                       int passage_index);

  // After the last passage.
  absl::Status Finish();

 private:
  explicit MeasureCall(Cancellation& cancellation) : cancellation_(cancellation) {}
  absl::Status Send(const v1::SurvivalRecord& record);
  absl::Status Broken();  // why the stream ended too early
  absl::Status End();     // how it ended

  Cancellation& cancellation_;
  rpc::StreamContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::SurvivalRecord, v1::PassageMetrics>> stream_;
  bool finished_ = false;
};

}  // namespace kvscope::inference
