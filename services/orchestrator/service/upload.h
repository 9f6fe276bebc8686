// UploadDataset: a stream of passages into the store.
#pragma once

#include "kvscope/v1/orchestrator.grpc.pb.h"
#include "services/orchestrator/service/desk.h"

namespace kvscope::orchestrator {

// The reactor of one call; deletes itself. Memory: one message, and about 100 bytes for every id.
grpc::ServerReadReactor<v1::UploadDatasetRequest>* StartUpload(Desk& desk,
                                                               grpc::CallbackServerContext* context,
                                                               v1::Dataset* response);

}  // namespace kvscope::orchestrator
