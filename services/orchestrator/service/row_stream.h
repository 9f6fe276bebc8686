// RowStream: a server stream of messages that are made one by one, as fast as the client takes
// them.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "services/orchestrator/service/executor.h"
#include "services/rpc/grpc_status.h"

namespace kvscope::orchestrator {

// `next` runs on `executor` and fills the message, which is empty but keeps its memory; false is
// the end. One message is in memory. `cancel` is called, on any thread, when nobody waits any more.
template <typename Message>
class RowStream final : public grpc::ServerWriteReactor<Message>,
                        public std::enable_shared_from_this<RowStream<Message>> {
 public:
  using Next = std::function<absl::StatusOr<bool>(Message& message)>;

  static grpc::ServerWriteReactor<Message>* Start(
      Executor& executor, Next next, std::function<void()> cancel = [] {}) {
    const auto stream = std::make_shared<RowStream>(executor, std::move(next), std::move(cancel));
    stream->self_ = stream;
    stream->Fetch();
    return stream.get();
  }

  RowStream(Executor& executor, Next next, std::function<void()> cancel)
      : executor_(executor), next_(std::move(next)), cancel_(std::move(cancel)) {}

  void OnWriteDone(bool ok) override {
    if (!ok) return this->Finish(grpc::Status(grpc::StatusCode::CANCELLED, "the client is gone"));
    Fetch();
  }
  void OnCancel() override { cancel_(); }
  void OnDone() override { const auto last = std::move(self_); }

 private:
  void Fetch() {
    executor_.Post([self = this->shared_from_this()] { self->WriteNext(); });
  }

  void WriteNext() {
    message_.Clear();
    const absl::StatusOr<bool> more = next_(message_);
    if (!more.ok() || !*more) return this->Finish(rpc::ToGrpc(more.status()));
    this->StartWrite(&message_);
  }

  Executor& executor_;
  Next next_;
  std::function<void()> cancel_;
  std::shared_ptr<RowStream> self_;  // until OnDone
  Message message_;
};

}  // namespace kvscope::orchestrator
