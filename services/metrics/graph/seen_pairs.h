// Which KV pairs the rows of a graph still see after eviction.  Source: arXiv:2603.01426, Def. 2.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "services/metrics/graph/position_sets.h"
#include "services/metrics/graph/token_graph.h"
#include "services/metrics/survival/keep_bits.h"

namespace kvscope::metrics {

// Whose edges eviction cuts.
enum class CutRows {
  kNone,    // nobody's: the uncompressed graph
  kSuffix,  // "as computed": the context's rows ran before eviction and saw everything
  kAll,     // "as defined": every edge from an evicted pair
};

// InvalidArgument unless `keep` has the graph's layers and tokens, and KV heads that divide its
// query heads.
absl::Status CheckFits(const KeepBits& keep, const QuestionGraph& graph);

// A cell's keep set as words over all positions of a question: those behind the context are never
// evicted.  Query head h reads KV head h / (q_heads / kv_heads).
class SeenPairs {
 public:
  // Nothing is evicted.
  explicit SeenPairs(const QuestionGraph& graph);
  // `keep` must fit.
  SeenPairs(const QuestionGraph& graph, const KeepBits& keep);

  CutRows cut() const { return cut_; }
  void set_cut(CutRows cut) { cut_ = cut; }

  // The positions whose pairs `head` still has in `layer` when a row of the context, or behind it,
  // looks at them.
  const PositionWord* Row(int layer, int head, bool suffix_row) const {
    const bool uncut = cut_ == CutRows::kNone || (cut_ == CutRows::kSuffix && !suffix_row);
    return uncut ? everything_.data() : Kept(layer, head).data();
  }
  // Share of the context's tokens that `head` kept in `layer`.
  double KeptShare(int layer, int head) const { return kept_share_[Index(layer, head)]; }
  // True if no pair at all was evicted.
  bool kept_everything() const { return kept_everything_; }

 private:
  size_t Index(int layer, int head) const {
    return static_cast<size_t>(layer) * kv_heads_ + kv_head_of_[head];
  }
  std::span<const PositionWord> Kept(int layer, int head) const {
    return {kept_.data() + Index(layer, head) * everything_.size(), everything_.size()};
  }

  CutRows cut_ = CutRows::kNone;
  bool kept_everything_ = true;
  size_t kv_heads_ = 0;
  std::vector<size_t> kv_head_of_;        // [q_heads]
  std::vector<PositionWord> everything_;  // [words]
  std::vector<PositionWord> kept_;        // [layers, kv_heads, words]
  std::vector<double> kept_share_;        // [layers, kv_heads]
};

}  // namespace kvscope::metrics
