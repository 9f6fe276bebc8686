#include "services/inference/service/measure_call.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inference/service/conversions.h"
#include "services/rpc/grpc_status.h"
#include "services/status_macros.h"

namespace kvscope::inference {

absl::StatusOr<std::unique_ptr<MeasureCall>> MeasureCall::Start(v1::MetricsService::Stub& stub,
                                                                const v1::UnitHeader& unit,
                                                                Cancellation& cancellation) {
  std::unique_ptr<MeasureCall> call(new MeasureCall(cancellation));
  call->stream_ = stub.MeasureUnit(&call->context_);
  cancellation.SetInterrupt([context = &call->context_] { context->TryCancel(); });
  call->stream_->WaitForInitialMetadata();
  v1::SurvivalRecord header;
  *header.mutable_unit() = unit;
  KVSCOPE_RETURN_IF_ERROR(call->Send(header));
  return call;
}

MeasureCall::~MeasureCall() {
  cancellation_.SetInterrupt(nullptr);
  if (finished_) return;
  context_.TryCancel();
  stream_->Finish();
}

absl::Status MeasureCall::Send(const v1::SurvivalRecord& record) {
  return stream_->Write(record) ? absl::OkStatus() : Broken();
}

absl::Status MeasureCall::Broken() {
  const absl::Status status = End();
  return status.ok() ? absl::InternalError("the metrics service ended the call early") : status;
}

absl::Status MeasureCall::End() {
  finished_ = true;
  absl::Status status = rpc::FromGrpc(stream_->Finish());
  if (status.ok()) return status;
  if (cancellation_.cancelled()) return absl::CancelledError("cancelled");
  const std::string text = absl::StrCat("the metrics service: ", status.message());
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:  // it keeps no hidden states
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnimplemented:
      return absl::InternalError(text);
    default:  // it is down, draining, busy or cut off
      return absl::UnavailableError(text);
  }
}

absl::StatusOr<std::vector<v1::CellMetrics>> MeasureCall::Measure(const PassageRecord& record,
                                                                  const v1::Passage& passage,
                                                                  int passage_index) {
  KVSCOPE_RETURN_IF_ERROR(SendPassage(record, passage, passage_index,
                                      [this](const auto& message) { return Send(message); }));
  std::vector<v1::CellMetrics> cells;
  v1::PassageMetrics part;
  do {
    if (!stream_->Read(&part)) return Broken();
    for (v1::CellMetrics& cell : *part.mutable_cells()) {
      const bool goes_on = !cells.empty() && cells.back().press_index() == cell.press_index() &&
                           cells.back().ratio_index() == cell.ratio_index();
      if (goes_on) {
        cells.back().mutable_answers()->MergeFrom(cell.answers());
      } else {
        cells.push_back(std::move(cell));
      }
    }
  } while (!part.last_part());
  if (cells.size() != record.cells.size()) {
    return absl::InternalError(absl::StrCat("the metrics service: ", cells.size(),
                                            " cells came back, but ", record.cells.size(),
                                            " were sent"));
  }
  for (size_t i = 0; i < cells.size(); ++i) {
    const CellRecord& sent = record.cells[i];
    if (cells[i].press_index() != sent.press_index || cells[i].ratio_index() != sent.ratio_index ||
        cells[i].answers_size() != static_cast<int>(sent.streams.size())) {
      return absl::InternalError(
          absl::StrCat("the metrics service: cell ", i, " came back as another one"));
    }
  }
  return cells;
}

absl::Status MeasureCall::Finish() {
  stream_->WritesDone();
  v1::PassageMetrics surplus;
  while (stream_->Read(&surplus)) {
  }
  cancellation_.SetInterrupt(nullptr);
  return End();
}

}  // namespace kvscope::inference
