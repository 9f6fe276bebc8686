#include "services/rpc/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace kvscope::rpc {
namespace {

using ::testing::HasSubstr;

TEST(Address, ReadsNamesAndNumbers) {
  EXPECT_EQ(ParseAddress("localhost:7000")->ToString(), "localhost:7000");
  EXPECT_EQ(ParseAddress("[::1]:0")->host, "::1");
  EXPECT_EQ(ParseAddress("[::1]:0")->ToString(), "[::1]:0");
}

TEST(Address, RefusesWhatIsNone) {
  for (const char* text : {"", ":", "localhost", "localhost:", "localhost:65536", "localhost:-1",
                           "::1:7000", "[]:1", "[::1:7000", "a b:1", "http://a:1", "a:1x"}) {
    const auto address = ParseAddress(text);
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(Address, PlaintextStaysAtHomeUnlessAllowed) {
  for (const char* text : {"localhost:1", "127.0.0.1:1", "127.9.9.9:1", "[::1]:1"}) {
    EXPECT_TRUE(CheckPlaintext(*ParseAddress(text), false, "listen on").ok()) << text;
  }
  for (const char* text : {"0.0.0.0:1", "[::]:1", "example.org:1", "127.evil.org:1"}) {
    const absl::Status refused = CheckPlaintext(*ParseAddress(text), false, "listen on");
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(refused.message()), HasSubstr("--insecure"));
    EXPECT_TRUE(CheckPlaintext(*ParseAddress(text), true, "listen on").ok());
  }
}

}  // namespace
}  // namespace kvscope::rpc
