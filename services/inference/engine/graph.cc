#include "services/inference/engine/graph.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "services/inference/engine/suffix_run.h"
#include "services/inference/scorers/product.h"
#include "services/inference/tensor/check.h"
#include "services/status_macros.h"

namespace kvscope::inference {
namespace {

constexpr int kBlockRows = 64;      // whose weights are held at once
constexpr size_t kStepRows = 1024;  // of the suffixes that run together, one suffix or more

// The largest float32 that is not above `value`: a float32 exceeds the one if it exceeds the other.
float FloatBelow(double value) {
  const auto rounded = static_cast<float>(value);
  if (static_cast<double>(rounded) <= value) return rounded;
  return std::nextafter(rounded, -std::numeric_limits<float>::infinity());
}

}  // namespace

GraphCapture::GraphCapture(double epsilon, int64_t max_edges)
    : threshold_(FloatBelow(epsilon)), max_edges_(max_edges) {
  graph_.epsilon = epsilon;
}

void GraphCapture::AddRows(RowMatrix& logits, int head, int query,
                           std::vector<AttentionEdge>& edges) const {
  for (Eigen::Index row = 0; row < logits.rows(); ++row) {
    const Eigen::Index visible = logits.cols() - (logits.rows() - 1 - row);
    auto weights = logits.row(row).head(visible).array();
    weights = (weights - weights.maxCoeff()).exp();
    weights /= weights.sum();
    const float* weight = weights.data();
    for (int32_t key = 0; key < visible; ++key) {
      if (!(weight[key] > threshold_)) continue;
      edges.push_back({.head = head, .query = query + static_cast<int32_t>(row), .key = key});
    }
  }
}

void GraphCapture::Count(size_t added) {
  edges_ += static_cast<int64_t>(added);
  if (edges_ <= max_edges_) return;
  graph_.context.clear();
  graph_.context.shrink_to_fit();
  graph_.questions.clear();
  graph_.too_large = true;
}

void GraphCapture::PrepareRotations(const RopeParameters& rope, int tokens) {
  if (cos_.rows() == tokens) return;
  const auto pairs = static_cast<Eigen::Index>(rope.inv_freq.size());
  cos_.resize(tokens, pairs);
  sin_.resize(tokens, pairs);
  for (Eigen::Index t = 0; t < tokens; ++t) {
    for (Eigen::Index pair = 0; pair < pairs; ++pair) {
      const float angle = static_cast<float>(t) * rope.inv_freq[static_cast<size_t>(pair)];
      cos_(t, pair) = std::cos(angle) * rope.scale;
      sin_(t, pair) = std::sin(angle) * rope.scale;
    }
  }
}

// Queries of positions first .. first + count - 1 of one head, after RoPE and over sqrt(head_dim).
RowMatrix GraphCapture::Turned(const LayerView& layer, int head, int first, int count) const {
  const auto x = layer.queries(head).middleRows(first, count).array();
  const auto cos = cos_.middleRows(first, count).array(),
             sin = sin_.middleRows(first, count).array();
  const Eigen::Index half = cos.cols();
  RowMatrix turned(count, layer.head_dim);
  turned.leftCols(half) = x.leftCols(half) * cos - x.rightCols(half) * sin;
  turned.rightCols(half) = x.rightCols(half) * cos + x.leftCols(half) * sin;
  return turned / std::sqrt(static_cast<float>(layer.head_dim));
}

void GraphCapture::AddLayer(const LayerView& layer) {
  if (graph_.too_large) return;
  PrepareRotations(*layer.rope, layer.tokens);
  std::vector<AttentionEdge> edges;
  for (int head = 0; head < layer.q_heads; ++head) {
    const MatrixView keys = layer.keys(head / layer.group());
    for (int first = 0; first < layer.tokens; first += kBlockRows) {
      const int count = std::min(kBlockRows, layer.tokens - first);
      const size_t before = edges.size();
      RowMatrix logits =
          TimesTransposed(Turned(layer, head, first, count), keys.topRows(first + count));
      AddRows(logits, head, first, edges);
      Count(edges.size() - before);
      if (graph_.too_large) return;
    }
  }
  graph_.context.push_back(std::move(edges));
}

absl::Status GraphCapture::AddQuestions(const Decoder& decoder, const KvCache& context,
                                        std::span<const GraphQuestion> questions,
                                        Workspace& workspace,
                                        const std::function<bool()>& cancelled) {
  for (size_t first = 0; first < questions.size();) {
    size_t count = 0, rows = 0;
    while (first + count < questions.size()) {
      rows += questions[first + count].suffix.size();
      if (count > 0 && rows > kStepRows) break;
      ++count;
    }
    KVSCOPE_RETURN_IF_ERROR(
        AddTogether(decoder, context, questions.subspan(first, count), workspace, cancelled));
    first += count;
  }
  return absl::OkStatus();
}

absl::Status GraphCapture::AddTogether(const Decoder& decoder, const KvCache& context,
                                       std::span<const GraphQuestion> questions,
                                       Workspace& workspace,
                                       const std::function<bool()>& cancelled) {
  if (graph_.too_large) return absl::OkStatus();
  const size_t known = graph_.questions.size();
  std::vector<std::span<const int32_t>> suffixes;
  for (const GraphQuestion& question : questions) {
    KVSCOPE_CHECK(!question.suffix.empty(), "a question has a token");
    TokenGraph::Suffix& suffix = graph_.questions.emplace_back();
    suffix.question_index = question.question_index;
    suffix.tokens = static_cast<int>(question.suffix.size());
    suffixes.push_back(question.suffix);
  }
  SuffixRun run(decoder, context, suffixes, workspace);
  const int layers = decoder.config().layers;
  for (int layer = 0; layer < layers; ++layer) {
    if (cancelled && cancelled()) return absl::CancelledError("graph capture cancelled");
    run.Begin(layer);
    for (size_t q = 0; q < questions.size(); ++q) {
      AddSuffix(run, q, graph_.questions[known + q]);
      Count(graph_.questions[known + q].layers.back().size());
      if (graph_.too_large) return absl::OkStatus();
    }
    if (layer + 1 < layers) run.Finish();
  }
  return absl::OkStatus();
}

void GraphCapture::AddSuffix(const SuffixRun& run, size_t slot, TokenGraph::Suffix& suffix) {
  std::vector<AttentionEdge>& edges = suffix.layers.emplace_back();
  const Eigen::Index context = run.context_tokens();
  for (int head = 0; head < run.q_heads(); ++head) {
    for (int begin = 0; begin < suffix.tokens; begin += kBlockRows) {
      const int end = std::min(begin + kBlockRows, suffix.tokens);
      RowMatrix logits = run.Logits(slot, begin, end, head);
      if (end == suffix.tokens) {
        Eigen::Index top = 0;
        logits.row(end - begin - 1).head(context).maxCoeff(&top);
        suffix.top_tokens.push_back(static_cast<int32_t>(top));
      }
      AddRows(logits, head, static_cast<int>(context) + begin, edges);
    }
  }
}

}  // namespace kvscope::inference
