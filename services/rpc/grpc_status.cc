#include "services/rpc/grpc_status.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace kvscope::rpc {
namespace {

using google::protobuf::util::TimeUtil;

constexpr size_t kMaxMessageBytes = 4096;
constexpr size_t kMaxMessageBytesWithDetails = 1024;

// Where Any and payloads have their names from.
template <typename Detail>
std::string UrlOf() {
  return absl::StrCat("type.googleapis.com/", std::string(Detail::descriptor()->full_name()));
}

template <typename Detail>
std::optional<Detail> Find(const absl::Status& status) {
  const auto payload = status.GetPayload(UrlOf<Detail>());
  Detail detail;
  if (!payload || !detail.ParseFromString(std::string(*payload))) return std::nullopt;
  return detail;
}

bool IsPathCharacter(char c) {
  return absl::ascii_islower(static_cast<unsigned char>(c)) ||
         absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '[' ||
         c == ']';
}

// "a.b[1]: what" -> a.b[1]; empty if the message begins otherwise.
std::string_view LeadingField(std::string_view message) {
  const auto* end = std::find_if_not(message.begin(), message.end(), IsPathCharacter);
  const std::string_view path = message.substr(0, static_cast<size_t>(end - message.begin()));
  const bool named = !path.empty() && absl::ascii_islower(static_cast<unsigned char>(path[0])) &&
                     message.substr(path.size()).starts_with(": ");
  return named ? path : std::string_view();
}

void AddViolation(std::string_view message, google::rpc::Status& details) {
  const std::string_view field = LeadingField(message);
  if (field.empty()) return;
  google::rpc::BadRequest bad;
  google::rpc::BadRequest::FieldViolation* violation = bad.add_field_violations();
  violation->set_field(std::string(field));
  violation->set_description(std::string(message.substr(field.size() + 2)));
  details.add_details()->PackFrom(bad);
}

std::string DetailsOf(const absl::Status& status, const std::string& message) {
  google::rpc::Status details;
  status.ForEachPayload([&](const auto& url, const absl::Cord& payload) {
    google::protobuf::Any* any = details.add_details();
    any->set_type_url(std::string(url.data(), url.size()));
    any->set_value(std::string(payload));
  });
  const bool names_field = status.GetPayload(UrlOf<google::rpc::BadRequest>()).has_value();
  if (absl::IsInvalidArgument(status) && !names_field) AddViolation(message, details);
  if (details.details().empty()) return "";
  details.set_code(status.raw_code());
  details.set_message(message);
  return details.SerializeAsString();
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  std::string message(status.message().data(), status.message().size());
  if (message.size() > kMaxMessageBytes) {
    message.resize(kMaxMessageBytes);
    message += " ...";
  }
  const auto code = static_cast<grpc::StatusCode>(status.raw_code());
  if (message.size() > kMaxMessageBytesWithDetails) return {code, message};
  return {code, message, DetailsOf(status, message)};
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const int code = status.error_code();
  const bool known = code > 0 && code <= grpc::StatusCode::UNAUTHENTICATED;
  absl::Status result(known ? static_cast<absl::StatusCode>(code) : absl::StatusCode::kUnknown,
                      status.error_message());
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return result;
  for (const google::protobuf::Any& any : details.details()) {
    result.SetPayload(any.type_url(), absl::Cord(any.value()));
  }
  return result;
}

absl::Status WithRetryDelay(absl::Status status, absl::Duration delay) {
  google::rpc::RetryInfo retry;
  *retry.mutable_retry_delay() = TimeUtil::NanosecondsToDuration(absl::ToInt64Nanoseconds(delay));
  status.SetPayload(UrlOf<google::rpc::RetryInfo>(), absl::Cord(retry.SerializeAsString()));
  return status;
}

std::optional<absl::Duration> RetryDelay(const absl::Status& status) {
  const auto retry = Find<google::rpc::RetryInfo>(status);
  if (!retry || !retry->has_retry_delay()) return std::nullopt;
  return absl::Seconds(retry->retry_delay().seconds()) +
         absl::Nanoseconds(retry->retry_delay().nanos());
}

std::string ViolatedField(const absl::Status& status) {
  const auto bad = Find<google::rpc::BadRequest>(status);
  return bad && bad->field_violations_size() > 0 ? bad->field_violations(0).field() : "";
}

}  // namespace kvscope::rpc
