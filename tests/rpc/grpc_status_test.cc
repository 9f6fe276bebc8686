#include "services/rpc/grpc_status.h"

#include <gtest/gtest.h>

#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

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

TEST(GrpcStatus, AnInvalidArgumentNamesItsField) {
  const absl::Status status =
      FromGrpc(ToGrpc(absl::InvalidArgumentError("spec.ratios[3]: is 2, allowed is [0, 1)")));
  EXPECT_EQ(ViolatedField(status), "spec.ratios[3]");
  EXPECT_EQ(status.message(), "spec.ratios[3]: is 2, allowed is [0, 1)");

  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(ToGrpc(status).error_details()));
  EXPECT_EQ(details.code(), 3);
  EXPECT_EQ(details.message(), "spec.ratios[3]: is 2, allowed is [0, 1)");
  ASSERT_EQ(details.details_size(), 1);  // also of a status that has travelled before
  EXPECT_EQ(details.details(0).type_url(), "type.googleapis.com/google.rpc.BadRequest");
  google::rpc::BadRequest bad;
  ASSERT_TRUE(details.details(0).UnpackTo(&bad));
  EXPECT_EQ(bad.field_violations(0).description(), "is 2, allowed is [0, 1)");
}

TEST(GrpcStatus, OnlyAFieldThatIsNamedIsTold) {
  for (const char* message : {"the result: is odd", "a: ", ": x", "1a: x", "Name: x", "a/b.yaml: x",
                              "--store: x", "ratios"}) {
    const std::string field = ViolatedField(FromGrpc(ToGrpc(absl::InvalidArgumentError(message))));
    EXPECT_EQ(field, std::string(message) == "a: " ? "a" : "") << message;
  }
  EXPECT_EQ(ToGrpc(absl::NotFoundError("sweep: none")).error_details(), "");
}

TEST(GrpcStatus, SaysWhenToTryAgain) {
  const absl::Status status = FromGrpc(
      ToGrpc(WithRetryDelay(absl::ResourceExhaustedError("busy"), absl::Milliseconds(1250))));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RetryDelay(status), absl::Milliseconds(1250));
  EXPECT_EQ(RetryDelay(absl::ResourceExhaustedError("busy")), std::nullopt);
}

TEST(GrpcStatus, DetailsThatAreNoneAreLeftOut) {
  const absl::Status status =
      FromGrpc(grpc::Status(grpc::StatusCode::ABORTED, "odd", "\xff\xff not a message"));
  EXPECT_EQ(status, absl::AbortedError("odd"));
}

TEST(GrpcStatus, WhatTravelsFitsAHeader) {
  const absl::Status longest = absl::InvalidArgumentError("ratios: " + std::string(1016, 'x'));
  const grpc::Status wire = ToGrpc(longest);
  EXPECT_EQ(ViolatedField(FromGrpc(wire)), "ratios");
  // The details go as base64, the message as it is.
  EXPECT_LT(wire.error_details().size() * 4 / 3 + wire.error_message().size(), 5000u);
  EXPECT_EQ(ToGrpc(absl::InvalidArgumentError("ratios: " + std::string(5000, 'x'))).error_details(),
            "");
}

}  // namespace
}  // namespace kvscope::rpc
