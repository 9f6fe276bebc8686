#include "services/inference/tokenizer/tokenizer.h"

#include <openssl/evp.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/inference/tokenizer/chat_template.h"
#include "services/inference/tokenizer/model_files.h"
#include "services/inference/tokenizer/token_decoder.h"
#include "services/inference/tokenizer/tokenizer_json.h"
#include "services/inference/tokenizer/unicode.h"

namespace kvscope::inference {
namespace {

std::string Sha256Hex(std::string_view first, std::string_view second) {
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  EVP_DigestUpdate(context.get(), first.data(), first.size());
  EVP_DigestUpdate(context.get(), second.data(), second.size());
  EVP_DigestFinal_ex(context.get(), digest, &size);
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest), size});
}

// Where the tokens of one call go; `offsets` (bytes of the input) only if asked for.
struct Sink {
  std::vector<int32_t> ids;
  std::vector<ByteRange> offsets;
  bool want_offsets = false;
};

// Byte ranges as characters. A range inside a character becomes the character.
std::vector<CharRange> ToCharRanges(std::string_view text, const std::vector<ByteRange>& ranges) {
  std::vector<int32_t> index(text.size() + 1);  // byte -> its character
  int32_t count = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<uint8_t>(text[i]) & 0xC0) != 0x80) ++count;
    index[i] = count - 1;
  }
  index[text.size()] = count;
  std::vector<CharRange> out;
  out.reserve(ranges.size());
  for (const ByteRange& range : ranges) {
    const int32_t begin = index[range.begin];
    out.push_back({begin, range.begin < range.end ? index[range.end - 1] + 1 : begin});
  }
  return out;
}

}  // namespace

struct Tokenizer::Impl {
  std::unique_ptr<const Bpe> bpe;
  std::vector<NormalizerStep> normalizer;
  std::vector<PreTokenizerStep> pre_tokenizer;
  std::optional<std::vector<DecoderStep>> decoder;
  std::vector<int32_t> template_head, template_tail;
  AddedTokenMatcher in_input;       // added tokens with normalized = false ...
  AddedTokenMatcher in_normalized;  // ... and with true
  absl::flat_hash_map<int32_t, AddedToken> added_by_id;
  absl::flat_hash_map<std::string, int32_t> added_by_content;
  int32_t vocab_size = 0;
  std::map<std::string, std::string> special_tokens;
  std::vector<int32_t> eos_ids;
  std::optional<int32_t> bos_id;
  absl::StatusOr<std::unique_ptr<const ChatTemplate>> chat_template;
  std::string digest;

  absl::Status AddTokens(const std::vector<AddedToken>& tokens);
  void SetSpecialTokens(TokenizerFiles* files);
  std::optional<int32_t> TokenToId(std::string_view token) const;
  std::string_view IdToToken(int32_t id) const;
  void EncodeInto(std::string_view text, Sink* sink) const;
  void EncodePlain(const Piece& piece, RewriteArena* arena, Sink* sink) const;
  void EncodeWords(const Piece& piece, RewriteArena* arena, Sink* sink) const;
};

// A token the vocabulary has keeps its id there, as in `tokenizers`.
absl::Status Tokenizer::Impl::AddTokens(const std::vector<AddedToken>& tokens) {
  const int64_t id_limit = 4 * static_cast<int64_t>(bpe->size() + tokens.size()) + 1024;
  vocab_size = bpe->id_end();
  RewriteArena arena;
  for (AddedToken token : tokens) {
    token.id = bpe->TokenToId(token.content).value_or(token.id);
    if (token.id >= id_limit) {
      return absl::InvalidArgumentError(
          absl::StrCat("added_tokens gives `", token.content, "` the id ", token.id,
                       "; with this vocabulary ids must lie in [0, ", id_limit, ")"));
    }
    vocab_size = std::max(vocab_size, token.id + 1);
    added_by_content.try_emplace(token.content, token.id);
    if (token.normalized) {
      in_normalized.Add(token, Normalize(normalizer, Piece{token.content}, &arena).text);
    } else {
      in_input.Add(token, token.content);
    }
    added_by_id.insert_or_assign(token.id, std::move(token));
  }
  for (const std::vector<int32_t>* ids : {&template_head, &template_tail}) {
    for (const int32_t id : *ids) {
      if (!IdToToken(id).empty()) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("post_processor names the id ", id, ", which no token has"));
    }
  }
  return absl::OkStatus();
}

void Tokenizer::Impl::SetSpecialTokens(TokenizerFiles* files) {
  special_tokens = std::move(files->special_tokens);
  eos_ids = std::move(files->eos_ids);
  const auto id_of = [&](const char* name) -> std::optional<int32_t> {
    const auto found = special_tokens.find(name);
    return found == special_tokens.end() ? std::nullopt : TokenToId(found->second);
  };
  bos_id = id_of("bos_token");
  const std::optional<int32_t> eos = id_of("eos_token");
  if (eos_ids.empty() && eos) eos_ids.push_back(*eos);
  std::sort(eos_ids.begin(), eos_ids.end());
  eos_ids.erase(std::unique(eos_ids.begin(), eos_ids.end()), eos_ids.end());
}

std::optional<int32_t> Tokenizer::Impl::TokenToId(std::string_view token) const {
  const auto added = added_by_content.find(std::string(token));
  return added != added_by_content.end() ? added->second : bpe->TokenToId(token);
}

std::string_view Tokenizer::Impl::IdToToken(int32_t id) const {
  const auto added = added_by_id.find(id);
  return added != added_by_id.end() ? added->second.content : bpe->IdToToken(id);
}

void Tokenizer::Impl::EncodeInto(std::string_view text, Sink* sink) const {
  RewriteArena arena;
  for (const AddedTokenSplit& split : in_input.Split(text)) {
    const Piece piece = Piece{text}.Sub(split.range.begin, split.range.end);
    if (split.id < 0) {
      EncodePlain(Normalize(normalizer, piece, &arena), &arena, sink);
      continue;
    }
    sink->ids.push_back(split.id);
    if (sink->want_offsets) sink->offsets.push_back(split.range);
  }
}

void Tokenizer::Impl::EncodePlain(const Piece& piece, RewriteArena* arena, Sink* sink) const {
  for (const AddedTokenSplit& split : in_normalized.Split(piece.text)) {
    if (split.id < 0) {
      EncodeWords(piece.Sub(split.range.begin, split.range.end), arena, sink);
      continue;
    }
    sink->ids.push_back(split.id);
    if (sink->want_offsets) {
      sink->offsets.push_back(piece.Origin(split.range.begin, split.range.end));
    }
  }
}

void Tokenizer::Impl::EncodeWords(const Piece& piece, RewriteArena* arena, Sink* sink) const {
  std::vector<ByteRange> ranges;
  for (const Piece& word : PreTokenize(pre_tokenizer, {piece}, arena)) {
    ranges.clear();
    bpe->Encode(word.text, &sink->ids, sink->want_offsets ? &ranges : nullptr);
    for (const ByteRange& range : ranges) {
      sink->offsets.push_back(word.Origin(range.begin, range.end));
    }
  }
}

absl::StatusOr<std::unique_ptr<Tokenizer>> Tokenizer::Load(const std::string& model_dir) {
  absl::StatusOr<TokenizerFiles> files = ReadTokenizerFiles(model_dir);
  if (!files.ok()) return files.status();
  const auto in_file = [&](const absl::Status& status) {
    return absl::InvalidArgumentError(
        absl::StrCat(files->tokenizer_json_path, ": ", status.message()));
  };
  absl::StatusOr<TokenizerSpec> spec = ParseTokenizerJson(files->tokenizer_json);
  if (!spec.ok()) return in_file(spec.status());
  auto bpe = Bpe::Build(std::move(spec->model));
  if (!bpe.ok()) return in_file(bpe.status());

  auto impl = std::make_unique<Impl>();
  impl->bpe = *std::move(bpe);
  impl->normalizer = std::move(spec->normalizer);
  impl->pre_tokenizer = std::move(spec->pre_tokenizer);
  impl->decoder = std::move(spec->decoder);
  impl->template_head = std::move(spec->template_head);
  impl->template_tail = std::move(spec->template_tail);
  if (absl::Status status = impl->AddTokens(spec->added_tokens); !status.ok()) {
    return in_file(status);
  }
  impl->SetSpecialTokens(&*files);
  const std::string source = files->chat_template.value_or("");
  impl->digest = Sha256Hex(files->tokenizer_json, source);
  impl->chat_template = std::unique_ptr<const ChatTemplate>();
  if (files->chat_template) {
    impl->chat_template = ChatTemplate::Parse(source, files->chat_template_path);
  }
  return std::unique_ptr<Tokenizer>(new Tokenizer(std::move(impl)));
}

Tokenizer::Tokenizer(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;

std::vector<int32_t> Tokenizer::Encode(std::string_view text, bool add_special_tokens) const {
  Sink sink;
  if (add_special_tokens) sink.ids = impl_->template_head;
  if (IsValidUtf8(text)) {
    impl_->EncodeInto(text, &sink);
  } else {
    impl_->EncodeInto(ToValidUtf8(text), &sink);
  }
  if (add_special_tokens) {
    sink.ids.insert(sink.ids.end(), impl_->template_tail.begin(), impl_->template_tail.end());
  }
  return std::move(sink.ids);
}

OffsetEncoding Tokenizer::EncodeWithOffsets(std::string_view text, bool add_special_tokens) const {
  const std::string valid = ToValidUtf8(text);
  Sink sink;
  sink.want_offsets = true;
  if (add_special_tokens) {
    sink.ids = impl_->template_head;
    sink.offsets.resize(sink.ids.size());
  }
  impl_->EncodeInto(valid, &sink);
  if (add_special_tokens) {
    const auto& tail = impl_->template_tail;
    sink.ids.insert(sink.ids.end(), tail.begin(), tail.end());
    sink.offsets.insert(sink.offsets.end(), tail.size(), {valid.size(), valid.size()});
  }
  return {std::move(sink.ids), ToCharRanges(valid, sink.offsets)};
}

std::string Tokenizer::Decode(std::span<const int32_t> ids, bool skip_special_tokens) const {
  std::vector<std::string_view> tokens;
  tokens.reserve(ids.size());
  for (const int32_t id : ids) {
    const std::string_view token = impl_->IdToToken(id);
    if (token.empty() || (skip_special_tokens && IsSpecial(id))) continue;
    tokens.push_back(token);
  }
  if (impl_->decoder) return DecodeTokens(*impl_->decoder, tokens);
  std::string joined;
  for (const std::string_view token : tokens) {
    if (!joined.empty()) joined += ' ';
    joined += token;
  }
  return joined;
}

int32_t Tokenizer::vocab_size() const { return impl_->vocab_size; }

std::optional<int32_t> Tokenizer::TokenToId(std::string_view token) const {
  return impl_->TokenToId(token);
}

std::string_view Tokenizer::IdToToken(int32_t id) const { return impl_->IdToToken(id); }

bool Tokenizer::IsSpecial(int32_t id) const {
  const auto added = impl_->added_by_id.find(id);
  return added != impl_->added_by_id.end() && added->second.special;
}

std::optional<int32_t> Tokenizer::bos_id() const { return impl_->bos_id; }
const std::vector<int32_t>& Tokenizer::eos_ids() const { return impl_->eos_ids; }
const std::map<std::string, std::string>& Tokenizer::special_tokens() const {
  return impl_->special_tokens;
}
const std::string& Tokenizer::digest() const { return impl_->digest; }

absl::StatusOr<const ChatTemplate*> Tokenizer::chat_template() const {
  if (!impl_->chat_template.ok()) return impl_->chat_template.status();
  return impl_->chat_template->get();
}

}  // namespace kvscope::inference
