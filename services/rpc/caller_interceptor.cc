#include "services/rpc/caller_interceptor.h"

namespace kvscope::rpc {
namespace {

using grpc::experimental::InterceptionHookPoints;

class CallerInterceptor final : public grpc::experimental::Interceptor {
 public:
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      auto* metadata = methods->GetRecvInitialMetadata();
      for (const char* key : {kCallerKey, kRoleKey, kAuthorizationKey}) metadata->erase(key);
    }
    methods->Proceed();
  }
};

}  // namespace

grpc::experimental::Interceptor* CallerInterceptorFactory::CreateServerInterceptor(
    grpc::experimental::ServerRpcInfo*) {
  return new CallerInterceptor();
}

}  // namespace kvscope::rpc
