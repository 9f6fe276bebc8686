#include "services/inference/service/evaluate_service.h"

#include <omp.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "services/rpc/caller.h"
#include "services/rpc/grpc_status.h"

namespace kvscope::inference {
namespace {

constexpr int kMaxCalls = 4;  // they take turns on the model, so more would only wait

}  // namespace

grpc::Status EvaluateService::Evaluate(grpc::ServerContext* context,
                                       const v1::EvaluateRequest* request,
                                       grpc::ServerWriter<v1::EvaluateResponse>* writer) {
  if (const absl::Status rate = rpc::CheckRate(*context); !rate.ok()) return rpc::ToGrpc(rate);
  absl::Status status;
  if (running_.fetch_add(1) < kMaxCalls) {
    if (threads_ > 0) omp_set_num_threads(threads_);
    Cancellation cancellation;
    const UnitHooks hooks = {
        .emit = [writer](v1::ResultChunk&& chunk) -> absl::Status {
          v1::EvaluateResponse response;
          *response.mutable_chunk() = std::move(chunk);
          if (writer->Write(response)) return absl::OkStatus();
          return absl::CancelledError("the caller hung up");
        },
        .cancelled = [context] { return context->IsCancelled(); },
    };
    status = runner_.Run(request->unit(), hooks, cancellation);
    if (absl::IsAborted(status) && device_failed_) device_failed_(status);
  } else {
    status =
        rpc::WithRetryDelay(absl::ResourceExhaustedError(absl::StrCat(
                                "this server evaluates ", kMaxCalls, " units already; try again")),
                            absl::Seconds(1));
  }
  running_.fetch_sub(1);
  return rpc::ToGrpc(status);
}

}  // namespace kvscope::inference
