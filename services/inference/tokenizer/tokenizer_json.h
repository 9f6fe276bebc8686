// tokenizer.json (the `tokenizers` library's format) as plain structs.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/inference/tokenizer/added_tokens.h"
#include "services/inference/tokenizer/bpe.h"
#include "services/inference/tokenizer/normalizer.h"
#include "services/inference/tokenizer/pre_tokenizer.h"

namespace kvscope::inference {

// How the strings of tokens become text.
struct DecoderStep {
  enum Kind { kByteLevel, kByteFallback, kReplace, kFuse, kStrip };
  Kind kind = kByteLevel;
  std::string pattern;  // kReplace: a literal; kStrip: the one character
  std::string content;  // kReplace
  size_t start = 0;     // kStrip: how many to take away at either end
  size_t stop = 0;
};

struct TokenizerSpec {
  BpeSpec model;
  std::vector<AddedToken> added_tokens;  // by id
  std::vector<NormalizerStep> normalizer;
  std::vector<PreTokenizerStep> pre_tokenizer;
  std::optional<std::vector<DecoderStep>> decoder;  // absent: tokens are joined by spaces
  std::vector<int32_t> template_head;  // what add_special_tokens puts before and after a text
  std::vector<int32_t> template_tail;
};

// Parses the bytes of a tokenizer.json. Memory is proportional to the file.
// Errors: InvalidArgument with one sentence that names the field, what was found and what is
// allowed.
absl::StatusOr<TokenizerSpec> ParseTokenizerJson(std::string_view json);

}  // namespace kvscope::inference
