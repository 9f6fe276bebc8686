// Tokenizer: text to token ids and back, as the `tokenizers` library does it from a tokenizer.json.
//
// Read: BPE (byte-level, and character-level with byte fallback), Split/ByteLevel/Digits
// pre-tokenizers, Unicode normal forms, Prepend and Replace, added tokens, TemplateProcessing.
// Anything else is an error at Load, never a silent difference.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kvscope::inference {

class ChatTemplate;

// [begin, end) in code points of the text.
struct CharRange {
  int32_t begin = 0;
  int32_t end = 0;
  bool operator==(const CharRange&) const = default;
};

struct OffsetEncoding {
  std::vector<int32_t> ids;
  std::vector<CharRange> offsets;  // as many as ids
};

// Immutable after Load; every method may be called from any number of threads at once.
class Tokenizer {
 public:
  // Loads `model_dir`/tokenizer.json and, where they exist, tokenizer_config.json (bos, eos, chat
  // template), chat_template.jinja (before the config's), generation_config.json and config.json
  // (eos ids). Errors: NotFound or InvalidArgument, one sentence with the path, the field and what
  // is allowed.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> Load(const std::string& model_dir);

  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // The ids of `text`; added tokens (special ones too) are recognised in it. Invalid UTF-8 counts
  // as U+FFFD. `add_special_tokens` also applies the post-processor's template (BOS, say). O(n log
  // n) in the longest word, linear otherwise.
  std::vector<int32_t> Encode(std::string_view text, bool add_special_tokens) const;

  // The same, with the characters of `text` that each token stands for. A token that covers part of
  // a character gets the character; one that covers part of a character composed by a normalizer
  // gets all characters it was composed of. Tokens of the template, and spaces that the tokenizer
  // puts in, are empty ranges. Leading spaces belong to their token (no trimming).
  OffsetEncoding EncodeWithOffsets(std::string_view text, bool add_special_tokens) const;

  // The text of `ids`. Unknown ids are left out; bytes that are no UTF-8 become U+FFFD, one for
  // each maximal invalid part. `skip_special_tokens` leaves out added tokens marked special. No
  // clean-up of spaces before punctuation (transformers' clean_up_tokenization_spaces).
  std::string Decode(std::span<const int32_t> ids, bool skip_special_tokens) const;

  // The largest token id plus 1.
  int32_t vocab_size() const;
  // The id of a token as the vocabulary writes it (byte-level: "Ġthe"), or of an added token.
  std::optional<int32_t> TokenToId(std::string_view token) const;
  // The inverse; empty for an unknown id.
  std::string_view IdToToken(int32_t id) const;
  bool IsSpecial(int32_t id) const;

  // tokenizer_config.json's bos_token, if any.
  std::optional<int32_t> bos_id() const;
  // Where decoding stops: eos_token_id of generation_config.json, else of config.json, else
  // tokenizer_config.json's eos_token. Ascending; may be empty.
  const std::vector<int32_t>& eos_ids() const;
  // "bos_token", "eos_token", ... as tokenizer_config.json writes them: a chat template's
  // variables.
  const std::map<std::string, std::string>& special_tokens() const;

  // Null if the model has none. Errors: InvalidArgument, why it cannot be parsed.
  absl::StatusOr<const ChatTemplate*> chat_template() const;

  // SHA-256 (hex) of tokenizer.json's bytes followed by the chat template's.
  const std::string& digest() const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<const Impl> impl);

  std::unique_ptr<const Impl> impl_;
};

}  // namespace kvscope::inference
