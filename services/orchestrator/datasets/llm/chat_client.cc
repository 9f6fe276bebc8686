#include "services/orchestrator/datasets/llm/chat_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "services/orchestrator/sweep/utf8.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator::llm {
namespace {

using nlohmann::json;

constexpr std::string_view kPath = "/chat/completions";
constexpr double kLongestBackoff = 60;
constexpr double kConnectTimeout = 15;
constexpr size_t kToldBytes = 300;

struct CurlDeleter {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Curl = std::unique_ptr<CURL, CurlDeleter>;
using Url = std::unique_ptr<CURLU, CurlDeleter>;
using Headers = std::unique_ptr<curl_slist, CurlDeleter>;

// A part of a URL; empty where it has none.
std::string PartOf(const Url& url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url.get(), part, &text, 0) != CURLUE_OK || text == nullptr) return "";
  std::string copy = text;
  curl_free(text);
  return copy;
}

bool IsLoopback(const std::string& host) {
  return host == "localhost" || host == "[::1]" || absl::StartsWith(host, "127.");
}

// What is being received: cut off, with a note, once it is too much.
struct Received {
  std::string body;
  bool too_large = false;
  const std::function<bool()>* cancelled = nullptr;
};

size_t Receive(char* bytes, size_t size, size_t count, void* target) {
  auto& received = *static_cast<Received*>(target);
  if (received.body.size() + size * count > kMaxReplyBytes) {
    received.too_large = true;
    return 0;  // libcurl then ends the transfer
  }
  received.body.append(bytes, size * count);
  return size * count;
}

int Progress(void* source, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return (*static_cast<Received*>(source)->cancelled)() ? 1 : 0;
}

bool NeverConnected(CURLcode code) {
  return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
         code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_SSL_CONNECT_ERROR;
}

// Failures of a connection that a next one need not have; a wrong certificate is none.
bool IsBroken(CURLcode code) {
  return NeverConnected(code) || code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR ||
         code == CURLE_SEND_ERROR || code == CURLE_PARTIAL_FILE || code == CURLE_HTTP2 ||
         code == CURLE_HTTP2_STREAM;
}

absl::Status UrlError(const std::string& url, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("--llm: ", Quoted(url), " ", what));
}

}  // namespace

struct ChatClient::Attempt {
  CURLcode code = CURLE_OK;
  int64_t status = 0;
  double retry_after_s = 0;  // 0: none was given
  std::string body;
  bool too_large = false;
  std::string redirect;

  bool timed_out() const { return code == CURLE_OPERATION_TIMEDOUT; }
  bool succeeded() const { return code == CURLE_OK && status >= 200 && status < 300; }
  // Whether another try may fare better.
  bool transient() const {
    if (code != CURLE_OK) return timed_out() || IsBroken(code);
    return status == 429 || status == 408 || status >= 500;
  }
  std::string kind() const {
    if (code == CURLE_OK) return absl::StrCat(status);
    return timed_out() ? "timeout" : "connection";
  }
};

void ChatTraffic::Add(const ChatTraffic& other) {
  requests += other.requests;
  for (const auto& [kind, count] : other.retries) retries[kind] += count;
  prompt_tokens += other.prompt_tokens;
  completion_tokens += other.completion_tokens;
}

ChatClient::ChatClient(ChatEndpoint endpoint, std::function<bool()> cancelled)
    : endpoint_(std::move(endpoint)), cancelled_(std::move(cancelled)) {}

absl::StatusOr<std::unique_ptr<ChatClient>> ChatClient::Create(ChatEndpoint endpoint,
                                                               std::function<bool()> cancelled) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  const Url url(curl_url());
  const std::string typed = endpoint.url;
  if (curl_url_set(url.get(), CURLUPART_URL, typed.c_str(), CURLU_NON_SUPPORT_SCHEME) !=
      CURLUE_OK) {
    return UrlError(typed, "is no URL, must be such as http://127.0.0.1:8000/v1");
  }
  const std::string scheme = PartOf(url, CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    return UrlError(typed, "must begin with http:// or https://");
  }
  if (!PartOf(url, CURLUPART_USER).empty() || !PartOf(url, CURLUPART_PASSWORD).empty()) {
    return absl::InvalidArgumentError(
        "--llm: the URL carries a user or a password; give a key by --api-key-file instead");
  }
  if (!PartOf(url, CURLUPART_QUERY).empty() || !PartOf(url, CURLUPART_FRAGMENT).empty()) {
    return UrlError(typed, "has a query or a fragment, must end with the path, such as /v1");
  }
  while (endpoint.url.ends_with('/')) endpoint.url.pop_back();
  if (endpoint.url.ends_with(kPath)) endpoint.url.resize(endpoint.url.size() - kPath.size());
  const bool printable = std::all_of(endpoint.api_key.begin(), endpoint.api_key.end(),
                                     [](char c) { return c > ' ' && c < '\x7F'; });
  if (!printable) {
    return absl::InvalidArgumentError(
        "the API key has blanks, control or non-ASCII characters, must be one word");
  }
  const bool loopback = IsLoopback(PartOf(url, CURLUPART_HOST));
  if (scheme == "http" && !loopback && !endpoint.api_key.empty() && !endpoint.insecure) {
    return UrlError(typed,
                    "would send the API key in plain text to another machine: use https://, or "
                    "--insecure if the network is trusted");
  }
  std::unique_ptr<ChatClient> client(new ChatClient(std::move(endpoint), std::move(cancelled)));
  client->loopback_ = loopback;
  return client;
}

std::string ChatClient::Body(const ChatRequest& request) const {
  json messages = json::array();
  for (const ChatMessage& message : request.messages) {
    messages.push_back({{"role", message.role}, {"content", message.content}});
  }
  json body = {{"model", endpoint_.model}, {"messages", std::move(messages)}, {"stream", false}};
  if (endpoint_.send_seed) body["seed"] = request.seed;
  if (endpoint_.send_max_tokens) body["max_tokens"] = request.max_tokens;
  if (endpoint_.temperature) body["temperature"] = *endpoint_.temperature;
  return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

ChatClient::Attempt ChatClient::Post(const std::string& body) {
  Attempt attempt;
  const Curl curl(curl_easy_init());
  Received received = {.body = "", .too_large = false, .cancelled = &cancelled_};
  Headers headers(curl_slist_append(nullptr, "Content-Type: application/json"));
  const auto add_header = [&](const std::string& line) {
    curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
    if (longer != headers.get()) headers.reset(longer);
  };
  add_header("Accept: application/json");
  add_header("Expect:");  // no waiting for "100 Continue"
  if (!endpoint_.api_key.empty()) add_header("Authorization: Bearer " + endpoint_.api_key);

  const auto set = [&](CURLoption option, auto value) {
    if (const CURLcode code = curl_easy_setopt(curl.get(), option, value); code != CURLE_OK) {
      attempt.code = code;
    }
  };
  const std::string url = absl::StrCat(endpoint_.url, std::string(kPath));
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_HTTPHEADER, headers.get());
  set(CURLOPT_POSTFIELDS, body.c_str());
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(endpoint_.timeout_s * 1000));
  set(CURLOPT_CONNECTTIMEOUT_MS,
      static_cast<long>(std::min(kConnectTimeout, endpoint_.timeout_s) * 1000));
  set(CURLOPT_WRITEFUNCTION, &Receive);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&received));
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, &Progress);
  set(CURLOPT_XFERINFODATA, static_cast<void*>(&received));
  if (loopback_) set(CURLOPT_PROXY, "");
  if (attempt.code != CURLE_OK) return attempt;

  attempt.code = curl_easy_perform(curl.get());
  long status = 0;
  curl_off_t retry_after = 0;
  char* redirect = nullptr;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(curl.get(), CURLINFO_RETRY_AFTER, &retry_after);
  curl_easy_getinfo(curl.get(), CURLINFO_REDIRECT_URL, &redirect);
  attempt.status = status;
  attempt.retry_after_s = static_cast<double>(retry_after);
  if (redirect != nullptr) attempt.redirect = redirect;
  attempt.body = std::move(received.body);
  attempt.too_large = received.too_large;
  if (attempt.too_large) attempt.code = CURLE_OK;  // it was us who ended it
  return attempt;
}

std::string ChatClient::Complaint(const std::string& body) const {
  const json reply = json::parse(body, nullptr, /*allow_exceptions=*/false);
  std::string said;
  if (reply.is_object()) {
    const json error = reply.value("error", reply);
    if (error.is_string()) said = error.get<std::string>();
    for (const char* key : {"message", "detail"}) {
      if (!said.empty() || !error.is_object() || !error.contains(key)) continue;
      said = error[key].is_string()
                 ? error[key].get<std::string>()
                 : error[key].dump(-1, ' ', true, json::error_handler_t::replace);
    }
  }
  if (said.empty()) said = body;
  if (!endpoint_.api_key.empty()) {
    said = absl::StrReplaceAll(said, {{endpoint_.api_key, "[the API key]"}});
  }
  return said.empty() ? "" : absl::StrCat(": ", Quoted(said, kToldBytes));
}

absl::Status ChatClient::Refusal(const Attempt& attempt) const {
  const std::string said =
      absl::StrCat(endpoint_.url, ": answers HTTP ", attempt.status, Complaint(attempt.body));
  if (attempt.status >= 300 && attempt.status < 400) {
    return absl::FailedPreconditionError(absl::StrCat(
        endpoint_.url, ": answers HTTP ", attempt.status, " and points to ",
        Quoted(attempt.redirect, kToldBytes), "; no redirect is followed: give that address"));
  }
  if (attempt.status == 401 || attempt.status == 403) {
    return absl::PermissionDeniedError(absl::StrCat(
        said, endpoint_.api_key.empty() ? "; no API key was given (--api-key-file)" : ""));
  }
  return absl::InvalidArgumentError(said);
}

absl::Status ChatClient::GaveUp(const Attempt& attempt, int tries) const {
  const std::string times = tries > 1 ? absl::StrCat(", ", tries, " times in a row") : "";
  if (attempt.code == CURLE_OK) {
    return absl::UnavailableError(absl::StrCat(endpoint_.url, ": answers HTTP ", attempt.status,
                                               times, Complaint(attempt.body)));
  }
  if (attempt.timed_out()) {
    return absl::DeadlineExceededError(absl::StrCat(endpoint_.url, ": no whole answer within ",
                                                    absl::StrFormat("%g", endpoint_.timeout_s),
                                                    " s", times, " (--timeout)"));
  }
  return absl::UnavailableError(
      absl::StrCat(endpoint_.url, ": ", curl_easy_strerror(attempt.code), times));
}

absl::StatusOr<ChatReply> ChatClient::Read(const Attempt& attempt, ChatTraffic& traffic) const {
  if (attempt.too_large) {
    return absl::DataLossError(
        absl::StrCat("the endpoint's reply is larger than ", kMaxReplyBytes, " bytes"));
  }
  const json reply = json::parse(attempt.body, nullptr, /*allow_exceptions=*/false);
  const auto choices = reply.is_object() ? reply.find("choices") : reply.end();
  if (!reply.is_object() || choices == reply.end() || !choices->is_array() || choices->empty() ||
      !(*choices)[0].is_object()) {
    return absl::DataLossError("the endpoint's reply is no chat completion");
  }
  if (const auto usage = reply.find("usage"); usage != reply.end() && usage->is_object()) {
    const auto count = [&](const char* key) -> int64_t {
      const auto field = usage->find(key);
      const bool sane = field != usage->end() && field->is_number_unsigned() &&
                        field->get<uint64_t>() < (uint64_t{1} << 40);
      return sane ? field->get<int64_t>() : 0;
    };
    traffic.prompt_tokens += count("prompt_tokens");
    traffic.completion_tokens += count("completion_tokens");
  }
  const json& choice = (*choices)[0];
  const auto message = choice.find("message");
  const auto content =
      message != choice.end() && message->is_object() ? message->find("content") : choice.end();
  if (message == choice.end() || !message->is_object() || content == message->end() ||
      !content->is_string()) {
    return absl::DataLossError("the endpoint's reply has no message with text");
  }
  const auto finish = choice.find("finish_reason");
  ChatReply result;
  result.text = content->get<std::string>();
  result.truncated = finish != choice.end() && *finish == "length";
  return result;
}

absl::Status ChatClient::Wait(double seconds) const {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::duration<double>(seconds);
  while (Clock::now() < until) {
    if (cancelled_()) return absl::CancelledError("interrupted");
    std::this_thread::sleep_for(std::min<std::chrono::duration<double>>(
        std::chrono::milliseconds(100), until - Clock::now()));
  }
  return absl::OkStatus();
}

absl::StatusOr<ChatReply> ChatClient::Ask(const ChatRequest& request, ChatTraffic& traffic) {
  const std::string body = Body(request);
  double backoff = endpoint_.first_wait_s;
  int timeouts = 0;
  for (int tried = 1;; ++tried) {
    if (cancelled_()) return absl::CancelledError("interrupted");
    const Attempt attempt = Post(body);
    ++traffic.requests;
    if (attempt.code == CURLE_ABORTED_BY_CALLBACK) return absl::CancelledError("interrupted");
    const bool was_reached = reached_;
    if (attempt.code == CURLE_OK) reached_ = true;
    if (attempt.succeeded()) return Read(attempt, traffic);
    if (!attempt.transient()) {
      return attempt.code == CURLE_OK ? Refusal(attempt) : GaveUp(attempt, 1);
    }
    ++traffic.retries[attempt.kind()];
    timeouts += attempt.timed_out();
    const bool last = tried >= endpoint_.tries || timeouts >= endpoint_.timeout_tries ||
                      (!was_reached && NeverConnected(attempt.code));
    if (last) return GaveUp(attempt, attempt.timed_out() ? timeouts : tried);
    if (attempt.retry_after_s > endpoint_.longest_wait_s) {
      return absl::UnavailableError(absl::StrCat(
          endpoint_.url, ": answers HTTP ", attempt.status, " and asks to come back in ",
          static_cast<int64_t>(attempt.retry_after_s), " s: run the same command again then"));
    }
    KVSCOPE_RETURN_IF_ERROR(Wait(attempt.retry_after_s > 0 ? attempt.retry_after_s : backoff));
    backoff = std::min(2 * backoff, kLongestBackoff);
  }
}

}  // namespace kvscope::orchestrator::llm
