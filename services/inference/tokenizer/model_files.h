// The files of a Hugging Face model directory that a tokenizer reads.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace kvscope::inference {

struct TokenizerFiles {
  std::string tokenizer_json_path;
  std::string tokenizer_json;                         // its bytes
  std::map<std::string, std::string> special_tokens;  // "bos_token" -> "<|begin_of_text|>", ...
  std::optional<std::string> chat_template;           // chat_template.jinja, else the config's
  std::string chat_template_path;                     // the file it came from
  std::vector<int32_t> eos_ids;  // of generation_config.json, else config.json; may be empty
};

// Reads tokenizer.json and, where they exist, tokenizer_config.json, chat_template.jinja,
// generation_config.json and config.json.
// Errors: NotFound without a tokenizer.json, InvalidArgument for a malformed file; both name the
// path.
absl::StatusOr<TokenizerFiles> ReadTokenizerFiles(const std::string& model_dir);

}  // namespace kvscope::inference
