#include "tests/orchestrator/datasets/llm/scripted_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

namespace kvscope::orchestrator::llm {
namespace {

// Reads a request: its head, and as many bytes as that announces.
std::string ReadRequest(int connection) {
  std::string request;
  size_t wanted = std::string::npos;
  char buffer[4096];
  while (request.size() < wanted) {
    const ssize_t count = recv(connection, buffer, sizeof buffer, 0);
    if (count <= 0) break;
    request.append(buffer, static_cast<size_t>(count));
    const size_t head = request.find("\r\n\r\n");
    if (head == std::string::npos || wanted != std::string::npos) continue;
    const size_t length = request.find("Content-Length: ");
    wanted = head + 4 + (length < head ? std::strtoul(&request[length + 16], nullptr, 10) : 0);
  }
  return request;
}

}  // namespace

ScriptedServer::ScriptedServer(std::vector<Reply> script) : script_(std::move(script)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener_, 16) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

ScriptedServer::~ScriptedServer() {
  stop_ = true;
  thread_.join();
  close(listener_);
}

std::string ScriptedServer::url() const {
  return "http://127.0.0.1:" + std::to_string(port_) + "/v1";
}

std::vector<std::string> ScriptedServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

ScriptedServer::Reply ScriptedServer::Http(int status, const std::string& body,
                                           const std::string& headers) {
  return {"HTTP/1.1 " + std::to_string(status) + " X\r\n" + headers +
          "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body};
}

ScriptedServer::Reply ScriptedServer::Chat(const std::string& text,
                                           const std::string& finish_reason) {
  const nlohmann::json body = {
      {"choices", {{{"message", {{"content", text}}}, {"finish_reason", finish_reason}}}},
      {"usage", {{"prompt_tokens", 11}, {"completion_tokens", 7}}}};
  return Http(200, body.dump());
}

void ScriptedServer::Serve() {
  size_t next = 0;
  while (!stop_) {
    pollfd waiting = {listener_, POLLIN, 0};
    if (poll(&waiting, 1, 20) != 1) continue;
    const int connection = accept(listener_, nullptr, nullptr);
    std::string request = ReadRequest(connection);
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(std::move(request));
    }
    Answer(connection, script_[std::min(next++, script_.size() - 1)]);
    close(connection);
  }
}

void ScriptedServer::Answer(int connection, const Reply& reply) {
  const auto wait = [&](double seconds) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (!stop_ && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  };
  wait(reply.delay_s);
  size_t sent = 0;
  while (sent < reply.bytes.size() && !stop_) {
    const size_t count = reply.byte_delay_s > 0 ? 1 : reply.bytes.size() - sent;
    const ssize_t written = send(connection, &reply.bytes[sent], count, MSG_NOSIGNAL);
    if (written <= 0) return;
    sent += static_cast<size_t>(written);
    wait(reply.byte_delay_s);
  }
}

}  // namespace kvscope::orchestrator::llm
