#include "tests/rpc/scrape.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>

#include "services/rpc/instruments.h"

namespace kvscope::rpc {

int ScrapePort() {
  static const auto* endpoint =
      new absl::StatusOr<std::unique_ptr<MetricsEndpoint>>(MetricsEndpoint::Start("localhost:0"));
  EXPECT_TRUE(endpoint->ok()) << endpoint->status();
  return endpoint->ok() ? (**endpoint)->port() : 0;
}

std::string Scrape() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(ScrapePort()));
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

}  // namespace kvscope::rpc
