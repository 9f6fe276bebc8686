// RowStream: a server stream of rows that are read in batches, as fast as the client takes them.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/orchestrator/service/executor.h"
#include "services/rpc/grpc_status.h"

namespace kvscope::orchestrator {

// `next_batch` runs on `executor`; an empty batch is the end. One batch is in memory.
template <typename Row>
class RowStream final : public grpc::ServerWriteReactor<Row>,
                        public std::enable_shared_from_this<RowStream<Row>> {
 public:
  using NextBatch = std::function<absl::StatusOr<std::vector<Row>>()>;

  static grpc::ServerWriteReactor<Row>* Start(Executor& executor, NextBatch next_batch) {
    const auto stream = std::make_shared<RowStream>(executor, std::move(next_batch));
    stream->self_ = stream;
    stream->Fetch();
    return stream.get();
  }

  RowStream(Executor& executor, NextBatch next_batch)
      : executor_(executor), next_batch_(std::move(next_batch)) {}

  void OnWriteDone(bool ok) override {
    if (!ok) return this->Finish(grpc::Status(grpc::StatusCode::CANCELLED, "the client is gone"));
    if (++written_ < batch_.size()) return this->StartWrite(&batch_[written_]);
    Fetch();
  }
  void OnDone() override { const auto last = std::move(self_); }

 private:
  void Fetch() {
    executor_.Post([self = this->shared_from_this()] { self->TakeBatch(); });
  }

  void TakeBatch() {
    absl::StatusOr<std::vector<Row>> batch = next_batch_();
    if (!batch.ok() || batch->empty()) return this->Finish(rpc::ToGrpc(batch.status()));
    batch_ = *std::move(batch);
    written_ = 0;
    this->StartWrite(&batch_[0]);
  }

  Executor& executor_;
  NextBatch next_batch_;
  std::shared_ptr<RowStream> self_;  // until OnDone
  std::vector<Row> batch_;
  size_t written_ = 0;
};

}  // namespace kvscope::orchestrator
