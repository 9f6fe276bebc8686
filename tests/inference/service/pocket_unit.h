// A small unit of the pocket model, and the metrics service that its run needs.
#pragma once

#include <memory>
#include <string>

#include "kvscope/v1/inference.pb.h"
#include "services/metrics/service/metrics_service.h"
#include "services/rpc/server.h"

namespace kvscope::inference {

inline const std::string kModelsDir = std::string(KVSCOPE_SOURCE_DIR) + "/models";

// Two passages with three and one questions, two presses, ratios 0 and 0.5, float32 on the CPU.
v1::Unit PocketUnit();

// In this process.
class MetricsServer {
 public:
  MetricsServer();
  std::shared_ptr<grpc::Channel> channel() { return server_->InProcessChannel(); }

 private:
  metrics::MetricsService service_;
  std::unique_ptr<rpc::Server> server_;
};

}  // namespace kvscope::inference
