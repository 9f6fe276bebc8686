#include "services/orchestrator/service/upload.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/seen_ids.h"
#include "services/orchestrator/service/validate.h"
#include "services/rpc/caller.h"
#include "services/rpc/grpc_status.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

class UploadReactor final : public grpc::ServerReadReactor<v1::UploadDatasetRequest>,
                            public std::enable_shared_from_this<UploadReactor> {
 public:
  UploadReactor(Desk& desk, grpc::CallbackServerContext* context, v1::Dataset* response)
      : desk_(desk), context_(context), response_(response), owner_(rpc::CallerOf(*context).name) {}

  void Start() {
    self_ = shared_from_this();
    StartRead(&message_);
  }

  void OnReadDone(bool ok) override {
    desk_.writes().Post([self = shared_from_this(), ok] { ok ? self->Take() : self->Complete(); });
  }
  void OnDone() override {
    desk_.writes().Post([self = std::move(self_)] { self->DropIfOpen(); });
  }

 private:
  void Take() {
    absl::Status status =
        desk_.draining() ? absl::UnavailableError("the orchestrator is shutting down") : Store();
    if (!status.ok()) return End(status);
    StartRead(&message_);
  }

  absl::Status Store() {
    if (upload_ == 0) {
      if (message_.name().empty() || message_.name().size() > 200) {
        return absl::InvalidArgumentError("name: must have 1 to 200 bytes in the first message");
      }
      name_ = message_.name();
      KVSCOPE_ASSIGN_OR_RETURN(upload_, desk_.store().BeginDataset(name_, owner_));
    }
    std::vector<StoredPassage> rows;
    for (const v1::Passage& proto : message_.passages()) {
      Passage passage = FromProto(proto);
      KVSCOPE_ASSIGN_OR_RETURN(std::string line, CanonicalPassage(passage, name_, passages_));
      KVSCOPE_RETURN_IF_ERROR(ids_.Note(passage, absl::StrCat("data set ", name_), ++passages_));
      hash_.Update(line);
      hash_.Update("\n");
      questions_ += static_cast<int64_t>(passage.questions.size());
      rows.push_back({.passage_id = passage.passage_id,
                      .question_count = static_cast<int64_t>(passage.questions.size()),
                      .body = std::move(line)});
    }
    return rows.empty() ? absl::OkStatus()
                        : desk_.store().AddPassages(upload_, rows, desk_.quotas());
  }

  void Complete() {
    if (context_->IsCancelled()) return End(absl::CancelledError("the upload was cut off"));
    if (passages_ == 0) {
      return End(absl::InvalidArgumentError("passages: a data set must have at least one"));
    }
    const absl::StatusOr<StoredDataset> stored = desk_.store().FinishDataset(
        upload_, hash_.HexDigest(), absl::ToUnixMillis(desk_.clock().Now()), desk_.quotas());
    if (stored.ok()) {
      upload_ = 0;
      *response_ = ToProto(*stored);
      response_->set_name(name_);  // equal data may have come under another name before
    }
    End(stored.status());
  }

  void End(const absl::Status& status) {
    DropIfOpen();
    Finish(rpc::ToGrpc(status));
  }

  void DropIfOpen() {
    if (upload_ == 0) return;
    desk_.store().DropDataset(std::exchange(upload_, 0)).IgnoreError();  // Open clears up as well
  }

  Desk& desk_;
  grpc::CallbackServerContext* context_;
  v1::Dataset* response_;
  const std::string owner_;
  std::shared_ptr<UploadReactor> self_;  // until OnDone
  v1::UploadDatasetRequest message_;
  int64_t upload_ = 0;  // 0: not begun, or over
  std::string name_;
  int64_t passages_ = 0;
  int64_t questions_ = 0;
  SeenIds ids_;
  Sha256 hash_;
};

}  // namespace

grpc::ServerReadReactor<v1::UploadDatasetRequest>* StartUpload(Desk& desk,
                                                               grpc::CallbackServerContext* context,
                                                               v1::Dataset* response) {
  const auto reactor = std::make_shared<UploadReactor>(desk, context, response);
  reactor->Start();
  return reactor.get();
}

}  // namespace kvscope::orchestrator
