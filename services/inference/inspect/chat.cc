#include "services/inference/inspect/chat.h"

#include "absl/strings/str_cat.h"
#include "services/inference/tokenizer/chat_template.h"
#include "services/inference/tokenizer/tokenizer.h"

namespace kvscope::inference {

absl::StatusOr<std::string> InspectChat(const InspectChatOptions& options,
                                        std::string_view messages_json) {
  const absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = Tokenizer::Load(options.model_dir);
  if (!tokenizer.ok()) return tokenizer.status();
  const absl::StatusOr<const ChatTemplate*> chat_template = (*tokenizer)->chat_template();
  if (!chat_template.ok()) return chat_template.status();
  if (*chat_template == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat(options.model_dir,
                     ": the model has no chat template (neither in "
                     "tokenizer_config.json nor as chat_template.jinja)"));
  }
  ChatOptions chat;
  chat.add_generation_prompt = options.add_generation_prompt;
  chat.special_tokens = (*tokenizer)->special_tokens();
  chat.variables_json = options.variables_json;
  if (options.now) chat.now = *options.now;
  return RenderChatJson(**chat_template, messages_json, chat);
}

}  // namespace kvscope::inference
