#include "services/inference/tokenizer/chat_template.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "services/inference/tokenizer/jinja_builtins.h"
#include "services/inference/tokenizer/jinja_evaluator.h"
#include "services/inference/tokenizer/jinja_parser.h"
#include "services/inference/tokenizer/tokenizer.h"
#include "services/inference/tokenizer/unicode.h"

namespace kvscope::inference {
namespace {

using Json = nlohmann::ordered_json;  // tojson keeps the order of keys

constexpr int kMaxJsonDepth = 60;
constexpr size_t kBaseWork = 64 << 20;  // units of jinja::Evaluator: about a second's worth
constexpr size_t kWorkPerInputByte = 64;

absl::Status Invalid(std::string_view what, std::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(std::string(what), ": ", std::string(problem)));
}

// Nothing for what nests too deep.
std::optional<jinja::Value> ToValue(const Json& json, int depth = 0) {
  if (depth > kMaxJsonDepth) return std::nullopt;
  if (json.is_array()) {
    std::vector<jinja::Value> items;
    for (const Json& item : json) {
      std::optional<jinja::Value> value = ToValue(item, depth + 1);
      if (!value) return std::nullopt;
      items.push_back(*std::move(value));
    }
    return jinja::Value::List(std::move(items));
  }
  if (json.is_object()) {
    std::vector<std::pair<std::string, jinja::Value>> items;
    for (const auto& [key, item] : json.items()) {
      std::optional<jinja::Value> value = ToValue(item, depth + 1);
      if (!value) return std::nullopt;
      items.emplace_back(key, *std::move(value));
    }
    return jinja::Value::Dict(std::move(items));
  }
  if (json.is_string()) return jinja::Value(json.get<std::string>());
  if (json.is_boolean()) return jinja::Value(json.get<bool>());
  if (json.is_number_unsigned() && json.get<uint64_t>() > INT64_MAX) {
    return jinja::Value(json.get<double>());
  }
  if (json.is_number_integer()) return jinja::Value(json.get<int64_t>());
  if (json.is_number_float()) return jinja::Value(json.get<double>());
  return jinja::Value(jinja::None{});
}

absl::StatusOr<Json> ParseJson(std::string_view text, std::string_view what) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Invalid(what, "they are not valid JSON");
  return json;
}

absl::Status AddVariables(const Json& object, std::string_view what, jinja::Variables* variables) {
  if (!object.is_object()) return Invalid(what, "they must be a JSON object");
  for (const auto& [name, json] : object.items()) {
    std::optional<jinja::Value> value = ToValue(json);
    if (!value) return Invalid(what, absl::StrCat("`", name, "` nests too deep"));
    variables->insert_or_assign(name, *std::move(value));
  }
  return absl::OkStatus();
}

}  // namespace

std::tm ChatOptions::FixedDay() {
  std::tm day{};
  day.tm_year = 2024 - 1900;
  day.tm_mon = 6;
  day.tm_mday = 26;
  day.tm_wday = 5;
  day.tm_yday = 207;
  return day;
}

ChatTemplate::ChatTemplate(std::string name, std::unique_ptr<const jinja::Template> program)
    : name_(std::move(name)), program_(std::move(program)) {}
ChatTemplate::~ChatTemplate() = default;

absl::StatusOr<std::unique_ptr<const ChatTemplate>> ChatTemplate::Parse(std::string_view source,
                                                                        const std::string& name) {
  absl::StatusOr<jinja::Template> program = jinja::ParseTemplate(ToValidUtf8(source));
  if (!program.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": chat template, ", program.status().message()));
  }
  return std::unique_ptr<const ChatTemplate>(
      new ChatTemplate(name, std::make_unique<const jinja::Template>(*std::move(program))));
}

absl::StatusOr<std::string> RenderChatJson(const ChatTemplate& chat_template,
                                           std::string_view messages_json,
                                           const ChatOptions& options) {
  jinja::Variables variables;
  jinja::AddGlobals(&variables);
  for (const auto& [name, token] : options.special_tokens) {
    variables.insert_or_assign(name, jinja::Value(ToValidUtf8(token)));
  }
  // transformers passes these to every template.
  variables.insert_or_assign("tools", jinja::Value(jinja::None{}));
  variables.insert_or_assign("documents", jinja::Value(jinja::None{}));
  variables.insert_or_assign("add_generation_prompt", jinja::Value(options.add_generation_prompt));

  absl::StatusOr<Json> messages = ParseJson(messages_json, "the messages");
  if (!messages.ok()) return messages.status();
  if (messages->is_array()) {
    Json wrapped;
    wrapped["messages"] = *std::move(messages);
    messages = std::move(wrapped);
  }
  absl::Status status = AddVariables(*messages, "the messages", &variables);
  if (status.ok() && (!messages->contains("messages") || !(*messages)["messages"].is_array())) {
    status = Invalid("the messages", "they must be a list, or an object with a list `messages`");
  }
  if (status.ok() && !options.variables_json.empty()) {
    const absl::StatusOr<Json> more = ParseJson(options.variables_json, "the template's variables");
    status =
        more.ok() ? AddVariables(*more, "the template's variables", &variables) : more.status();
  }
  if (!status.ok()) return status;

  const size_t input_bytes = messages_json.size() + options.variables_json.size();
  jinja::Evaluator evaluator(kBaseWork + kWorkPerInputByte * input_bytes, options.now);
  absl::StatusOr<std::string> text = evaluator.Run(*chat_template.program_, std::move(variables));
  if (text.ok()) return text;
  return absl::InvalidArgumentError(
      absl::StrCat(chat_template.name_, ": chat template, ", text.status().message()));
}

absl::StatusOr<std::string> RenderChat(const ChatTemplate& chat_template,
                                       std::span<const ChatMessage> messages,
                                       const ChatOptions& options) {
  Json list = Json::array();
  for (const ChatMessage& message : messages) {
    Json entry;
    entry["role"] = ToValidUtf8(message.role);
    entry["content"] = ToValidUtf8(message.content);
    list.push_back(std::move(entry));
  }
  return RenderChatJson(chat_template, list.dump(), options);
}

absl::StatusOr<ChatPieces> SplitChat(const Tokenizer& tokenizer, ChatOptions options) {
  const absl::StatusOr<const ChatTemplate*> chat_template = tokenizer.chat_template();
  if (!chat_template.ok()) return chat_template.status();
  options.special_tokens.insert(tokenizer.special_tokens().begin(),
                                tokenizer.special_tokens().end());
  if (*chat_template == nullptr) return ChatPieces{options.special_tokens["bos_token"], "\n"};

  options.add_generation_prompt = true;
  Json variables = {{"enable_thinking", false}};
  if (!options.variables_json.empty()) {
    const absl::StatusOr<Json> given =
        ParseJson(options.variables_json, "the template's variables");
    if (!given.ok()) return given.status();
    if (!given->is_object()) return Invalid("the template's variables", "they must be an object");
    variables.update(*given);
  }
  options.variables_json = variables.dump();

  const std::string separator(32, '#');  // as kvpress's: survives trim and changes of case
  const ChatMessage message{"user", separator};
  const absl::StatusOr<std::string> text =
      RenderChat(**chat_template, std::span(&message, 1), options);
  if (!text.ok()) return text.status();
  const size_t at = text->find(separator);
  if (at == std::string::npos || text->find(separator, at + 1) != std::string::npos) {
    return absl::InvalidArgumentError(
        "the chat template does not write a user message's content exactly once as it stands, so "
        "the prompt cannot be split around it");
  }
  return ChatPieces{text->substr(0, at), text->substr(at + separator.size())};
}

}  // namespace kvscope::inference
