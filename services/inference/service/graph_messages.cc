#include "services/inference/service/graph_messages.h"

#include <algorithm>
#include <span>
#include <vector>

#include "services/rpc/channel.h"
#include "services/status_macros.h"

namespace kvscope::inference {
namespace {

using Send = std::function<absl::Status(const v1::SurvivalRecord&)>;

// An edge takes three numbers of at most 5 bytes.
constexpr size_t kPartEdges = (rpc::kChunkBytes - 4096) / 15;

void AddEdges(std::span<const AttentionEdge> edges, v1::GraphRecord& record) {
  for (const AttentionEdge& edge : edges) {
    record.add_heads(static_cast<uint32_t>(edge.head));
    record.add_queries(static_cast<uint32_t>(edge.query));
    record.add_keys(static_cast<uint32_t>(edge.key));
  }
}

// `first`: what stands in all records of the layer; its top tokens only in the first.
absl::Status SendLayer(v1::GraphRecord first, std::span<const AttentionEdge> edges,
                       const Send& send) {
  v1::SurvivalRecord message;
  v1::GraphRecord& record = *message.mutable_graph();
  record = std::move(first);
  do {
    const size_t count = std::min(edges.size(), kPartEdges);
    AddEdges(edges.first(count), record);
    KVSCOPE_RETURN_IF_ERROR(send(message));
    edges = edges.subspan(count);
    record.clear_heads();
    record.clear_queries();
    record.clear_keys();
    record.clear_top_tokens();
  } while (!edges.empty());
  return absl::OkStatus();
}

absl::Status SendQuestion(const TokenGraph::Suffix& suffix, const Send& send) {
  const size_t heads = suffix.top_tokens.size() / suffix.layers.size();
  for (size_t layer = 0; layer < suffix.layers.size(); ++layer) {
    v1::GraphRecord first;
    first.set_question_index(suffix.question_index);
    first.set_layer(static_cast<int32_t>(layer));
    first.set_suffix_tokens(suffix.tokens);
    const auto top = suffix.top_tokens.begin() + static_cast<ptrdiff_t>(layer * heads);
    first.mutable_top_tokens()->Assign(top, top + static_cast<ptrdiff_t>(heads));
    KVSCOPE_RETURN_IF_ERROR(SendLayer(std::move(first), suffix.layers[layer], send));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SendGraph(const TokenGraph& graph, const Send& send) {
  if (graph.too_large) {
    v1::SurvivalRecord message;
    message.mutable_graph()->set_question_index(-1);
    message.mutable_graph()->set_too_large(true);
    return send(message);
  }
  for (size_t layer = 0; layer < graph.context.size(); ++layer) {
    v1::GraphRecord first;
    first.set_question_index(-1);
    first.set_layer(static_cast<int32_t>(layer));
    KVSCOPE_RETURN_IF_ERROR(SendLayer(std::move(first), graph.context[layer], send));
  }
  for (const TokenGraph::Suffix& suffix : graph.questions) {
    KVSCOPE_RETURN_IF_ERROR(SendQuestion(suffix, send));
  }
  return absl::OkStatus();
}

}  // namespace kvscope::inference
