#include "services/metrics/graph/token_graph.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace kvscope::metrics {
namespace {

constexpr int64_t kMaxRows = int64_t{1} << 26;
constexpr int64_t kMaxEdges = int64_t{1} << 29;

absl::Status CheckEdge(const GraphEdge& edge, size_t layer, int q_heads, int first, int end) {
  const auto wrong = [&](const char* field, int32_t found, int64_t low, int64_t high) {
    return absl::InvalidArgumentError(absl::StrCat(
        "graph edge (layer ", layer, ", head ", edge.head, ", query ", edge.query, ", key ",
        edge.key, "): ", field, " ", found, " was found, but [", low, ", ", high, "] is allowed"));
  };
  if (edge.head < 0 || edge.head >= q_heads) return wrong("head", edge.head, 0, q_heads - 1);
  if (edge.query < first || edge.query >= end) return wrong("query", edge.query, first, end - 1);
  if (edge.key < 0 || edge.key > edge.query) return wrong("key", edge.key, 0, edge.query);
  return absl::OkStatus();
}

absl::Status CheckLayers(const GraphShape& shape, int first, int end,
                         std::span<const std::vector<GraphEdge>> layers) {
  if (layers.size() != static_cast<size_t>(shape.layers)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "graph edges of ", layers.size(), " layers were found, but the graph has ", shape.layers));
  }
  const int64_t rows = int64_t{shape.layers} * (end - first);
  if (rows > kMaxRows) {
    return absl::ResourceExhaustedError(absl::StrCat("graph: ", shape.layers, " layers of ",
                                                     end - first, " rows are more than ", kMaxRows,
                                                     " rows"));
  }
  int64_t edges = 0;
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    edges += static_cast<int64_t>(layers[layer].size());
    for (const GraphEdge& edge : layers[layer]) {
      absl::Status status = CheckEdge(edge, layer, shape.q_heads, first, end);
      if (!status.ok()) return status;
    }
  }
  if (edges > kMaxEdges) {
    return absl::ResourceExhaustedError(
        absl::StrCat("graph: ", edges, " edges were found, but at most ", kMaxEdges, " fit"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<AttentionRows> AttentionRows::Make(const GraphShape& shape, int first, int end,
                                                  std::span<const std::vector<GraphEdge>> layers) {
  if (absl::Status status = CheckLayers(shape, first, end, layers); !status.ok()) return status;
  AttentionRows rows(first, end);
  rows.gates_begin_.reserve(static_cast<size_t>(shape.layers) * (end - first) + 1);
  for (const std::vector<GraphEdge>& edges : layers) rows.AddLayer(edges);
  rows.heads_.shrink_to_fit();
  rows.keys_begin_.shrink_to_fit();
  rows.keys_.shrink_to_fit();
  return rows;
}

void AttentionRows::AddLayer(std::span<const GraphEdge> edges) {
  // Sorted by row in one pass; a row's few edges then by head and key.
  std::vector<size_t> begin(static_cast<size_t>(end_ - first_) + 1);
  for (const GraphEdge& edge : edges) {
    if (edge.key != edge.query) ++begin[edge.query - first_ + 1];
  }
  for (size_t row = 1; row < begin.size(); ++row) begin[row] += begin[row - 1];
  std::vector<uint64_t> sorted(begin.back());
  std::vector<size_t> next(begin.begin(), begin.end() - 1);
  for (const GraphEdge& edge : edges) {
    if (edge.key == edge.query) continue;
    sorted[next[edge.query - first_]++] =
        static_cast<uint64_t>(edge.head) << 32 | static_cast<uint32_t>(edge.key);
  }
  for (size_t row = 0; row + 1 < begin.size(); ++row) {
    const std::span<uint64_t> in_row(sorted.data() + begin[row], begin[row + 1] - begin[row]);
    std::sort(in_row.begin(), in_row.end());
    AddRow(in_row);
  }
}

void AttentionRows::AddRow(std::span<const uint64_t> row) {
  const auto first_gate = static_cast<size_t>(gates_begin_.back());
  for (const uint64_t edge : row) {
    const auto head = static_cast<int32_t>(edge >> 32);
    const auto key = static_cast<uint32_t>(edge);
    const bool same_gate = heads_.size() > first_gate && heads_.back() == head;
    if (!same_gate) {
      heads_.push_back(head);
      keys_begin_.push_back(keys_begin_.back());
    }
    if (!same_gate || keys_.back().index != key / kWordPositions) {
      keys_.push_back({key / kWordPositions, 0});
      ++keys_begin_.back();
    }
    keys_.back().mask |= BitOf(static_cast<int>(key));
  }
  gates_begin_.push_back(static_cast<int32_t>(heads_.size()));
}

size_t AttentionRows::bytes() const {
  return (gates_begin_.capacity() + heads_.capacity() + keys_begin_.capacity()) * sizeof(int32_t) +
         keys_.capacity() * sizeof(Keys);
}

absl::StatusOr<std::shared_ptr<const ContextGraph>> ContextGraph::Make(
    const GraphShape& shape, std::span<const std::vector<GraphEdge>> layers) {
  if (shape.layers < 1 || shape.q_heads < 1 || shape.tokens < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("graph: the shape [layers ", shape.layers, ", q_heads ", shape.q_heads,
                     ", tokens ", shape.tokens, "] must have at least 1 in each dimension"));
  }
  absl::StatusOr<AttentionRows> rows = AttentionRows::Make(shape, 0, shape.tokens, layers);
  if (!rows.ok()) return rows.status();
  return std::shared_ptr<const ContextGraph>(new ContextGraph(shape, *std::move(rows)));
}

absl::StatusOr<QuestionGraph> QuestionGraph::Make(std::shared_ptr<const ContextGraph> context,
                                                  int positions,
                                                  std::span<const std::vector<GraphEdge>> layers) {
  const GraphShape& shape = context->shape();
  if (positions <= shape.tokens) {
    return absl::InvalidArgumentError(
        absl::StrCat("graph: ", positions,
                     " positions were found, but a question has at least one token "
                     "behind the context of ",
                     shape.tokens, " tokens"));
  }
  absl::StatusOr<AttentionRows> rows = AttentionRows::Make(shape, shape.tokens, positions, layers);
  if (!rows.ok()) return rows.status();
  return QuestionGraph(std::move(context), *std::move(rows));
}

}  // namespace kvscope::metrics
