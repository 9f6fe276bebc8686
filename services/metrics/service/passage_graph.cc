#include "services/metrics/service/passage_graph.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/metrics/graph/reroute.h"
#include "services/status_macros.h"

namespace kvscope::metrics {
namespace {

constexpr int kMaxSuffixTokens = 1 << 20;

absl::Status Outside(const char* field, int64_t found, int64_t low, int64_t high) {
  return absl::InvalidArgumentError(absl::StrCat(
      "graph.", field, ": ", found, " was found, but it must be from ", low, " to ", high));
}

void Append(const v1::GraphRecord& record, std::vector<GraphEdge>& edges) {
  for (int i = 0; i < record.heads_size(); ++i) {
    // What does not fit becomes negative, which the graph refuses.
    edges.push_back({.head = static_cast<int32_t>(record.heads(i)),
                     .query = static_cast<int32_t>(record.queries(i)),
                     .key = static_cast<int32_t>(record.keys(i))});
  }
}

void Fill(const GraphRoutes& routes, v1::Routes::Graph& proto) {
  proto.set_reached(routes.reached);
  proto.set_reachable_count(routes.reachable_tokens);
  proto.set_disjoint_count(routes.disjoint_routes);
  proto.set_direct_count(routes.direct_routes);
  proto.set_shortest(routes.shortest.value_or(0));
  if (routes.reach_bound) proto.set_reach_bound(*routes.reach_bound);
  proto.set_routes_alive(routes.routes_alive);
}

}  // namespace

PassageGraph::PassageGraph(const GraphShape& shape, int questions)
    : shape_(shape), questions_(questions), context_edges_(static_cast<size_t>(shape.layers)) {}

absl::Status PassageGraph::Take(const v1::GraphRecord& record) {
  const int question = record.question_index();
  if (question < -1 || question >= questions_) {
    return Outside("question_index", question, -1, questions_ - 1);
  }
  if (record.too_large()) {
    too_large_ = true;
    return absl::OkStatus();
  }
  if (record.layer() < 0 || record.layer() >= shape_.layers) {
    return Outside("layer", record.layer(), 0, shape_.layers - 1);
  }
  if (record.queries_size() != record.heads_size() || record.keys_size() != record.heads_size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "graph: ", record.heads_size(), " heads, ", record.queries_size(), " queries and ",
        record.keys_size(), " keys were found, but every edge has one of each"));
  }
  held_bytes_ += static_cast<size_t>(record.heads_size()) * 2 * sizeof(GraphEdge);
  const auto layer = static_cast<size_t>(record.layer());
  if (question < 0) {
    Append(record, context_edges_[layer]);
    return absl::OkStatus();
  }
  if (record.suffix_tokens() < 1 || record.suffix_tokens() > kMaxSuffixTokens) {
    return Outside("suffix_tokens", record.suffix_tokens(), 1, kMaxSuffixTokens);
  }
  Rows& rows = rows_[question];
  if (rows.layers.empty()) {
    rows.suffix_tokens = record.suffix_tokens();
    rows.layers.resize(static_cast<size_t>(shape_.layers));
    rows.top_tokens.assign(static_cast<size_t>(shape_.layers) * shape_.q_heads, -1);
  }
  if (record.suffix_tokens() != rows.suffix_tokens) {
    return Outside("suffix_tokens", record.suffix_tokens(), rows.suffix_tokens, rows.suffix_tokens);
  }
  Append(record, rows.layers[layer]);
  if (record.top_tokens().empty()) return absl::OkStatus();
  if (record.top_tokens_size() != shape_.q_heads) {
    return Outside("top_tokens", record.top_tokens_size(), shape_.q_heads, shape_.q_heads);
  }
  for (int head = 0; head < shape_.q_heads; ++head) {
    rows.top_tokens[layer * shape_.q_heads + head] = record.top_tokens(head);
  }
  return absl::OkStatus();
}

absl::Status PassageGraph::Prepare(Rows& rows, std::span<const int32_t> answer) {
  if (context_ == nullptr) {
    KVSCOPE_ASSIGN_OR_RETURN(context_, ContextGraph::Make(shape_, context_edges_));
    context_edges_ = Layers();
  }
  KVSCOPE_ASSIGN_OR_RETURN(
      QuestionGraph graph,
      QuestionGraph::Make(context_, shape_.tokens + rows.suffix_tokens, rows.layers));
  rows.layers = Layers(static_cast<size_t>(shape_.layers));
  KVSCOPE_ASSIGN_OR_RETURN(
      AnswerRoutes routes,
      AnswerRoutes::Make(std::make_shared<const QuestionGraph>(std::move(graph)), answer));
  rows.routes = std::make_unique<AnswerRoutes>(std::move(routes));
  return absl::OkStatus();
}

absl::StatusOr<std::optional<v1::Routes>> PassageGraph::Measure(const KeepBits& keep, int question,
                                                                std::span<const int32_t> answer) {
  const auto found = rows_.find(question);
  if (too_large_ || answer.empty() || found == rows_.end()) return std::nullopt;
  Rows& rows = found->second;
  if (rows.routes == nullptr) {
    const absl::Status status = Prepare(rows, answer);
    if (!status.ok()) {
      return absl::Status(status.code(), absl::StrCat("graph: ", status.message()));
    }
  }
  KVSCOPE_ASSIGN_OR_RETURN(const CellRoutes cell, rows.routes->Measure(keep));
  v1::Routes routes;
  Fill(cell.as_defined, *routes.mutable_as_defined());
  Fill(cell.as_computed, *routes.mutable_as_computed());
  KVSCOPE_ASSIGN_OR_RETURN(
      const auto reroute,
      MeasureReroute(
          {.steps = 1, .layers = shape_.layers, .q_heads = shape_.q_heads, .ids = rows.top_tokens},
          keep));
  for (const auto& layer : reroute) {
    routes.add_must_reroute_layer(layer ? layer->must_reroute
                                        : std::numeric_limits<double>::quiet_NaN());
  }
  return routes;
}

}  // namespace kvscope::metrics
