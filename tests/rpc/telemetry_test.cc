#include "services/rpc/telemetry.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <string>

#include "services/version.h"

namespace kvscope::rpc {
namespace {

using ::testing::HasSubstr;

constexpr MetricFamily kEvents = {"kvscope_test_events_total", "Events of this test.", "kind"};

std::string Scrape(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = read(fd, buffer, sizeof(buffer))) > 0;) text.append(buffer, n);
  close(fd);
  return text;
}

TEST(Telemetry, ServesCountersAndTheVersion) {
  const auto endpoint = MetricsEndpoint::Start("localhost:0");
  ASSERT_TRUE(endpoint.ok()) << endpoint.status();
  Count(kEvents, "good");
  Count(kEvents, "good", 2);
  const std::string page = Scrape((*endpoint)->port());
  EXPECT_THAT(page, HasSubstr("kvscope_test_events_total{kind=\"good\"} 3"));
  EXPECT_THAT(page, HasSubstr("kvscope_build_info{version=\"" + std::string(kVersion) + "\"} 1"));
}

TEST(Telemetry, ATakenPortIsNamed) {
  const auto first = MetricsEndpoint::Start("127.0.0.1:0");
  ASSERT_TRUE(first.ok());
  const std::string address = "127.0.0.1:" + std::to_string((*first)->port());
  const auto second = MetricsEndpoint::Start(address);
  ASSERT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(address));
}

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
