// The token-attention graph of a context: which softmax weights of the uncompressed forward exceed
// epsilon.
//
// Rows are weighed a block and a head at a time, from queries and keys, so that no more than a
// block's weights are held; what grows with the context are its edges (TokenGraph::kMaxEdges) and
// the angles of its positions.
#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "services/inference/flow/capture.h"
#include "services/inference/flow/kv_cache.h"
#include "services/inference/flow/record.h"
#include "services/inference/models/decoder.h"
#include "services/inference/models/workspace.h"

namespace kvscope::inference {

class SuffixRun;

// A question that is asked about the context.
struct GraphQuestion {
  int question_index = 0;
  std::span<const int32_t> suffix;  // at least one token; its first follows the whole context
};

// Once there are more than `max_edges` all are dropped and nothing more is computed.
class GraphCapture {
 public:
  explicit GraphCapture(double epsilon, int64_t max_edges = TokenGraph::kMaxEdges);

  static Needs needs() { return {.keys = true, .queries = true}; }

  // Takes the context's rows from its prefill, layer after layer.
  // O(q_heads · tokens² · head_dim) time.
  void AddLayer(const LayerView& layer);

  // Runs the questions' suffixes over the whole context, each by itself, and takes their rows.
  // `cancelled` is asked before every step; may be empty. Errors: Cancelled.
  absl::Status AddQuestions(const Decoder& decoder, const KvCache& context,
                            std::span<const GraphQuestion> questions, Workspace& workspace,
                            const std::function<bool()>& cancelled);

  TokenGraph Take() { return std::move(graph_); }

 private:
  // Rows of one head: `logits` [rows, keys], the last row sees all keys, each row before it one key
  // less. The first row stands at position `query`. Leaves weights in the place of the logits.
  void AddRows(RowMatrix& logits, int head, int query, std::vector<AttentionEdge>& edges) const;
  void Count(size_t added);  // edges; drops all if they are too many
  void PrepareRotations(const RopeParameters& rope, int tokens);
  RowMatrix Turned(const LayerView& layer, int head, int first, int count) const;
  // Questions whose suffixes run as one batch of rows.
  absl::Status AddTogether(const Decoder& decoder, const KvCache& context,
                           std::span<const GraphQuestion> questions, Workspace& workspace,
                           const std::function<bool()>& cancelled);
  // The layer at which `run` stands of the suffix in one of its slots.
  void AddSuffix(const SuffixRun& run, size_t slot, TokenGraph::Suffix& suffix);

  const float threshold_;  // a weight above it makes an edge
  const int64_t max_edges_;
  int64_t edges_ = 0;
  RowMatrix cos_, sin_;  // [tokens, head_dim / 2]
  TokenGraph graph_;
};

}  // namespace kvscope::inference
