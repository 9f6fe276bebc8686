#include "services/rpc/authenticator.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/rpc/caller_interceptor.h"
#include "services/rpc/grpc_status.h"
#include "services/rpc/method_access.h"
#include "services/rpc/telemetry.h"
#include "services/status_macros.h"

namespace kvscope::rpc {
namespace {

constexpr MetricFamily kRefused = {"kvscope_rpc_refused_total",
                                   "Calls refused before a handler saw them."};

std::string Text(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

// The token of "Bearer TOKEN"; the scheme in any case (RFC 9110).
std::optional<std::string_view> TokenOf(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() <= kScheme.size()) return std::nullopt;
  const std::string scheme(authorization.substr(0, kScheme.size()));
  if (!absl::EqualsIgnoreCase(scheme, "bearer ")) return std::nullopt;
  return authorization.substr(kScheme.size());
}

std::string_view Value(const grpc::AuthMetadataProcessor::InputMetadata& metadata,
                       const char* key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return {};
  return {found->second.data(), found->second.size()};
}

}  // namespace

absl::StatusOr<std::shared_ptr<Authenticator>> Authenticator::Open(const std::string& token_file) {
  std::shared_ptr<Authenticator> opened(new Authenticator(token_file));
  KVSCOPE_RETURN_IF_ERROR(opened->Load());
  opened->watch_ =
      std::make_unique<FileWatch>(std::vector<std::string>{token_file},
                                  [authenticator = opened.get()] { authenticator->Reload(); });
  return opened;
}

std::shared_ptr<const TokenTable> Authenticator::table() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return table_;
}

absl::Status Authenticator::Load() {
  KVSCOPE_ASSIGN_OR_RETURN(std::string content, ReadSmallFile(token_file_));
  KVSCOPE_ASSIGN_OR_RETURN(TokenTable parsed, TokenTable::Parse(content, token_file_));
  auto table = std::make_shared<const TokenTable>(std::move(parsed));
  const std::lock_guard<std::mutex> lock(mutex_);
  table_ = std::move(table);
  content_ = std::move(content);
  return absl::OkStatus();
}

void Authenticator::Reload() {
  const std::string before = content_;  // only this thread writes it
  if (const absl::Status loaded = Load(); !loaded.ok()) {
    Log(LogLevel::kError, "the token file cannot be used; the tokens stay as they were",
        {{"error", Text(loaded)}});
    return;
  }
  if (content_ == before) return;
  Log(LogLevel::kInfo, "the token file was read anew",
      {{"tokens", absl::StrCat(table()->size())},
       {"cancelled_calls", absl::StrCat(CancelRevoked())}});
}

int Authenticator::CancelRevoked() {
  const std::shared_ptr<const TokenTable> accepted = table();
  const std::lock_guard<std::recursive_mutex> lock(calls_mutex_);
  std::vector<const grpc::ServerContextBase*> revoked;
  for (const auto& [context, hash] : calls_) {
    if (!accepted->Find(hash)) revoked.push_back(context);
  }
  for (const grpc::ServerContextBase* context : revoked) {
    if (calls_.contains(context)) context->TryCancel();  // it lives: CallEnds waits for the lock
  }
  return static_cast<int>(revoked.size());
}

absl::StatusOr<Caller> Authenticator::Identify(std::string_view authorization) const {
  if (authorization.empty()) {
    return absl::UnauthenticatedError("this server asks for a token, and the call shows none");
  }
  const std::optional<std::string_view> token = TokenOf(authorization);
  if (!token) {
    return absl::UnauthenticatedError("the authorization must read \"Bearer TOKEN\"");
  }
  std::optional<Caller> caller = table()->Find(HashToken(*token));
  if (!caller) return absl::UnauthenticatedError("the token is unknown here, or was revoked");
  return *std::move(caller);
}

absl::Status Authenticator::Admit(std::string_view method, std::string_view authorization) const {
  const MethodAccess* access = FindMethod(method);
  if (access != nullptr && !access->needed) return absl::OkStatus();
  KVSCOPE_ASSIGN_OR_RETURN(const Caller caller, Identify(authorization));
  if (access != nullptr && Allows(caller.role, *access->needed)) return absl::OkStatus();
  const std::string called(method.substr(0, 200));
  absl::Status refused =
      access == nullptr
          ? absl::PermissionDeniedError(absl::StrCat("this server offers no method ", called))
          : absl::PermissionDeniedError(
                absl::StrCat(called, " needs the role ", std::string(RoleName(*access->needed)),
                             ", but the token of ", caller.name, " has the role ",
                             std::string(RoleName(caller.role))));
  Log(LogLevel::kWarning, "refused", {{"caller", caller.name}, {"error", Text(refused)}});
  return refused;
}

void Authenticator::CallBegins(const grpc::ServerContextBase* context,
                               std::string_view authorization) {
  const std::optional<std::string_view> token = TokenOf(authorization);
  if (!token) return;
  const TokenHash hash = HashToken(*token);
  const std::lock_guard<std::recursive_mutex> lock(calls_mutex_);
  calls_[context] = hash;
}

void Authenticator::CallEnds(const grpc::ServerContextBase* context) {
  const std::lock_guard<std::recursive_mutex> lock(calls_mutex_);
  calls_.erase(context);
}

AuthenticatingProcessor::AuthenticatingProcessor(std::shared_ptr<Authenticator> authenticator)
    : authenticator_(std::move(authenticator)),
      unauthenticated_(kRefused, {{"reason", "unauthenticated"}}),
      denied_(kRefused, {{"reason", "permission_denied"}}) {}

grpc::Status AuthenticatingProcessor::Process(const InputMetadata& metadata, grpc::AuthContext*,
                                              OutputMetadata*, OutputMetadata*) {
  const absl::Status admitted =
      authenticator_->Admit(Value(metadata, ":path"), Value(metadata, kAuthorizationKey));
  if (!admitted.ok()) (absl::IsUnauthenticated(admitted) ? unauthenticated_ : denied_).Add();
  return ToGrpc(admitted);
}

}  // namespace kvscope::rpc
