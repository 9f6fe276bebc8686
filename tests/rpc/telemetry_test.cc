#include "services/rpc/telemetry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

namespace kvscope::rpc {
namespace {

TEST(Log, WritesOneJsonLineAndObeysTheLevel) {
  testing::internal::CaptureStderr();
  SetLogLevel(LogLevel::kWarning);
  Log(LogLevel::kInfo, "unheard");
  Log(LogLevel::kError, "quote \" and \xff byte", {{"unit", "k\n"}});
  SetLogLevel(LogLevel::kInfo);
  const std::string text = testing::internal::GetCapturedStderr();
  ASSERT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  const auto line = nlohmann::json::parse(text, nullptr, false);
  ASSERT_TRUE(line.is_object()) << text;
  EXPECT_EQ(line["level"], "error");
  EXPECT_EQ(line["unit"], "k\n");
}

}  // namespace
}  // namespace kvscope::rpc
