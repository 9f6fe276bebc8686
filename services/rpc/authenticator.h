// Authenticator: decides, for one server, who calls and whether they may.
#pragma once

#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/server_context.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/rpc/file_watch.h"
#include "services/rpc/instruments.h"
#include "services/rpc/tokens.h"

namespace kvscope::rpc {

class Authenticator {
 public:
  // Follows `token_file`: a token that is taken out is refused, and its running calls are
  // cancelled, within about a second; a file that cannot be read or parsed is logged and changes
  // nothing. Errors: InvalidArgument (the file as it is now).
  static absl::StatusOr<std::shared_ptr<Authenticator>> Open(const std::string& token_file);

  // Whose `authorization` header it is. Errors: Unauthenticated.
  absl::StatusOr<Caller> Identify(std::string_view authorization) const;

  // Errors: Unauthenticated, PermissionDenied (the token's role is not enough for `method`).
  absl::Status Admit(std::string_view method, std::string_view authorization) const;

  // A call that runs between these two is cancelled when its token is revoked.
  void CallBegins(const grpc::ServerContextBase* context, std::string_view authorization);
  void CallEnds(const grpc::ServerContextBase* context);

 private:
  explicit Authenticator(std::string token_file) : token_file_(std::move(token_file)) {}
  absl::Status Load();
  void Reload();
  int CancelRevoked();
  std::shared_ptr<const TokenTable> table() const;

  const std::string token_file_;
  mutable std::mutex mutex_;
  std::shared_ptr<const TokenTable> table_;
  std::string content_;  // what table_ was made of
  // Recursive, as a call may end on the thread that cancels it.
  std::recursive_mutex calls_mutex_;
  std::map<const grpc::ServerContextBase*, TokenHash> calls_;
  std::unique_ptr<FileWatch> watch_;  // last: it calls Reload
};

// gRPC's door to it: refused calls reach no handler, and no message of theirs is read.
class AuthenticatingProcessor final : public grpc::AuthMetadataProcessor {
 public:
  explicit AuthenticatingProcessor(std::shared_ptr<Authenticator> authenticator);

  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context,
                       OutputMetadata* consumed, OutputMetadata* response) override;

 private:
  const std::shared_ptr<Authenticator> authenticator_;
  const Counter unauthenticated_;
  const Counter denied_;
};

}  // namespace kvscope::rpc
