// The token-attention graph of one question.  Source: arXiv:2603.01426, Def. 1.
// Nodes are (level 0..layers, position).  An attention edge (layer, key) -> (layer + 1, query) runs
// through query head h where head h of the row `query` gives `key` a weight above epsilon in the
// uncompressed forward.  A residual edge (layer, p) -> (layer + 1, p) is always there.  Rows of the
// context (positions below T) are the same for all questions of a passage; those behind it belong
// to one question, whose last token (position K - 1) is the query token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/metrics/graph/position_sets.h"

namespace kvscope::metrics {

struct GraphEdge {
  int32_t head = 0;   // query head
  int32_t query = 0;  // row
  int32_t key = 0;    // at most `query`
};

struct GraphShape {
  int layers = 0;
  int q_heads = 0;
  int tokens = 0;  // of the context, T
};

// The attention edges of consecutive rows, grouped into gates: a gate is a (layer, row, query head)
// with at least one edge, its edges are a set of key positions.  An edge from a row to itself adds
// nothing to the residual edge beside it and is left out; an edge that comes twice counts once.
// Memory: at most 16 bytes an edge, and 4 bytes a (layer, row).
class AttentionRows {
 public:
  // A gate's keys among positions [32 * index, 32 * index + 32).
  struct Keys {
    uint32_t index;
    PositionWord mask;
  };
  struct Gates {
    int32_t begin;
    int32_t end;
  };

  // Of the rows [first, end).  `layers`: [shape.layers] edges in any order.
  // Errors: InvalidArgument, naming the edge, if head, query or key lies out of range or there are
  // other layers than the shape's; ResourceExhausted for more than 2^26 (layer, row) pairs or
  // 2^29 edges.
  static absl::StatusOr<AttentionRows> Make(const GraphShape& shape, int first, int end,
                                            std::span<const std::vector<GraphEdge>> layers);

  int first() const { return first_; }
  int end() const { return end_; }
  int32_t gate_count() const { return static_cast<int32_t>(heads_.size()); }
  size_t bytes() const;

  // The gates of one row, by ascending head.
  Gates gates(int layer, int query) const {
    const size_t row = static_cast<size_t>(layer) * (end_ - first_) + (query - first_);
    return {gates_begin_[row], gates_begin_[row + 1]};
  }
  int head(int32_t gate) const { return heads_[gate]; }
  std::span<const Keys> keys(int32_t gate) const {
    return {keys_.data() + keys_begin_[gate], keys_.data() + keys_begin_[gate + 1]};
  }

 private:
  AttentionRows(int first, int end) : first_(first), end_(end) {}
  void AddLayer(std::span<const GraphEdge> edges);
  void AddRow(std::span<const uint64_t> row);

  int first_;
  int end_;
  std::vector<int32_t> gates_begin_ = {0};  // [layers * rows + 1]
  std::vector<int32_t> heads_;              // [gates]
  std::vector<int32_t> keys_begin_ = {0};   // [gates + 1]
  std::vector<Keys> keys_;
};

// What all questions of a passage share.
class ContextGraph {
 public:
  // Errors: as AttentionRows::Make, and InvalidArgument if a dimension is below 1.
  static absl::StatusOr<std::shared_ptr<const ContextGraph>> Make(
      const GraphShape& shape, std::span<const std::vector<GraphEdge>> layers);

  const GraphShape& shape() const { return shape_; }
  const AttentionRows& rows() const { return rows_; }

 private:
  ContextGraph(const GraphShape& shape, AttentionRows rows)
      : shape_(shape), rows_(std::move(rows)) {}

  GraphShape shape_;
  AttentionRows rows_;
};

// The context's rows joined with those of one question; costs only the latter.
class QuestionGraph {
 public:
  // `positions`: K, the tokens of context and question together.  `layers`: [layers] edges of the
  // rows [T, K).
  // Errors: as AttentionRows::Make, and InvalidArgument if K <= T.
  static absl::StatusOr<QuestionGraph> Make(std::shared_ptr<const ContextGraph> context,
                                            int positions,
                                            std::span<const std::vector<GraphEdge>> layers);

  int layers() const { return context_->shape().layers; }
  int q_heads() const { return context_->shape().q_heads; }
  int tokens() const { return context_->shape().tokens; }
  int positions() const { return suffix_.end(); }
  int query_token() const { return suffix_.end() - 1; }

  const AttentionRows& context() const { return context_->rows(); }
  const AttentionRows& suffix() const { return suffix_; }
  const AttentionRows& RowsOf(int query) const {
    return query < suffix_.first() ? context_->rows() : suffix_;
  }
  int64_t gate_count() const {
    return int64_t{context().gate_count()} + int64_t{suffix_.gate_count()};
  }

 private:
  QuestionGraph(std::shared_ptr<const ContextGraph> context, AttentionRows suffix)
      : context_(std::move(context)), suffix_(std::move(suffix)) {}

  std::shared_ptr<const ContextGraph> context_;
  AttentionRows suffix_;
};

}  // namespace kvscope::metrics
