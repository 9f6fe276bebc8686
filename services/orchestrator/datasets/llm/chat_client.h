// A client of OpenAI-compatible endpoints: POST {base}/chat/completions, over libcurl.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kvscope::orchestrator::llm {

// The longest reply that is read: a passage is some kilobytes.
inline constexpr size_t kMaxReplyBytes = 4 << 20;

struct ChatEndpoint {
  std::string url;  // such as http://127.0.0.1:8000/v1
  std::string model;
  std::string api_key;                // sent as a bearer token; empty: none.  Never in any message
  bool insecure = false;              // lets the key travel over plain HTTP beyond this machine
  double timeout_s = 300;             // of one request, from connecting to the last byte
  std::optional<double> temperature;  // none: the endpoint's default
  bool send_seed = true;              // some endpoints refuse fields that they do not know
  bool send_max_tokens = true;
  int tries = 6;                // of a request that meets 429, 5xx, a broken connection
  int timeout_tries = 3;        // of one that takes too long
  double first_wait_s = 1;      // before the second try; doubles up to a minute
  double longest_wait_s = 300;  // a Retry-After beyond it ends the request
};

struct ChatMessage {
  std::string role;  // system, user, assistant
  std::string content;
};

struct ChatRequest {
  std::vector<ChatMessage> messages;
  int64_t max_tokens = 0;
  uint32_t seed = 0;
};

struct ChatReply {
  std::string text;
  bool truncated = false;  // the endpoint says that the token limit ended it
};

// What was sent and received, as far as the endpoint says.
struct ChatTraffic {
  int64_t requests = 0;                    // every try
  std::map<std::string, int64_t> retries;  // tries that failed, by "429", "500", "timeout", ...
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;

  void Add(const ChatTraffic& other);
};

// May be shared by threads.
class ChatClient {
 public:
  // `cancelled` is asked about ten times a second while a request or a wait is under way; from any
  // of the calling threads.
  // Errors, before anything is sent: InvalidArgument for a URL that is no http(s) one, or carries
  // a user, a query or a fragment; for a key of which no header can be made; for a key over plain
  // HTTP to another machine unless `insecure`.
  static absl::StatusOr<std::unique_ptr<ChatClient>> Create(ChatEndpoint endpoint,
                                                            std::function<bool()> cancelled);

  // Asks, and asks again after 429 and 5xx (after Retry-After where given), broken connections and
  // timeouts.  Until the endpoint has answered once, a failure to connect is final.
  // Errors: Cancelled; Unavailable where nobody answers, also after all tries; DeadlineExceeded
  // after timeouts; PermissionDenied for 401 and 403, InvalidArgument for other 4xx, with what the
  // endpoint said; FailedPrecondition for a redirect (none is followed).  DataLoss is the only one
  // after which another request makes sense: a reply that is no chat completion, or too large.
  absl::StatusOr<ChatReply> Ask(const ChatRequest& request, ChatTraffic& traffic);

 private:
  struct Attempt;  // what became of one try

  ChatClient(ChatEndpoint endpoint, std::function<bool()> cancelled);

  std::string Body(const ChatRequest& request) const;
  Attempt Post(const std::string& body);
  absl::StatusOr<ChatReply> Read(const Attempt& attempt, ChatTraffic& traffic) const;
  absl::Status Refusal(const Attempt& attempt) const;
  absl::Status GaveUp(const Attempt& attempt, int tries) const;
  absl::Status Wait(double seconds) const;
  // What the endpoint says is wrong, fit for a terminal and without the key; empty if nothing.
  std::string Complaint(const std::string& body) const;

  ChatEndpoint endpoint_;
  std::function<bool()> cancelled_;
  bool loopback_ = false;
  std::atomic<bool> reached_ = false;  // whether the endpoint has ever answered
};

}  // namespace kvscope::orchestrator::llm
