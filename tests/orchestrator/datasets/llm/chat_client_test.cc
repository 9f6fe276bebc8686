#include "services/orchestrator/datasets/llm/chat_client.h"

#include <gmock/gmock.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "tests/orchestrator/datasets/llm/scripted_server.h"

namespace kvscope::orchestrator::llm {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

const ChatRequest kRequest = {
    .messages = {{"system", "be brief"}, {"user", "say \"hé\""}}, .max_tokens = 50, .seed = 3};

ChatEndpoint At(const std::string& url) {
  ChatEndpoint endpoint;
  endpoint.url = url;
  endpoint.model = "m";
  endpoint.timeout_s = 5;
  endpoint.first_wait_s = 0.02;
  return endpoint;
}

absl::StatusOr<ChatReply> Ask(
    const ChatEndpoint& endpoint, ChatTraffic* traffic = nullptr,
    std::function<bool()> cancelled = [] { return false; }) {
  absl::StatusOr<std::unique_ptr<ChatClient>> client = ChatClient::Create(endpoint, cancelled);
  if (!client.ok()) return client.status();
  ChatTraffic ignored;
  return (*client)->Ask(kRequest, traffic == nullptr ? ignored : *traffic);
}

std::string Error(const absl::StatusOr<ChatReply>& reply) {
  return std::string(reply.status().message());
}

TEST(ChatClient, SendsTheProtocolAndReadsTheAnswer) {
  ScriptedServer server({ScriptedServer::Chat("hello", "length")});
  ChatEndpoint endpoint = At(server.url() + "/chat/completions");  // the full address will do
  endpoint.api_key = "k-1";
  ChatTraffic traffic;
  const auto reply = Ask(endpoint, &traffic);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->text, "hello");
  EXPECT_TRUE(reply->truncated);
  EXPECT_EQ(traffic.prompt_tokens, 11);
  EXPECT_EQ(traffic.completion_tokens, 7);
  const std::string request = server.requests().at(0);
  EXPECT_THAT(request, AllOf(HasSubstr("POST /v1/chat/completions HTTP/1.1\r\n"),
                             HasSubstr("Content-Type: application/json\r\n"),
                             HasSubstr("Authorization: Bearer k-1\r\n")));
  EXPECT_EQ(json::parse(request.substr(request.find("\r\n\r\n"))),
            json::parse(R"({"model": "m", "stream": false, "seed": 3, "max_tokens": 50,
                            "messages": [{"role": "system", "content": "be brief"},
                                         {"role": "user", "content": "say \"hé\""}]})"));
}

TEST(ChatClient, LeavesOutWhatIsOmitted) {
  ScriptedServer server({ScriptedServer::Chat("x")});
  ChatEndpoint endpoint = At(server.url());
  endpoint.send_seed = endpoint.send_max_tokens = false;
  endpoint.temperature = 0.25;
  ASSERT_TRUE(Ask(endpoint).ok());
  EXPECT_THAT(server.requests().at(0), AllOf(Not(HasSubstr("seed")), Not(HasSubstr("max_tokens")),
                                             HasSubstr("\"temperature\":0.25")));
}

TEST(ChatClient, TriesAgainAfterWhatMayPass) {
  ScriptedServer server({ScriptedServer::Http(429, "{}"),
                         ScriptedServer::Http(503, ""),
                         {""},  // closed without a byte
                         {"HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\n{"},  // cut off
                         ScriptedServer::Chat("at last")});
  ChatTraffic traffic;
  const auto reply = Ask(At(server.url()), &traffic);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->text, "at last");
  EXPECT_EQ(traffic.requests, 5);
  EXPECT_THAT(traffic.retries, ElementsAre(Pair("429", 1), Pair("503", 1), Pair("connection", 2)));
}

TEST(ChatClient, WaitsAsLongAsItIsAsked) {
  ScriptedServer server(
      {ScriptedServer::Http(503, "", "Retry-After: 1\r\n"), ScriptedServer::Chat("x")});
  const auto began = std::chrono::steady_clock::now();
  ASSERT_TRUE(Ask(At(server.url())).ok());
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::seconds(1));

  ScriptedServer later({ScriptedServer::Http(429, "", "Retry-After: 86400\r\n")});
  const auto reply = Ask(At(later.url()));
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Error(reply), HasSubstr("86400 s"));
}

TEST(ChatClient, GivesUpInTheEnd) {
  ScriptedServer server({ScriptedServer::Http(500, R"({"error": {"message": "no memory"}})")});
  const auto reply = Ask(At(server.url()));
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Error(reply), AllOf(HasSubstr("500"), HasSubstr("6 times"), HasSubstr("no memory")));
  EXPECT_EQ(server.requests().size(), 6u);
}

TEST(ChatClient, BoundsTheTimeOfARequest) {
  ScriptedServer::Reply drip = ScriptedServer::Chat("x");
  drip.byte_delay_s = 0.05;  // each byte in time, the whole far too late
  ScriptedServer server({drip});
  ChatEndpoint endpoint = At(server.url());
  endpoint.timeout_s = 0.3;
  endpoint.timeout_tries = 2;
  const auto reply = Ask(endpoint);
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(Error(reply), AllOf(HasSubstr("0.3 s"), HasSubstr("2 times")));
}

TEST(ChatClient, TakesNoAnswerThatIsNone) {
  for (const std::string body :
       {"", "[]", "3", "{}", R"({"choices": 3})", R"({"choices": []})", R"({"choices": [3]})",
        R"({"choices": [{"message": 3}]})", R"({"choices": [{"message": {"content": null}}]})",
        R"({"choices": [{"message": {"content": ["x"]}}]})", "{\"choices\": \xFF",
        R"({"choices": [{}], "usage": {"prompt_tokens": -1}})"}) {
    ScriptedServer server({ScriptedServer::Http(200, body)});
    EXPECT_EQ(Ask(At(server.url())).status().code(), absl::StatusCode::kDataLoss) << body;
  }
  ScriptedServer huge({ScriptedServer::Http(200, std::string(kMaxReplyBytes + 1, ' '))});
  const auto reply = Ask(At(huge.url()));
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Error(reply), HasSubstr("larger than"));
}

TEST(ChatClient, DoesNotRepeatWhatIsRefused) {
  const std::pair<int, absl::StatusCode> refusals[] = {
      {400, absl::StatusCode::kInvalidArgument},    {401, absl::StatusCode::kPermissionDenied},
      {403, absl::StatusCode::kPermissionDenied},   {404, absl::StatusCode::kInvalidArgument},
      {302, absl::StatusCode::kFailedPrecondition}, {422, absl::StatusCode::kInvalidArgument}};
  for (const auto& [status, code] : refusals) {
    ScriptedServer server({ScriptedServer::Http(
        status, R"({"detail": [{"msg": "no \u001b[31m k-secret"}]})", "Location: ftp://h/\r\n")});
    ChatEndpoint endpoint = At(server.url());
    endpoint.api_key = "k-secret";
    const auto reply = Ask(endpoint);
    EXPECT_EQ(reply.status().code(), code) << status;
    EXPECT_THAT(Error(reply), AllOf(HasSubstr(server.url()), HasSubstr(std::to_string(status)),
                                    Not(HasSubstr("k-secret")), Not(HasSubstr("\x1b"))));
    EXPECT_EQ(server.requests().size(), 1u);
  }
}

TEST(ChatClient, StopsWhenCancelled) {
  std::atomic<bool> cancelled = false;
  ScriptedServer::Reply late = ScriptedServer::Chat("x");
  late.delay_s = 60;
  ScriptedServer server({late});
  std::thread later([&] {
    while (server.requests().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    cancelled = true;
  });
  ChatEndpoint endpoint = At(server.url());
  endpoint.timeout_s = 60;
  const auto began = std::chrono::steady_clock::now();
  const auto reply = Ask(endpoint, nullptr, [&] { return cancelled.load(); });
  later.join();
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kCancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
}

}  // namespace
}  // namespace kvscope::orchestrator::llm
