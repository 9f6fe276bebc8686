#include "services/rpc/call_metrics.h"

#include <google/protobuf/descriptor.h>
#include <grpcpp/impl/server_builder_plugin.h>
#include <grpcpp/impl/server_initializer.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/rpc/instruments.h"
#include "services/rpc/telemetry.h"

namespace kvscope::rpc {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::ServerRpcInfo;

constexpr int kCodes = 17;  // OK to UNAUTHENTICATED; gRPC's numbers are absl's

std::string CodeName(int code) {
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
}

// What is told of one method.
struct MethodMembers {
  MethodMembers(const std::string& service, const std::string& method, bool unary)
      : running({"kvscope_rpc_calls_running", "Calls that are open."},
                {{"service", service}, {"method", method}}) {
    ended.reserve(kCodes);
    for (int code = 0; code < kCodes; ++code) {
      ended.emplace_back(
          MetricFamily{"kvscope_rpc_calls_total", "Calls by how they ended."},
          MetricLabels{{"service", service}, {"method", method}, {"code", CodeName(code)}});
    }
    if (!unary) return;
    seconds.emplace(MetricFamily{"kvscope_rpc_call_seconds", "Time that unary calls took."},
                    LatencyBounds(), MetricLabels{{"service", service}, {"method", method}});
  }

  Gauge running;
  std::vector<Counter> ended;  // [kCodes]
  std::optional<Histogram> seconds;
};

// Of all methods of this process's servers, by path ("/SERVICE/METHOD"). Never destroyed.
class Methods {
 public:
  static Methods& Get() {
    static auto* methods = new Methods();
    return *methods;
  }

  const MethodMembers& Of(std::string_view path, bool unary) {
    if (!Known(path)) path = "/unknown/unknown";
    const absl::MutexLock lock(&mutex_);
    const auto found = members_.find(path);
    if (found != members_.end()) return found->second;
    const size_t slash = path.find('/', 1);
    return members_
        .try_emplace(std::string(path), std::string(path.substr(1, slash - 1)),
                     std::string(path.substr(slash + 1)), unary)
        .first->second;
  }

 private:
  // gRPC hands on names of registered methods only; should it ever not, labels stay bounded.
  static bool Known(std::string_view path) {
    if (path.starts_with("/grpc.health.v1.Health/")) return true;
    if (path.starts_with("/grpc.reflection.")) return true;
    std::string name(path.substr(path.empty() ? 0 : 1));
    const size_t slash = name.find('/');
    if (slash == std::string::npos) return false;
    name[slash] = '.';
    return google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(name) != nullptr;
  }

  absl::Mutex mutex_;
  std::map<std::string, MethodMembers, std::less<>> members_ ABSL_GUARDED_BY(mutex_);
};

class CallMetrics final : public grpc::experimental::Interceptor {
 public:
  explicit CallMetrics(ServerRpcInfo& info)
      : info_(info), members_(Methods::Get().Of(info.method(), unary())) {
    members_.running.Add(1);
  }

  // A call whose client went away may end without a status.
  ~CallMetrics() override {
    if (!ended_) End(static_cast<int>(absl::StatusCode::kCancelled));
  }

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (!ended_ && methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      End(methods->GetSendStatus().error_code());
    }
    methods->Proceed();
  }

 private:
  bool unary() const { return info_.type() == ServerRpcInfo::Type::UNARY; }

  void End(int code) {
    ended_ = true;
    const bool known = code >= 0 && code < kCodes;
    if (!known) code = static_cast<int>(absl::StatusCode::kUnknown);
    const absl::Duration took = absl::FromChrono(std::chrono::steady_clock::now() - start_);
    members_.running.Add(-1);
    members_.ended[static_cast<size_t>(code)].Add();
    if (members_.seconds) members_.seconds->Observe(took);
    if (!Logs(LogLevel::kDebug)) return;
    Log(LogLevel::kDebug, "call ended",
        {{"method", info_.method()},
         {"code", CodeName(code)},
         {"seconds", absl::StrCat(absl::ToDoubleSeconds(took))}});
  }

  ServerRpcInfo& info_;  // it owns this
  const MethodMembers& members_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  bool ended_ = false;
};

class CallMetricsFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  grpc::experimental::Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    return new CallMetrics(*info);  // gRPC's to delete
  }
};

// Sees the names of a server's services once it has been built.
class ServiceList final : public grpc::ServerBuilderPlugin {
 public:
  std::string name() override { return "kvscope_call_metrics"; }
  void InitServer(grpc::ServerInitializer*) override {}
  void ChangeArguments(const std::string&, void*) override {}
  void Finish(grpc::ServerInitializer* server) override {
    Methods::Get().Of("/grpc.health.v1.Health/Check", /*unary=*/true);  // gRPC's own: no descriptor
    Methods::Get().Of("/grpc.health.v1.Health/Watch", /*unary=*/false);
    for (const std::string& name : *server->GetServiceList()) {
      const auto* service =
          google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
      for (int i = 0; service != nullptr && i < service->method_count(); ++i) {
        const auto* method = service->method(i);
        Methods::Get().Of(absl::StrCat("/", name, "/", method->name()),
                          !method->client_streaming() && !method->server_streaming());
      }
    }
  }
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeCallMetrics() {
  return std::make_unique<CallMetricsFactory>();
}

void ShowMethodsOfServers() {
  static std::once_flag once;
  std::call_once(once, [] {
    grpc::ServerBuilder::InternalAddPluginFactory(
        []() -> std::unique_ptr<grpc::ServerBuilderPlugin> {
          return std::make_unique<ServiceList>();
        });
  });
}

}  // namespace kvscope::rpc
