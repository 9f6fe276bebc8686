#include "services/rpc/caller_interceptor.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/server_context.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/rpc/authenticator.h"
#include "services/rpc/caller.h"
#include "services/rpc/method_access.h"
#include "services/rpc/rate_limiter.h"

namespace kvscope::rpc {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::ServerRpcInfo;
using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

std::string Value(const Metadata& metadata, const char* key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? "" : std::string(found->second.data(), found->second.size());
}

// A call through the server's own channel, which has no transport and asks for no token.
bool IsInProcess(const grpc::ServerContextBase& context) {
  return !context.peer().starts_with("ipv");
}

// The peer without its port: "ipv4:10.0.0.7".
std::string HostOf(const grpc::ServerContextBase& context) {
  const std::string peer = context.peer();
  return peer.substr(0, peer.rfind(':'));
}

// One call's; what its entries in the metadata refer to lives here, as long as the call.
class CallerInterceptor final : public grpc::experimental::Interceptor {
 public:
  CallerInterceptor(std::shared_ptr<Authenticator> authenticator,
                    std::shared_ptr<RateLimiter> limiter, ServerRpcInfo* info)
      : authenticator_(std::move(authenticator)), limiter_(std::move(limiter)), info_(info) {}

  ~CallerInterceptor() override { Ended(); }

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      Begun(*methods->GetRecvInitialMetadata());
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_CLOSE)) Ended();
    methods->Proceed();
  }

 private:
  void Begun(Metadata& metadata) {
    const std::string authorization = Value(metadata, kAuthorizationKey);
    for (const char* key : {kCallerKey, kRoleKey, kWaitKey, kAuthorizationKey}) metadata.erase(key);
    if (IsInProcess(*info_->server_context())) return;
    if (authenticator_ != nullptr) Identify(authorization);
    if (limiter_ != nullptr) Limit();
    if (authenticator_ != nullptr) {
      metadata.emplace(kCallerKey, name_);
      metadata.emplace(kRoleKey, role_);
    }
    if (!wait_ms_.empty()) metadata.emplace(kWaitKey, wait_ms_);
  }

  // The call was admitted a moment ago.
  void Identify(const std::string& authorization) {
    const auto* context = info_->server_context();
    authenticator_->CallBegins(context, authorization);
    running_ = true;
    const absl::StatusOr<Caller> caller = authenticator_->Identify(authorization);
    if (caller.ok()) {
      name_ = caller->name;
      role_ = std::string(RoleName(caller->role));
      return;
    }
    role_ = std::string(RoleName(Role::kRead));
    const MethodAccess* access = FindMethod(info_->method());
    const bool open = access != nullptr && !access->needed;
    if (!open) context->TryCancel();  // its token was revoked within that moment
  }

  void Limit() {
    const std::string caller = name_.empty() ? HostOf(*info_->server_context()) : name_;
    const absl::Duration wait = limiter_->Take(caller, absl::Now());
    if (wait > absl::ZeroDuration()) {
      wait_ms_ = absl::StrCat(absl::ToInt64Milliseconds(absl::Ceil(wait, absl::Milliseconds(1))));
    }
  }

  void Ended() {
    if (std::exchange(running_, false)) authenticator_->CallEnds(info_->server_context());
  }

  const std::shared_ptr<Authenticator> authenticator_;
  const std::shared_ptr<RateLimiter> limiter_;
  ServerRpcInfo* const info_;
  bool running_ = false;  // told to the authenticator
  std::string name_;
  std::string role_;
  std::string wait_ms_;
};

class Factory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  Factory(std::shared_ptr<Authenticator> authenticator, std::shared_ptr<RateLimiter> limiter)
      : authenticator_(std::move(authenticator)), limiter_(std::move(limiter)) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    return new CallerInterceptor(authenticator_, limiter_, info);
  }

 private:
  const std::shared_ptr<Authenticator> authenticator_;
  const std::shared_ptr<RateLimiter> limiter_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeCallerInterceptors(
    std::shared_ptr<Authenticator> authenticator, std::shared_ptr<RateLimiter> limiter) {
  return std::make_unique<Factory>(std::move(authenticator), std::move(limiter));
}

}  // namespace kvscope::rpc
