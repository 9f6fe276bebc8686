#include "services/inference/tokenizer/bpe.h"

#include <algorithm>
#include <queue>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/inference/tokenizer/byte_level.h"
#include "services/inference/tokenizer/unicode.h"

namespace kvscope::inference {
namespace {

constexpr size_t kShortWord = 32;  // up to here a scan over all pairs beats a heap

absl::string_view AbslView(std::string_view text) { return {text.data(), text.size()}; }

uint64_t PairKey(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Bpe>> Bpe::Build(BpeSpec spec) {
  std::unique_ptr<Bpe> bpe(new Bpe(std::move(spec)));
  if (absl::Status status = bpe->AddVocab(); !status.ok()) return status;
  if (absl::Status status = bpe->AddMerges(); !status.ok()) return status;
  if (absl::Status status = bpe->AddSymbols(); !status.ok()) return status;
  bpe->spec_.vocab = {};  // the tables hold them now
  bpe->spec_.merges = {};
  return bpe;
}

absl::Status Bpe::AddVocab() {
  // Real vocabularies leave few ids out; a table far larger than the file would be an attack.
  const int64_t id_limit = 4 * static_cast<int64_t>(spec_.vocab.size()) + 1024;
  vocab_.reserve(spec_.vocab.size());
  for (const BpeSpec::Entry& entry : spec_.vocab) {
    if (entry.id < 0 || entry.id >= id_limit) {
      return absl::InvalidArgumentError(
          absl::StrCat("model.vocab gives the token `", AbslView(spec_.View(entry.token)),
                       "` the id ", entry.id, "; ids of a vocabulary of ", spec_.vocab.size(),
                       " tokens must lie in [0, ", id_limit, ")"));
    }
    vocab_.insert_or_assign(AbslView(spec_.View(entry.token)), entry.id);
    if (entry.id >= id_end()) by_id_.resize(entry.id + 1);
    by_id_[entry.id] = entry.token;
  }
  return absl::OkStatus();
}

absl::Status Bpe::AddMerges() {
  merges_.reserve(spec_.merges.size());
  std::string joined;
  for (size_t rank = 0; rank < spec_.merges.size(); ++rank) {
    const std::string_view left = spec_.View(spec_.merges[rank].first);
    const std::string_view right = spec_.View(spec_.merges[rank].second);
    joined.assign(left).append(right);
    int32_t ids[3];
    const std::string_view parts[3] = {left, right, joined};
    for (int i = 0; i < 3; ++i) {
      const auto found = vocab_.find(AbslView(parts[i]));
      if (found == vocab_.end()) {
        return absl::InvalidArgumentError(absl::StrCat(
            "model.merges[", rank, "] merges `", AbslView(left), "` and `", AbslView(right),
            "`, but `", AbslView(parts[i]), "` is not in model.vocab"));
      }
      ids[i] = found->second;
    }
    merges_.insert_or_assign(PairKey(ids[0], ids[1]), Merge{static_cast<int32_t>(rank), ids[2]});
  }
  return absl::OkStatus();
}

absl::Status Bpe::AddSymbols() {
  for (int byte = 0; byte < 256; ++byte) {
    byte_ids_[byte] = TokenToId(ByteLevelChar(static_cast<uint8_t>(byte))).value_or(-1);
    fallback_ids_[byte] = TokenToId(absl::StrFormat("<0x%02X>", byte)).value_or(-1);
  }
  if (!spec_.unk_token) return absl::OkStatus();
  const std::optional<int32_t> unk = TokenToId(*spec_.unk_token);
  if (!unk) {
    return absl::InvalidArgumentError(
        absl::StrCat("model.unk_token `", *spec_.unk_token, "` is not in model.vocab"));
  }
  unk_id_ = *unk;
  return absl::OkStatus();
}

std::optional<int32_t> Bpe::TokenToId(std::string_view token) const {
  const auto found = vocab_.find(AbslView(token));
  if (found == vocab_.end()) return std::nullopt;
  return found->second;
}

std::string_view Bpe::IdToToken(int32_t id) const {
  return id >= 0 && id < id_end() ? spec_.View(by_id_[id]) : std::string_view();
}

const Bpe::Merge* Bpe::FindMerge(int32_t left, int32_t right) const {
  const auto found = merges_.find(PairKey(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

// The word's characters as symbols; unknown ones fall back to bytes, unk_token or nothing.
std::vector<Bpe::Symbol> Bpe::Characters(std::string_view word) const {
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  bool after_unknown = false;
  for (size_t pos = 0; pos < word.size();) {
    const size_t size = spec_.byte_level ? 1 : CodePointAt(word, pos).size_bytes;
    const std::string_view character = word.substr(pos, size);
    const ByteRange range{pos, pos + size};
    pos += size;
    const int32_t id = spec_.byte_level ? byte_ids_[static_cast<uint8_t>(character[0])]
                                        : TokenToId(character).value_or(-1);
    const auto has_fallback = [&](char c) { return fallback_ids_[static_cast<uint8_t>(c)] >= 0; };
    if (id >= 0) {
      symbols.push_back({id, range});
    } else if (spec_.byte_fallback &&
               std::all_of(character.begin(), character.end(), has_fallback)) {
      for (const char c : character) {
        symbols.push_back({fallback_ids_[static_cast<uint8_t>(c)], range});
      }
    } else if (unk_id_ >= 0) {
      if (after_unknown && spec_.fuse_unk) {
        symbols.back().range.end = range.end;
      } else {
        symbols.push_back({unk_id_, range});
      }
      after_unknown = true;
      continue;
    }
    after_unknown = false;
  }
  return symbols;
}

void Bpe::MergeShort(std::vector<Symbol>* symbols) const {
  std::array<const Merge*, kShortWord> merges;  // of symbol i with symbol i + 1
  size_t count = symbols->size();
  for (size_t i = 0; i + 1 < count; ++i) {
    merges[i] = FindMerge((*symbols)[i].id, (*symbols)[i + 1].id);
  }
  while (count > 1) {
    size_t best = count;
    for (size_t i = 0; i + 1 < count; ++i) {
      if (merges[i] && (best == count || merges[i]->rank < merges[best]->rank)) best = i;
    }
    if (best == count) break;
    (*symbols)[best].id = merges[best]->id;
    (*symbols)[best].range.end = (*symbols)[best + 1].range.end;
    symbols->erase(symbols->begin() + best + 1);
    std::copy(merges.begin() + best + 1, merges.begin() + count - 1, merges.begin() + best);
    --count;
    const auto update = [&](size_t i) {
      if (i + 1 < count) merges[i] = FindMerge((*symbols)[i].id, (*symbols)[i + 1].id);
    };
    update(best);
    if (best > 0) update(best - 1);
  }
}

void Bpe::MergeLong(std::vector<Symbol>* symbols) const {
  struct Candidate {
    int32_t rank;
    int32_t left, right;        // positions
    int32_t left_id, right_id;  // what stood there when it was found
    int32_t merged_id;
    bool operator<(const Candidate& other) const {  // the queue's top is the largest
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };
  const auto count = static_cast<int32_t>(symbols->size());
  std::vector<int32_t> next(count), previous(count);
  std::vector<Candidate> found;
  const auto candidate = [&](int32_t left, int32_t right, auto add) {
    if (left < 0 || right >= count) return;
    const int32_t left_id = (*symbols)[left].id, right_id = (*symbols)[right].id;
    const Merge* merge = FindMerge(left_id, right_id);
    if (merge) add(Candidate{merge->rank, left, right, left_id, right_id, merge->id});
  };
  for (int32_t i = 0; i < count; ++i) {
    next[i] = i + 1;
    previous[i] = i - 1;
    candidate(i, i + 1, [&](const Candidate& c) { found.push_back(c); });
  }
  std::priority_queue<Candidate> queue(std::less<Candidate>(), std::move(found));
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    Symbol& left = (*symbols)[top.left];
    Symbol& right = (*symbols)[top.right];
    // Either side has been merged since: the pair is gone. A merged-away symbol has id -1.
    if (left.id != top.left_id || right.id != top.right_id) continue;
    left.id = top.merged_id;
    left.range.end = right.range.end;
    right.id = -1;
    next[top.left] = next[top.right];
    if (next[top.left] < count) previous[next[top.left]] = top.left;
    const auto push = [&](const Candidate& c) { queue.push(c); };
    candidate(previous[top.left], top.left, push);
    candidate(top.left, next[top.left], push);
  }
  std::erase_if(*symbols, [](const Symbol& symbol) { return symbol.id < 0; });
}

void Bpe::Encode(std::string_view word, std::vector<int32_t>* ids,
                 std::vector<ByteRange>* ranges) const {
  if (word.empty()) return;
  if (spec_.ignore_merges) {
    const std::optional<int32_t> id =
        TokenToId(spec_.byte_level ? ToByteLevel(word) : std::string(word));
    if (id) {
      ids->push_back(*id);
      if (ranges) ranges->push_back({0, word.size()});
      return;
    }
  }
  std::vector<Symbol> symbols = Characters(word);
  symbols.size() <= kShortWord ? MergeShort(&symbols) : MergeLong(&symbols);
  for (const Symbol& symbol : symbols) {
    ids->push_back(symbol.id);
    if (ranges) ranges->push_back(symbol.range);
  }
}

}  // namespace kvscope::inference
