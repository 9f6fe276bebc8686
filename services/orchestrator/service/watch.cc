#include "services/orchestrator/service/watch.h"

#include <memory>
#include <utility>

#include "services/rpc/grpc_status.h"

namespace kvscope::orchestrator {
namespace {

// All state belongs to the desk's reads thread.
class WatchReactor final : public grpc::ServerWriteReactor<v1::Sweep>,
                           public std::enable_shared_from_this<WatchReactor> {
 public:
  WatchReactor(Desk& desk, std::string sweep) : desk_(desk), sweep_(std::move(sweep)) {}

  void Start() {
    self_ = shared_from_this();
    Post([this] {
      const std::weak_ptr<WatchReactor> weak = self_;
      watcher_ = desk_.AddWatcher([weak] {
        if (const auto reactor = weak.lock()) reactor->Look();
      });
      Look();
    });
  }

  void OnWriteDone(bool ok) override {
    Post([this, ok] {
      writing_ = false;
      if (!ok) return End(absl::CancelledError("the client is gone"));
      if (ended_) return End(absl::OkStatus());
      Look();  // it may have changed while the last message was sent
    });
  }
  void OnCancel() override {
    Post([this] { End(absl::CancelledError("the client is gone")); });
  }
  void OnDone() override {
    Post([this] { desk_.RemoveWatcher(watcher_); });
    self_.reset();
  }

 private:
  void Post(std::function<void()> task) {
    desk_.reads().Post([self = shared_from_this(), task = std::move(task)] { task(); });
  }

  void Look() {
    if (writing_ || finished_) return;
    const absl::StatusOr<SweepRecord> record = desk_.store().FindSweep(sweep_);
    if (!record.ok()) return End(record.status());
    sweep_ = record->sweep_id;  // from now on, whatever else gets this name
    absl::StatusOr<v1::Sweep> now = desk_.Describe(*record);
    if (!now.ok()) return End(now.status());
    std::string bytes = Serialize(*now);
    if (bytes == sent_bytes_) {
      if (desk_.draining()) End(absl::UnavailableError("the orchestrator is shutting down"));
      return;
    }
    sent_bytes_ = std::move(bytes);
    sent_ = *std::move(now);
    ended_ = Ended(record->state);
    writing_ = true;
    StartWrite(&sent_);
  }

  void End(const absl::Status& status) {
    if (finished_) return;
    finished_ = true;
    Finish(rpc::ToGrpc(status));
  }

  Desk& desk_;
  std::string sweep_;
  std::shared_ptr<WatchReactor> self_;  // until OnDone
  int64_t watcher_ = 0;
  v1::Sweep sent_;
  std::string sent_bytes_;
  bool ended_ = false;  // what was sent last is the end
  bool writing_ = false;
  bool finished_ = false;
};

}  // namespace

grpc::ServerWriteReactor<v1::Sweep>* StartWatch(Desk& desk, const std::string& sweep) {
  const auto reactor = std::make_shared<WatchReactor>(desk, sweep);
  reactor->Start();
  return reactor.get();
}

}  // namespace kvscope::orchestrator
