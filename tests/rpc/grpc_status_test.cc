#include "services/rpc/grpc_status.h"

#include <gtest/gtest.h>

#include <string>

namespace kvscope::rpc {
namespace {

TEST(GrpcStatus, EveryCodeSurvivesBothWays) {
  for (int code = 0; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "the `ratios` are wrong");
    const grpc::Status wire = ToGrpc(status);
    EXPECT_EQ(wire.error_code(), code);
    EXPECT_EQ(FromGrpc(wire), status);
  }
}

TEST(GrpcStatus, AnUnknownCodeIsUnknown) {
  const grpc::Status odd(static_cast<grpc::StatusCode>(77), "odd");
  EXPECT_EQ(FromGrpc(odd), absl::UnknownError("odd"));
}

TEST(GrpcStatus, LongMessagesAreCut) {
  const grpc::Status wire = ToGrpc(absl::InternalError(std::string(100000, 'x')));
  EXPECT_LT(wire.error_message().size(), 5000u);
}

}  // namespace
}  // namespace kvscope::rpc
