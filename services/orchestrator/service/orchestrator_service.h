// OrchestratorService over gRPC: see orchestrator.proto, which is its contract.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <utility>

#include "kvscope/v1/orchestrator.grpc.pb.h"
#include "services/orchestrator/service/desk.h"
#include "services/orchestrator/service/executor.h"

namespace kvscope::orchestrator {

// No call blocks gRPC's threads: all work runs on the desk's, fits of probes on a thread of their
// own.
class OrchestratorService final : public v1::OrchestratorService::CallbackService {
 public:
  // `desk` must outlive the gRPC server; `metrics`: where probes are fitted, or null.
  OrchestratorService(Desk& desk, std::shared_ptr<grpc::Channel> metrics)
      : desk_(desk), metrics_(std::move(metrics)) {}

  grpc::ServerReadReactor<v1::UploadDatasetRequest>* UploadDataset(
      grpc::CallbackServerContext* context, v1::Dataset* response) override;
  grpc::ServerUnaryReactor* CreateSweep(grpc::CallbackServerContext* context,
                                        const v1::CreateSweepRequest* request,
                                        v1::Sweep* response) override;
  grpc::ServerUnaryReactor* GetSweep(grpc::CallbackServerContext* context,
                                     const v1::GetSweepRequest* request,
                                     v1::Sweep* response) override;
  grpc::ServerUnaryReactor* ListSweeps(grpc::CallbackServerContext* context,
                                       const v1::ListSweepsRequest* request,
                                       v1::ListSweepsResponse* response) override;
  grpc::ServerUnaryReactor* CancelSweep(grpc::CallbackServerContext* context,
                                        const v1::CancelSweepRequest* request,
                                        v1::Sweep* response) override;
  grpc::ServerUnaryReactor* ResumeSweep(grpc::CallbackServerContext* context,
                                        const v1::ResumeSweepRequest* request,
                                        v1::Sweep* response) override;
  grpc::ServerUnaryReactor* DeleteSweep(grpc::CallbackServerContext* context,
                                        const v1::DeleteSweepRequest* request,
                                        v1::DeleteSweepResponse* response) override;
  grpc::ServerWriteReactor<v1::Sweep>* WatchSweep(grpc::CallbackServerContext* context,
                                                  const v1::WatchSweepRequest* request) override;
  grpc::ServerUnaryReactor* ListCells(grpc::CallbackServerContext* context,
                                      const v1::ListCellsRequest* request,
                                      v1::ListCellsResponse* response) override;
  grpc::ServerWriteReactor<v1::AnswerRows>* StreamAnswers(
      grpc::CallbackServerContext* context, const v1::StreamAnswersRequest* request) override;
  grpc::ServerWriteReactor<v1::HeatmapRow>* StreamHeatmaps(
      grpc::CallbackServerContext* context, const v1::StreamHeatmapsRequest* request) override;
  grpc::ServerWriteReactor<v1::ProbeRow>* StreamProbes(
      grpc::CallbackServerContext* context, const v1::StreamProbesRequest* request) override;
  grpc::ServerUnaryReactor* ListUnits(grpc::CallbackServerContext* context,
                                      const v1::ListUnitsRequest* request,
                                      v1::ListUnitsResponse* response) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;

 private:
  Desk& desk_;
  const std::shared_ptr<grpc::Channel> metrics_;
  Executor probes_;  // fitting takes long: nothing else waits for it
};

}  // namespace kvscope::orchestrator
