#include "services/orchestrator/service/orchestrator_service.h"

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "services/orchestrator/service/catalog.h"
#include "services/orchestrator/service/probe_reader.h"
#include "services/orchestrator/service/row_stream.h"
#include "services/orchestrator/service/sweep_calls.h"
#include "services/orchestrator/service/upload.h"
#include "services/orchestrator/service/watch.h"
#include "services/rpc/caller.h"
#include "services/rpc/grpc_status.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

constexpr int64_t kAnswersABatch = 256;
constexpr size_t kMessageBytes = 256 << 10;  // a message of answers ends with the row that fills it

// Runs `call` on `executor` and answers with its status; too many waiting calls are turned away.
grpc::ServerUnaryReactor* Unary(grpc::CallbackServerContext* context, Executor& executor,
                                std::function<absl::Status()> call) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (const absl::Status rate = rpc::CheckRate(*context); !rate.ok()) {
    reactor->Finish(rpc::ToGrpc(rate));
    return reactor;
  }
  const bool posted =
      executor.TryPost([reactor, call = std::move(call)] { reactor->Finish(rpc::ToGrpc(call())); });
  if (!posted) {
    reactor->Finish(rpc::ToGrpc(rpc::WithRetryDelay(
        absl::ResourceExhaustedError("too many calls are waiting: try again later"),
        absl::Seconds(1))));
  }
  return reactor;
}

// A stream that is over before it begins.
template <typename Reactor>
class Refused final : public Reactor {
 public:
  explicit Refused(const absl::Status& status) { this->Finish(rpc::ToGrpc(status)); }
  void OnDone() override { delete this; }
};

// A sweep's rows and the passages they belong to; the last passage read is kept, for rows come
// passage by passage.
class RowReader {
 public:
  RowReader(Store& store, std::string sweep) : store_(store), sweep_(std::move(sweep)) {}

  // The next rows, in an empty message; false at the end.
  absl::StatusOr<bool> Answers(v1::AnswerRows& message) {
    KVSCOPE_RETURN_IF_ERROR(Find());
    for (size_t bytes = 0; bytes < kMessageBytes; ++next_answer_) {
      if (next_answer_ == answers_.size()) {
        KVSCOPE_ASSIGN_OR_RETURN(answers_,
                                 store_.ReadAnswers(record_->row, kAnswersABatch, answers_after_));
        next_answer_ = 0;
        if (answers_.empty()) break;
      }
      const StoredAnswer& answer = answers_[next_answer_];
      KVSCOPE_RETURN_IF_ERROR(ReadPassageOf(answer.slice, answer.answer.place.passage));
      v1::AnswerRow& row = *message.add_rows();
      Fill(answer, record_->sweep_id, protos_, passage_, row);
      bytes += row.ByteSizeLong();
    }
    return message.rows_size() > 0;
  }

  // As Answers, one row.
  absl::StatusOr<bool> Heatmap(v1::HeatmapRow& row) {
    KVSCOPE_RETURN_IF_ERROR(Find());
    KVSCOPE_ASSIGN_OR_RETURN(std::optional<StoredHeatmap> stored,
                             store_.ReadHeatmap(record_->row, heatmaps_after_));
    if (!stored) return false;
    KVSCOPE_RETURN_IF_ERROR(ReadPassageOf(stored->slice, stored->heatmap.place.passage));
    row = ToProto(*std::move(stored), protos_, passage_.passage_id());
    return true;
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
    KVSCOPE_ASSIGN_OR_RETURN(const Passage passage, ReadPassage(stored.front()));
    passage_ = ToProto(passage);
    dataset_ = slice.dataset;
    position_ = position;
    return absl::OkStatus();
  }

  Store& store_;
  const std::string sweep_;
  std::optional<SweepRecord> record_;
  SweepProtos protos_;
  RowCursor answers_after_;
  std::vector<StoredAnswer> answers_;  // read ahead: those from next_answer_ on are not sent
  size_t next_answer_ = 0;
  HeatmapCursor heatmaps_after_;
  int64_t dataset_ = -1;
  int64_t position_ = -1;
  v1::Passage passage_;
};

}  // namespace

grpc::ServerReadReactor<v1::UploadDatasetRequest>* OrchestratorService::UploadDataset(
    grpc::CallbackServerContext* context, v1::Dataset* response) {
  if (const absl::Status rate = rpc::CheckRate(*context); !rate.ok()) {
    return new Refused<grpc::ServerReadReactor<v1::UploadDatasetRequest>>(rate);
  }
  return StartUpload(desk_, context, response);
}

grpc::ServerUnaryReactor* OrchestratorService::CreateSweep(grpc::CallbackServerContext* context,
                                                           const v1::CreateSweepRequest* request,
                                                           v1::Sweep* response) {
  return Unary(context, desk_.writes(),
               [this, caller = rpc::CallerOf(*context), request, response] {
                 return orchestrator::CreateSweep(desk_, caller, *request, *response);
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
  return Unary(context, desk_.writes(),
               [this, caller = rpc::CallerOf(*context), request, response] {
                 return orchestrator::CancelSweep(desk_, caller, *request, *response);
               });
}

grpc::ServerUnaryReactor* OrchestratorService::ResumeSweep(grpc::CallbackServerContext* context,
                                                           const v1::ResumeSweepRequest* request,
                                                           v1::Sweep* response) {
  return Unary(context, desk_.writes(),
               [this, caller = rpc::CallerOf(*context), request, response] {
                 return orchestrator::ResumeSweep(desk_, caller, *request, *response);
               });
}

grpc::ServerUnaryReactor* OrchestratorService::DeleteSweep(grpc::CallbackServerContext* context,
                                                           const v1::DeleteSweepRequest* request,
                                                           v1::DeleteSweepResponse*) {
  return Unary(context, desk_.writes(), [this, caller = rpc::CallerOf(*context), request] {
    return orchestrator::DeleteSweep(desk_, caller, *request);
  });
}

grpc::ServerWriteReactor<v1::Sweep>* OrchestratorService::WatchSweep(
    grpc::CallbackServerContext* context, const v1::WatchSweepRequest* request) {
  if (const absl::Status rate = rpc::CheckRate(*context); !rate.ok()) {
    return new Refused<grpc::ServerWriteReactor<v1::Sweep>>(rate);
  }
  return StartWatch(desk_, request->sweep());
}

grpc::ServerUnaryReactor* OrchestratorService::ListCells(grpc::CallbackServerContext* context,
                                                         const v1::ListCellsRequest* request,
                                                         v1::ListCellsResponse* response) {
  return Unary(context, desk_.reads(), [this, request, response] {
    return orchestrator::ListCells(desk_, *request, *response);
  });
}

grpc::ServerWriteReactor<v1::AnswerRows>* OrchestratorService::StreamAnswers(
    grpc::CallbackServerContext* context, const v1::StreamAnswersRequest* request) {
  if (const absl::Status rate = rpc::CheckRate(*context); !rate.ok()) {
    return new Refused<grpc::ServerWriteReactor<v1::AnswerRows>>(rate);
  }
  const auto reader = std::make_shared<RowReader>(desk_.store(), request->sweep());
  return RowStream<v1::AnswerRows>::Start(
      desk_.reads(), [reader](v1::AnswerRows& message) { return reader->Answers(message); });
}

grpc::ServerWriteReactor<v1::HeatmapRow>* OrchestratorService::StreamHeatmaps(
    grpc::CallbackServerContext* context, const v1::StreamHeatmapsRequest* request) {
  if (const absl::Status rate = rpc::CheckRate(*context); !rate.ok()) {
    return new Refused<grpc::ServerWriteReactor<v1::HeatmapRow>>(rate);
  }
  const auto reader = std::make_shared<RowReader>(desk_.store(), request->sweep());
  return RowStream<v1::HeatmapRow>::Start(
      desk_.reads(), [reader](v1::HeatmapRow& row) { return reader->Heatmap(row); });
}

grpc::ServerWriteReactor<v1::ProbeRow>* OrchestratorService::StreamProbes(
    grpc::CallbackServerContext* context, const v1::StreamProbesRequest* request) {
  if (const absl::Status rate = rpc::CheckRate(*context); !rate.ok()) {
    return new Refused<grpc::ServerWriteReactor<v1::ProbeRow>>(rate);
  }
  const auto reader =
      std::make_shared<ProbeReader>(desk_.store(), metrics_, *request, context->deadline());
  return RowStream<v1::ProbeRow>::Start(
      probes_, [reader](v1::ProbeRow& row) { return reader->Next(row); },
      [reader] { reader->Cancel(); });
}

grpc::ServerUnaryReactor* OrchestratorService::ListUnits(grpc::CallbackServerContext* context,
                                                         const v1::ListUnitsRequest* request,
                                                         v1::ListUnitsResponse* response) {
  return Unary(context, desk_.reads(), [this, request, response] {
    return orchestrator::ListUnits(desk_, *request, *response);
  });
}

grpc::ServerUnaryReactor* OrchestratorService::ListModels(grpc::CallbackServerContext* context,
                                                          const v1::ListModelsRequest*,
                                                          v1::ListModelsResponse* response) {
  return Unary(context, desk_.reads(), [this, response]() -> absl::Status {
    KVSCOPE_ASSIGN_OR_RETURN(*response, ReadCatalog(desk_.models_dir()));
    return absl::OkStatus();
  });
}

}  // namespace kvscope::orchestrator
