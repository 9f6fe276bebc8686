#include "services/orchestrator/service/orchestrator_service.h"

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "services/orchestrator/service/row_stream.h"
#include "services/orchestrator/service/sweep_calls.h"
#include "services/orchestrator/service/upload.h"
#include "services/orchestrator/service/watch.h"
#include "services/rpc/grpc_status.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

constexpr int64_t kAnswersABatch = 256;

// Runs `call` on `executor` and answers with its status; too many waiting calls are turned away.
grpc::ServerUnaryReactor* Unary(grpc::CallbackServerContext* context, Executor& executor,
                                std::function<absl::Status()> call) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const bool posted =
      executor.TryPost([reactor, call = std::move(call)] { reactor->Finish(rpc::ToGrpc(call())); });
  if (!posted) {
    reactor->Finish(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                                 "too many calls are waiting: try again later"));
  }
  return reactor;
}

// A sweep's rows and the passages they belong to; the last passage read is kept, for rows come
// passage by passage.
class RowReader {
 public:
  RowReader(Store& store, std::string sweep) : store_(store), sweep_(std::move(sweep)) {}

  absl::StatusOr<std::vector<v1::AnswerRow>> Answers() {
    KVSCOPE_RETURN_IF_ERROR(Find());
    KVSCOPE_ASSIGN_OR_RETURN(const std::vector<StoredAnswer> stored,
                             store_.ReadAnswers(record_->row, kAnswersABatch, answers_after_));
    std::vector<v1::AnswerRow> rows;
    for (const StoredAnswer& answer : stored) {
      KVSCOPE_RETURN_IF_ERROR(ReadPassageOf(answer.slice, answer.answer.place.passage));
      rows.push_back(ToProto(answer, record_->sweep_id, protos_, passage_));
    }
    return rows;
  }

  absl::StatusOr<std::vector<v1::HeatmapRow>> Heatmaps() {
    KVSCOPE_RETURN_IF_ERROR(Find());
    KVSCOPE_ASSIGN_OR_RETURN(std::optional<StoredHeatmap> stored,
                             store_.ReadHeatmap(record_->row, heatmaps_after_));
    std::vector<v1::HeatmapRow> rows;
    if (stored) {
      KVSCOPE_RETURN_IF_ERROR(ReadPassageOf(stored->slice, stored->heatmap.place.passage));
      rows.push_back(ToProto(*std::move(stored), protos_.spec, passage_));
    }
    return rows;
  }

 private:
  absl::Status Find() {
    if (record_) return absl::OkStatus();
    KVSCOPE_ASSIGN_OR_RETURN(SweepRecord record, store_.FindSweep(sweep_));
    KVSCOPE_ASSIGN_OR_RETURN(protos_, ReadProtos(record));
    record_ = std::move(record);
    return absl::OkStatus();
  }

  absl::Status ReadPassageOf(const SliceInfo& slice, int64_t within) {
    const int64_t position = slice.first_passage + within;
    if (dataset_ == slice.dataset && position_ == position) return absl::OkStatus();
    KVSCOPE_ASSIGN_OR_RETURN(const std::vector<StoredPassage> stored,
                             store_.ReadPassages(slice.dataset, position, 1, 1));
    if (stored.empty()) return absl::DataLossError("a passage of the sweep is missing");
    KVSCOPE_ASSIGN_OR_RETURN(passage_, ReadPassage(stored.front()));
    dataset_ = slice.dataset;
    position_ = position;
    return absl::OkStatus();
  }

  Store& store_;
  const std::string sweep_;
  std::optional<SweepRecord> record_;
  SweepProtos protos_;
  RowCursor answers_after_;
  HeatmapCursor heatmaps_after_;
  int64_t dataset_ = -1;
  int64_t position_ = -1;
  Passage passage_;
};

}  // namespace

grpc::ServerReadReactor<v1::UploadDatasetRequest>* OrchestratorService::UploadDataset(
    grpc::CallbackServerContext* context, v1::Dataset* response) {
  return StartUpload(desk_, context, response);
}

grpc::ServerUnaryReactor* OrchestratorService::CreateSweep(grpc::CallbackServerContext* context,
                                                           const v1::CreateSweepRequest* request,
                                                           v1::Sweep* response) {
  return Unary(context, desk_.writes(), [this, request, response] {
    return orchestrator::CreateSweep(desk_, *request, *response);
  });
}

grpc::ServerUnaryReactor* OrchestratorService::GetSweep(grpc::CallbackServerContext* context,
                                                        const v1::GetSweepRequest* request,
                                                        v1::Sweep* response) {
  return Unary(context, desk_.reads(), [this, request, response] {
    return orchestrator::GetSweep(desk_, *request, *response);
  });
}

grpc::ServerUnaryReactor* OrchestratorService::ListSweeps(grpc::CallbackServerContext* context,
                                                          const v1::ListSweepsRequest* request,
                                                          v1::ListSweepsResponse* response) {
  return Unary(context, desk_.reads(), [this, request, response] {
    return orchestrator::ListSweeps(desk_, *request, *response);
  });
}

grpc::ServerUnaryReactor* OrchestratorService::CancelSweep(grpc::CallbackServerContext* context,
                                                           const v1::CancelSweepRequest* request,
                                                           v1::Sweep* response) {
  return Unary(context, desk_.writes(), [this, request, response] {
    return orchestrator::CancelSweep(desk_, *request, *response);
  });
}

grpc::ServerUnaryReactor* OrchestratorService::ResumeSweep(grpc::CallbackServerContext* context,
                                                           const v1::ResumeSweepRequest* request,
                                                           v1::Sweep* response) {
  return Unary(context, desk_.writes(), [this, request, response] {
    return orchestrator::ResumeSweep(desk_, *request, *response);
  });
}

grpc::ServerUnaryReactor* OrchestratorService::DeleteSweep(grpc::CallbackServerContext* context,
                                                           const v1::DeleteSweepRequest* request,
                                                           v1::DeleteSweepResponse*) {
  return Unary(context, desk_.writes(),
               [this, request] { return orchestrator::DeleteSweep(desk_, *request); });
}

grpc::ServerWriteReactor<v1::Sweep>* OrchestratorService::WatchSweep(
    grpc::CallbackServerContext*, const v1::WatchSweepRequest* request) {
  return StartWatch(desk_, request->sweep());
}

grpc::ServerUnaryReactor* OrchestratorService::ListCells(grpc::CallbackServerContext* context,
                                                         const v1::ListCellsRequest* request,
                                                         v1::ListCellsResponse* response) {
  return Unary(context, desk_.reads(), [this, request, response] {
    return orchestrator::ListCells(desk_, *request, *response);
  });
}

grpc::ServerWriteReactor<v1::AnswerRow>* OrchestratorService::StreamAnswers(
    grpc::CallbackServerContext*, const v1::StreamAnswersRequest* request) {
  const auto reader = std::make_shared<RowReader>(desk_.store(), request->sweep());
  return RowStream<v1::AnswerRow>::Start(desk_.reads(), [reader] { return reader->Answers(); });
}

grpc::ServerWriteReactor<v1::HeatmapRow>* OrchestratorService::StreamHeatmaps(
    grpc::CallbackServerContext*, const v1::StreamHeatmapsRequest* request) {
  const auto reader = std::make_shared<RowReader>(desk_.store(), request->sweep());
  return RowStream<v1::HeatmapRow>::Start(desk_.reads(), [reader] { return reader->Heatmaps(); });
}

grpc::ServerUnaryReactor* OrchestratorService::ListUnits(grpc::CallbackServerContext* context,
                                                         const v1::ListUnitsRequest* request,
                                                         v1::ListUnitsResponse* response) {
  return Unary(context, desk_.reads(), [this, request, response] {
    return orchestrator::ListUnits(desk_, *request, *response);
  });
}

}  // namespace kvscope::orchestrator
