// PassageGraph: the graph records of one passage in, the routes of its answers out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kvscope/v1/metrics.pb.h"
#include "kvscope/v1/survival.pb.h"
#include "services/metrics/graph/answer_routes.h"
#include "services/metrics/graph/token_graph.h"
#include "services/metrics/survival/keep_bits.h"

namespace kvscope::metrics {

class PassageGraph {
 public:
  // Of a passage with `questions` questions.
  PassageGraph(const GraphShape& shape, int questions);

  // Errors: InvalidArgument naming the field. What is held grows with what was sent.
  absl::Status Take(const v1::GraphRecord& record);
  size_t held_bytes() const { return held_bytes_; }

  // Nothing where the answer has no tokens, the question's rows were not sent, or the graph was too
  // large to send. The first call of a question does what no keep set changes. Errors:
  // InvalidArgument (edges that contradict the shape).
  absl::StatusOr<std::optional<v1::Routes>> Measure(const KeepBits& keep, int question,
                                                    std::span<const int32_t> answer);

 private:
  using Layers = std::vector<std::vector<GraphEdge>>;
  struct Rows {
    int suffix_tokens = 0;
    Layers layers;                    // until the routes are made
    std::vector<int32_t> top_tokens;  // [layers, q_heads], -1 where none was sent
    std::unique_ptr<AnswerRoutes> routes;
  };

  absl::Status Prepare(Rows& rows, std::span<const int32_t> answer);

  const GraphShape shape_;
  const int questions_;
  Layers context_edges_;  // until the context is made
  std::shared_ptr<const ContextGraph> context_;
  std::map<int, Rows> rows_;  // by question
  bool too_large_ = false;
  size_t held_bytes_ = 0;
};

}  // namespace kvscope::metrics
