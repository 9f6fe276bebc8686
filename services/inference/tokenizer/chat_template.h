// Chat templates: the Jinja programs that write a conversation the way a model was trained to read
// it.
//
// The subset that the templates of Llama 3, Qwen2.5, Qwen3 and Mistral use, with Python's semantics
// and transformers' settings (trim_blocks, lstrip_blocks, loop controls, tojson without HTML
// escapes). A hostile template ends with a Status: nesting, steps and output are bounded.
#pragma once

#include <ctime>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kvscope::inference {

class Tokenizer;
namespace jinja {
struct Template;
}

struct ChatMessage {
  std::string role;
  std::string content;
};

struct ChatOptions {
  bool add_generation_prompt = false;
  // Variables bos_token, eos_token, ...: Tokenizer::special_tokens().
  std::map<std::string, std::string> special_tokens;
  // A JSON object of further variables: tools, date_string, enable_thinking, ...; empty: none.
  std::string variables_json;
  // What strftime_now prints. A fixed day, unless the caller says otherwise, so that equal requests
  // give equal prompts (26 Jul 2024 is also what Llama 3's templates fall back to).
  std::tm now = FixedDay();

  static std::tm FixedDay();
};

// A parsed template; immutable, so it may be rendered by many threads at once.
class ChatTemplate {
 public:
  // `name` (the file) goes before the errors' text: InvalidArgument with the line and the
  // construct.
  static absl::StatusOr<std::unique_ptr<const ChatTemplate>> Parse(std::string_view source,
                                                                   const std::string& name);
  ~ChatTemplate();

 private:
  friend absl::StatusOr<std::string> RenderChatJson(const ChatTemplate&, std::string_view,
                                                    const ChatOptions&);
  ChatTemplate(std::string name, std::unique_ptr<const jinja::Template> program);

  std::string name_;
  std::unique_ptr<const jinja::Template> program_;
};

// The rendered conversation. Errors: InvalidArgument with the template's line, or the words it
// passed to raise_exception.
absl::StatusOr<std::string> RenderChat(const ChatTemplate& chat_template,
                                       std::span<const ChatMessage> messages,
                                       const ChatOptions& options);

// The same for messages as JSON, of whatever shape the template reads (tool calls, lists of parts):
// an array of messages, or an object {"messages": [...], and further variables}.
absl::StatusOr<std::string> RenderChatJson(const ChatTemplate& chat_template,
                                           std::string_view messages_json,
                                           const ChatOptions& options);

// What a chat template puts around the content of one user message, generation prompt included.
struct ChatPieces {
  std::string head;
  std::string tail;
};

// Renders one user message whose content is a separator and splits there, as kvpress does, with
// enable_thinking = false unless `options.variables_json` says otherwise. Without a template: the
// BOS token and a newline. The tokenizer's special tokens are filled in where `options` has none.
// Errors: those of RenderChat, and a template that does not write the content exactly once.
absl::StatusOr<ChatPieces> SplitChat(const Tokenizer& tokenizer, ChatOptions options = {});

}  // namespace kvscope::inference
