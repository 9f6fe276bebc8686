#include "services/rpc/method_access.h"

#include <algorithm>
#include <iterator>

namespace kvscope::rpc {
namespace {

constexpr MethodAccess kMethods[] = {
    {"/kvscope.v1.OrchestratorService/UploadDataset", Role::kSubmit},
    {"/kvscope.v1.OrchestratorService/CreateSweep", Role::kSubmit},
    {"/kvscope.v1.OrchestratorService/CancelSweep", Role::kSubmit},
    {"/kvscope.v1.OrchestratorService/ResumeSweep", Role::kSubmit},
    {"/kvscope.v1.OrchestratorService/DeleteSweep", Role::kSubmit},
    {"/kvscope.v1.OrchestratorService/GetSweep", Role::kRead},
    {"/kvscope.v1.OrchestratorService/ListSweeps", Role::kRead},
    {"/kvscope.v1.OrchestratorService/WatchSweep", Role::kRead},
    {"/kvscope.v1.OrchestratorService/ListCells", Role::kRead},
    {"/kvscope.v1.OrchestratorService/StreamAnswers", Role::kRead},
    {"/kvscope.v1.OrchestratorService/StreamHeatmaps", Role::kRead},
    {"/kvscope.v1.OrchestratorService/StreamProbes", Role::kRead},
    {"/kvscope.v1.OrchestratorService/ListUnits", Role::kRead},
    {"/kvscope.v1.OrchestratorService/ListModels", Role::kRead},
    {"/kvscope.v1.WorkerService/Work", Role::kWorker},
    {"/kvscope.v1.MetricsService/MeasureUnit", Role::kWorker},
    {"/kvscope.v1.MetricsService/FitProbes", Role::kWorker},    // called by the orchestrator,
    {"/kvscope.v1.MetricsService/ForgetUnits", Role::kWorker},  // which shows a worker's token
    {"/kvscope.v1.InferenceService/Evaluate", Role::kSubmit},
    {"/grpc.health.v1.Health/Check", std::nullopt},  // for probes, which have no token
    {"/grpc.health.v1.Health/Watch", std::nullopt},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Role::kRead},
};

}  // namespace

std::span<const MethodAccess> AllMethods() { return kMethods; }

const MethodAccess* FindMethod(std::string_view path) {
  const auto* found = std::find_if(std::begin(kMethods), std::end(kMethods),
                                   [path](const MethodAccess& m) { return m.path == path; });
  return found == std::end(kMethods) ? nullptr : found;
}

}  // namespace kvscope::rpc
