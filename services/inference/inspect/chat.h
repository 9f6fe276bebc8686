// `kvscope inspect chat`: what a model's chat template makes of messages.
#pragma once

#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kvscope::inference {

struct InspectChatOptions {
  std::string model_dir;  // only the tokenizer's files are needed
  bool add_generation_prompt = false;
  std::string variables_json =
      {};  // a JSON object of the template's further variables; empty: none
  std::optional<std::tm> now =
      {};  // what strftime_now prints; without it, a fixed day (ChatOptions)
};

// The rendered text, as it is. `messages_json`: a list of messages, or an object with one as
// `messages` and further variables (tools, ...).
// Errors: those of Tokenizer::Load and RenderChatJson; FailedPrecondition without a chat template.
absl::StatusOr<std::string> InspectChat(const InspectChatOptions& options,
                                        std::string_view messages_json);

}  // namespace kvscope::inference
