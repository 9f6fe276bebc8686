#include "services/metrics/survival/survival.h"

#include <bit>
#include <numeric>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace kvscope::metrics {
namespace {

// A few tokens of a row as 64-bit words: `mask` selects tokens [64 * index, 64 * index + 64).
struct SpanWord {
  size_t index;
  uint64_t mask;
};

// `span` ascends within the tokens.
std::vector<SpanWord> SpanWords(std::span<const int32_t> span) {
  std::vector<SpanWord> words;
  for (const int32_t position : span) {
    const size_t index = static_cast<size_t>(position) / 64;
    if (words.empty() || words.back().index != index) words.push_back({index, 0});
    words.back().mask |= uint64_t{1} << (position % 64);
  }
  return words;
}

int64_t CountBits(std::span<const uint64_t> words) {
  int64_t count = 0;
  for (const uint64_t word : words) count += std::popcount(word);
  return count;
}

int64_t CountEvicted(std::span<const SpanWord> span, std::span<const uint64_t> kept) {
  int64_t count = 0;
  for (const SpanWord& word : span) count += std::popcount(word.mask & ~kept[word.index]);
  return count;
}

double Share(int64_t part, int64_t whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

absl::Status CheckSpan(std::span<const int32_t> span, int tokens) {
  int32_t previous = -1;
  for (const int32_t position : span) {
    if (position < 0 || position >= tokens) {
      return absl::InvalidArgumentError(absl::StrCat(
          "answer span: position ", position, " lies outside the context of ", tokens, " tokens"));
    }
    if (position <= previous) {
      return absl::InvalidArgumentError(absl::StrCat("answer span: position ", position,
                                                     " follows ", previous,
                                                     ", but positions must ascend"));
    }
    previous = position;
  }
  return absl::OkStatus();
}

CellSurvival::CellSurvival(const KeepBits& bits)
    : layers_(bits.layers()),
      tokens_(bits.tokens()),
      kept_anywhere_(bits.row_words()),
      kept_in_layer_(bits.row_words() * bits.layers()) {
  const size_t words = bits.row_words();
  const int64_t layer_pairs = bits.pairs() / layers_;
  for (int layer = 0; layer < layers_; ++layer) {
    const std::span<uint64_t> in_layer(kept_in_layer_.data() + layer * words, words);
    int64_t layer_kept = 0;
    for (int head = 0; head < bits.kv_heads(); ++head) {
      const std::span<const uint8_t> row = bits.row(layer, head);
      int64_t head_kept = 0;
      for (size_t i = 0; i < words; ++i) {
        const uint64_t word = KeepBits::Word(row, i);
        in_layer[i] |= word;
        head_kept += std::popcount(word);
      }
      metrics_.empty_heads += head_kept == 0;
      layer_kept += head_kept;
    }
    for (size_t i = 0; i < words; ++i) kept_anywhere_[i] |= in_layer[i];
    metrics_.kept_pairs += layer_kept;
    metrics_.evicted_share_layer.push_back(Share(layer_pairs - layer_kept, layer_pairs));
    metrics_.eviction_rate_layer.push_back(Share(tokens_ - CountBits(in_layer), tokens_));
  }
  metrics_.kept_ratio = Share(metrics_.kept_pairs, bits.pairs());
  metrics_.evicted_share = Share(bits.pairs() - metrics_.kept_pairs, bits.pairs());
  metrics_.eviction_rate = Share(tokens_ - CountBits(kept_anywhere_), tokens_);
}

absl::StatusOr<AnswerSurvival> CellSurvival::Answer(std::span<const int32_t> span) const {
  if (absl::Status status = CheckSpan(span, tokens_); !status.ok()) return status;
  if (span.empty()) return AnswerSurvival();

  const std::vector<SpanWord> words = SpanWords(span);
  const int64_t span_tokens = static_cast<int64_t>(span.size());
  const size_t row_words = kept_anywhere_.size();
  std::vector<double> ger_layer(layers_);
  for (int layer = 0; layer < layers_; ++layer) {
    const std::span<const uint64_t> kept(kept_in_layer_.data() + layer * row_words, row_words);
    ger_layer[layer] = Share(CountEvicted(words, kept), span_tokens);
  }
  AnswerSurvival answer;
  answer.ger = Share(CountEvicted(words, kept_anywhere_), span_tokens);
  answer.ger_layer_mean = std::accumulate(ger_layer.begin(), ger_layer.end(), 0.0) / layers_;
  answer.ger_layer = std::move(ger_layer);
  return answer;
}

}  // namespace kvscope::metrics
