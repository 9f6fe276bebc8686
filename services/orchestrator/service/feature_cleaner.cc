#include "services/orchestrator/service/feature_cleaner.h"

#include <utility>

#include "services/rpc/grpc_status.h"

namespace kvscope::orchestrator {

FeatureCleaner::FeatureCleaner(const std::shared_ptr<grpc::Channel>& metrics)
    : stub_(metrics == nullptr ? nullptr : v1::MetricsService::NewStub(metrics)) {}

FeatureCleaner::~FeatureCleaner() {
  const absl::MutexLock lock(&mutex_);
  if (context_ != nullptr) context_->TryCancel();
  const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return context_ == nullptr; };
  mutex_.Await(absl::Condition(&idle));
}

void FeatureCleaner::Forget(const std::vector<std::string>& unit_keys,
                            std::function<void(absl::Status)> done) {
  request_.mutable_unit_keys()->Assign(unit_keys.begin(), unit_keys.end());
  grpc::ClientContext* context = nullptr;
  {
    const absl::MutexLock lock(&mutex_);
    context_ = std::make_unique<rpc::UnaryContext>();
    context = context_.get();
  }
  stub_->async()->ForgetUnits(context, &request_, &response_,
                              [this, done = std::move(done)](const grpc::Status& status) {
                                const absl::MutexLock lock(&mutex_);
                                context_.reset();  // before `done`, which may begin the next
                                done(rpc::FromGrpc(status));
                              });
}

}  // namespace kvscope::orchestrator
