// Byte-pair encoding: a word becomes the tokens that its merges, lowest rank first, lead to.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/inference/tokenizer/regex.h"

namespace kvscope::inference {

// The `model` of a tokenizer.json of type BPE. The strings lie in `text`, one after the other.
struct BpeSpec {
  struct Slice {
    uint32_t begin = 0;
    uint32_t size = 0;
  };
  struct Entry {
    Slice token;
    int32_t id = 0;
  };
  std::string text;
  std::vector<Entry> vocab;
  std::vector<std::pair<Slice, Slice>> merges;  // by rank
  std::optional<std::string> unk_token;
  bool fuse_unk = false;
  bool byte_fallback = false;  // characters outside the vocabulary become "<0x0A>" tokens
  bool ignore_merges = false;  // a word that is a token is that token
  bool byte_level = false;     // words are bytes, written in the byte alphabet (byte_level.h)

  std::string_view View(Slice slice) const {
    return std::string_view(text).substr(slice.begin, slice.size);
  }
};

class Bpe {
 public:
  // Errors: InvalidArgument for a merge of or into something that is no token, an unknown
  // unk_token, or ids so sparse that a table over them is larger than the file justifies.
  static absl::StatusOr<std::unique_ptr<const Bpe>> Build(BpeSpec spec);

  Bpe(const Bpe&) = delete;  // the vocabulary points into the spec's text
  Bpe& operator=(const Bpe&) = delete;

  // Appends the tokens of `word` (bytes if byte_level, else valid UTF-8) to `ids` and, unless null,
  // the bytes of `word` that each covers to `ranges`. What has no token, not even unk_token, is
  // left out, as `tokenizers` does. Thread-safe; O(n log n), equal ranks merge from the left.
  void Encode(std::string_view word, std::vector<int32_t>* ids,
              std::vector<ByteRange>* ranges) const;

  std::optional<int32_t> TokenToId(std::string_view token) const;
  // The entry as the vocabulary writes it; empty for an id without one.
  std::string_view IdToToken(int32_t id) const;
  int32_t id_end() const { return static_cast<int32_t>(by_id_.size()); }  // largest id + 1
  size_t size() const { return vocab_.size(); }

 private:
  struct Merge {
    int32_t rank;
    int32_t id;
  };
  struct Symbol {
    int32_t id;
    ByteRange range;
  };

  explicit Bpe(BpeSpec spec) : spec_(std::move(spec)) {}
  absl::Status AddVocab();
  absl::Status AddMerges();
  absl::Status AddSymbols();

  const Merge* FindMerge(int32_t left, int32_t right) const;
  std::vector<Symbol> Characters(std::string_view word) const;
  void MergeShort(std::vector<Symbol>* symbols) const;
  void MergeLong(std::vector<Symbol>* symbols) const;

  BpeSpec spec_;  // without vocab and merges, once built
  absl::flat_hash_map<absl::string_view, int32_t> vocab_;
  std::vector<BpeSpec::Slice> by_id_;
  absl::flat_hash_map<uint64_t, Merge> merges_;
  std::array<int32_t, 256> byte_ids_{};      // byte_level: id of each byte's character, or -1
  std::array<int32_t, 256> fallback_ids_{};  // byte_fallback: id of "<0xNN>", or -1
  int32_t unk_id_ = -1;
};

}  // namespace kvscope::inference
