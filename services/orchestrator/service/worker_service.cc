#include "services/orchestrator/service/worker_service.h"

#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "services/rpc/grpc_status.h"

namespace kvscope::orchestrator {
namespace {

// One worker's stream. gRPC's calls only post; all state belongs to the desk's writes thread.
class WorkReactor final
    : public grpc::ServerBidiReactor<v1::WorkerMessage, v1::OrchestratorMessage>,
      public WorkerStream,
      public std::enable_shared_from_this<WorkReactor> {
 public:
  explicit WorkReactor(Desk& desk) : desk_(desk) {}

  void Start() {
    self_ = shared_from_this();
    Post([this] {
      session_ = desk_.Open(self_);
      StartRead(&incoming_);
    });
  }

  // WorkerStream, on the writes thread.
  void Send(v1::OrchestratorMessage message) override {
    if (ending_) return;
    outgoing_.push_back(std::move(message));
    WriteNext();
  }
  void End(const absl::Status& status) override {
    if (ending_) return;
    ending_ = status;
    FinishWhenWritten();
  }

  void OnReadDone(bool ok) override {
    const auto take = [this, ok] { ok ? Take() : HungUp(); };
    // Nobody is to wait for work while results are taken in. (One read is out at a time, so that
    // a stream's messages keep their order.)
    if (ok && !incoming_.has_result_part()) return PostUrgent(take);
    Post(take);
  }
  void OnWriteDone(bool ok) override {
    Post([this, ok] { Wrote(ok); });
  }
  void OnDone() override {
    Post([this] { desk_.Close(session_); });
    self_.reset();  // the closure above still holds it
  }

 private:
  void Post(std::function<void()> task) {
    desk_.writes().Post([self = shared_from_this(), task = std::move(task)] { task(); });
  }

  void PostUrgent(std::function<void()> task) {
    desk_.writes().PostUrgent([self = shared_from_this(), task = std::move(task)] { task(); });
  }

  void Take() {
    const absl::Status status = desk_.Handle(session_, std::exchange(incoming_, {}));
    if (!status.ok()) return End(status);
    if (!finished_) StartRead(&incoming_);
  }

  // The worker has said all it will say, or is gone: its leases are free at once.
  void HungUp() {
    desk_.Close(session_);
    End(absl::OkStatus());
  }

  void WriteNext() {
    if (writing_ || finished_ || outgoing_.empty()) return;
    writing_ = true;
    StartWrite(&outgoing_.front());
  }

  void Wrote(bool ok) {
    writing_ = false;
    outgoing_.pop_front();
    if (!ok) outgoing_.clear();
    WriteNext();
    if (!writing_ && ok && !ending_) desk_.Written(session_);
    FinishWhenWritten();
  }

  void FinishWhenWritten() {
    if (!ending_ || writing_ || finished_) return;
    finished_ = true;
    Finish(rpc::ToGrpc(*ending_));
  }

  Desk& desk_;
  std::shared_ptr<WorkReactor> self_;  // until OnDone
  int64_t session_ = 0;
  v1::WorkerMessage incoming_;
  std::deque<v1::OrchestratorMessage> outgoing_;  // the first is being written
  bool writing_ = false;
  bool finished_ = false;
  std::optional<absl::Status> ending_;
};

}  // namespace

grpc::ServerBidiReactor<v1::WorkerMessage, v1::OrchestratorMessage>* WorkerService::Work(
    grpc::CallbackServerContext*) {
  const auto reactor = std::make_shared<WorkReactor>(desk_);
  reactor->Start();
  return reactor.get();
}

}  // namespace kvscope::orchestrator
