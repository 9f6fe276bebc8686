// What the routes of one captured passage cost, as one line of JSON: a passage of a pocket model
// (190 tokens, 8 query heads on 4 KV heads, 6 layers, about 50,000 edges), 44 cells of 10
// questions.
//
//   graph_speed
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <vector>

#include "services/metrics/graph/answer_routes.h"

namespace kvscope::metrics {
namespace {

constexpr GraphShape kShape = {.layers = 6, .q_heads = 8, .tokens = 190};
constexpr int kKvHeads = 4, kSuffix = 15, kQuestions = 10, kCells = 44;
constexpr int kRatios = 11;  // 0, 0.09 ... 0.9 of each of four presses

using Layers = std::vector<std::vector<GraphEdge>>;
using Clock = std::chrono::steady_clock;

// Rows [first, end): every head looks at the first token, at near ones and at a few far ones.
Layers RandomRows(std::mt19937& random, int first, int end) {
  Layers layers(kShape.layers);
  for (std::vector<GraphEdge>& edges : layers) {
    for (int head = 0; head < kShape.q_heads; ++head) {
      for (int query = first; query < end; ++query) {
        edges.push_back({head, query, 0});
        for (int i = 0; i < 3; ++i) {
          edges.push_back(
              {head, query, query - static_cast<int>(random() % std::min(query + 1, 8))});
          edges.push_back({head, query, static_cast<int>(random() % (query + 1))});
        }
      }
    }
  }
  return layers;
}

std::vector<uint8_t> RandomKeep(std::mt19937& random, double ratio) {
  const int row_bytes = (kShape.tokens + 7) / 8;
  std::vector<uint8_t> bytes(kShape.layers * kKvHeads * row_bytes);
  for (int row = 0; row < kShape.layers * kKvHeads; ++row) {
    for (int t = 0; t < kShape.tokens; ++t) {
      const bool kept = static_cast<double>(random()) >= ratio * 4294967296.0;
      bytes[row * row_bytes + t / 8] |= static_cast<uint8_t>(kept << (t % 8));
    }
  }
  return bytes;
}

double Microseconds(Clock::time_point since) {
  return std::chrono::duration<double, std::micro>(Clock::now() - since).count();
}

double Median(std::vector<double>& values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

int Run() {
  std::mt19937 random(1);
  const Layers rows = RandomRows(random, 0, kShape.tokens);
  size_t edges = 0;
  for (const auto& layer : rows) edges += layer.size();
  auto begin = Clock::now();
  const auto context = ContextGraph::Make(kShape, rows).value();
  const double context_us = Microseconds(begin);

  std::vector<AnswerRoutes> answers;
  std::vector<double> question_us, answer_us;
  for (int question = 0; question < kQuestions; ++question) {
    const Layers suffix = RandomRows(random, kShape.tokens, kShape.tokens + kSuffix);
    const int32_t token = 10 + static_cast<int32_t>(random() % 160);
    begin = Clock::now();
    auto graph = QuestionGraph::Make(context, kShape.tokens + kSuffix, suffix).value();
    answers.push_back(AnswerRoutes::Make(std::make_shared<const QuestionGraph>(std::move(graph)),
                                         std::vector<int32_t>{token, token + 1})
                          .value());
    question_us.push_back(Microseconds(begin));
  }
  double total_us = 0;
  int reached = 0, routes = 0;
  for (int cell = 0; cell < kCells; ++cell) {
    const std::vector<uint8_t> bytes = RandomKeep(random, 0.09 * (cell % kRatios));
    const KeepBits keep = KeepBits::Make(kShape.layers, kKvHeads, kShape.tokens, bytes).value();
    for (const AnswerRoutes& answer : answers) {
      begin = Clock::now();
      const CellRoutes found = answer.Measure(keep).value();
      answer_us.push_back(Microseconds(begin));
      total_us += answer_us.back();
      reached += found.as_defined.reached;
      routes += found.as_defined.disjoint_routes;
    }
  }
  std::printf(
      "{\"edges\": %zu, \"context_us\": %.0f, \"question_us\": %.0f, \"answer_us_median\": %.0f, "
      "\"answer_us_max\": %.0f, \"passage_ms\": %.1f, \"reached\": %.2f, \"routes\": %.1f}\n",
      edges, context_us, Median(question_us), Median(answer_us),
      *std::max_element(answer_us.begin(), answer_us.end()), total_us / 1000,
      static_cast<double>(reached) / (kCells * kQuestions),
      static_cast<double>(routes) / (kCells * kQuestions));
  return 0;
}

}  // namespace
}  // namespace kvscope::metrics

int main() { return kvscope::metrics::Run(); }
