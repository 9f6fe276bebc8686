#include "services/metrics/graph/seen_pairs.h"

#include <cstring>

#include "absl/strings/str_cat.h"

namespace kvscope::metrics {

absl::Status CheckFits(const KeepBits& keep, const QuestionGraph& graph) {
  if (keep.layers() != graph.layers() || keep.tokens() != graph.tokens()) {
    return absl::InvalidArgumentError(
        absl::StrCat("keep bits of ", keep.layers(), " layers and ", keep.tokens(),
                     " tokens were found, but the graph has ", graph.layers(), " layers and ",
                     graph.tokens(), " tokens"));
  }
  if (graph.q_heads() % keep.kv_heads() != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "keep bits of ", keep.kv_heads(), " KV heads were found, which do not divide the graph's ",
        graph.q_heads(), " query heads"));
  }
  return absl::OkStatus();
}

SeenPairs::SeenPairs(const QuestionGraph& graph)
    : everything_(WordsFor(graph.positions()), ~PositionWord{0}) {}

SeenPairs::SeenPairs(const QuestionGraph& graph, const KeepBits& keep)
    : kv_heads_(keep.kv_heads()),
      kv_head_of_(graph.q_heads()),
      everything_(WordsFor(graph.positions()), ~PositionWord{0}),
      kept_(static_cast<size_t>(keep.layers()) * keep.kv_heads() * everything_.size(),
            ~PositionWord{0}),
      kept_share_(static_cast<size_t>(keep.layers()) * keep.kv_heads()) {
  for (size_t head = 0; head < kv_head_of_.size(); ++head) {
    kv_head_of_[head] = head * kv_heads_ / kv_head_of_.size();
  }
  const int tokens = graph.tokens();
  const size_t words = everything_.size();
  const size_t last = (tokens - 1) / kWordPositions;
  for (size_t row = 0; row < kept_share_.size(); ++row) {
    const std::span<const uint8_t> bytes =
        keep.row(static_cast<int>(row / kv_heads_), static_cast<int>(row % kv_heads_));
    PositionWord* const kept = kept_.data() + row * words;
    std::memset(kept, 0, (last + 1) * sizeof(PositionWord));
    std::memcpy(kept, bytes.data(), bytes.size());
    const int count = CountBelow({kept, words}, tokens);
    kept_share_[row] = static_cast<double>(count) / tokens;
    kept_everything_ = kept_everything_ && count == tokens;
    if (tokens % kWordPositions != 0) kept[last] |= ~(BitOf(tokens) - 1);
  }
}

}  // namespace kvscope::metrics
