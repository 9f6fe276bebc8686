// The calls that change or show sweeps, without their transport: one function a call.
#pragma once

#include "absl/status/status.h"
#include "kvscope/v1/orchestrator.pb.h"
#include "services/orchestrator/service/desk.h"
#include "services/rpc/caller.h"

namespace kvscope::orchestrator {

// On the desk's writes thread. Unavailable while draining. PermissionDenied where `caller` may not
// do that: a sweep is changed by its owner and by admins.
absl::Status CreateSweep(Desk& desk, const rpc::Caller& caller,
                         const v1::CreateSweepRequest& request, v1::Sweep& response);
absl::Status CancelSweep(Desk& desk, const rpc::Caller& caller,
                         const v1::CancelSweepRequest& request, v1::Sweep& response);
absl::Status ResumeSweep(Desk& desk, const rpc::Caller& caller,
                         const v1::ResumeSweepRequest& request, v1::Sweep& response);
absl::Status DeleteSweep(Desk& desk, const rpc::Caller& caller,
                         const v1::DeleteSweepRequest& request);

// On its reads thread.
absl::Status GetSweep(Desk& desk, const v1::GetSweepRequest& request, v1::Sweep& response);
absl::Status ListSweeps(Desk& desk, const v1::ListSweepsRequest& request,
                        v1::ListSweepsResponse& response);
absl::Status ListCells(Desk& desk, const v1::ListCellsRequest& request,
                       v1::ListCellsResponse& response);
absl::Status ListUnits(Desk& desk, const v1::ListUnitsRequest& request,
                       v1::ListUnitsResponse& response);

}  // namespace kvscope::orchestrator
