// The token-attention graph against transformers' attention weights: the same edges.
#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <tuple>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/inference/engine/graph.h"
#include "services/inference/engine/prefill.h"
#include "services/inference/engine/score.h"
#include "tests/inference/engine/golden_model.h"

namespace kvscope::inference {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

// Those of rows [begin, end) of weights [q_heads, tokens, tokens] that exceed epsilon.
std::vector<AttentionEdge> EdgesOf(const float* weights, int heads, int tokens, int begin, int end,
                                   double epsilon) {
  std::vector<AttentionEdge> edges;
  for (int head = 0; head < heads; ++head) {
    for (int query = begin; query < end; ++query) {
      for (int key = 0; key < tokens; ++key) {
        if (double{weights[(head * tokens + query) * tokens + key]} <= epsilon) continue;
        edges.push_back({.head = head, .query = query, .key = key});
      }
    }
  }
  return edges;
}

class GraphGolden : public GoldenModelTest {
 protected:
  TokenGraph Graph(std::span<const int32_t> context, std::span<const GraphQuestion> questions,
                   double epsilon, int64_t max_edges = TokenGraph::kMaxEdges) {
    GraphCapture graph(epsilon, max_edges);
    ContextCapture capture = {.graph = &graph, .mean_layers = {}};
    const auto cache = PrefillAndScore(*model_, context, nullptr, *workspace_, {}, &capture);
    EXPECT_TRUE(cache.ok()) << cache.status();
    const absl::Status status =
        graph.AddQuestions(*model_->decoder, *cache, questions, *workspace_, {});
    EXPECT_TRUE(status.ok()) << status;
    return graph.Take();
  }

  // The attention weights of one forward over all of `ids`, layer by layer.
  std::vector<Tensor> Forward(std::span<const int32_t> ids) {
    PrefillRequest request;
    request.ids = ids;
    request.attention = true;
    auto result = Prefill(*model_, request, *workspace_);
    EXPECT_TRUE(result.ok()) << result.status();
    return std::move(result->attention);
  }
};

// The golden weights are at least 1.2e-6 away from these epsilons.
TEST_P(GraphGolden, EdgesAreThoseOfTransformers) {
  const std::vector<int32_t> ids = Ids("short.input_ids");
  const Tensor golden = *golden_->Get("short.attentions");
  const int heads = model_->config.q_heads, tokens = static_cast<int>(ids.size());
  for (const int context : {52, 64}) {  // all of it, and the rest as a question's suffix
    const std::span<const int32_t> all = ids;
    std::vector<GraphQuestion> questions;
    if (context < tokens) {
      questions.push_back(
          {.question_index = 3, .suffix = all.subspan(static_cast<size_t>(context))});
    }
    for (const double epsilon : {0.02, 0.1, 0.3}) {
      SCOPED_TRACE("context " + std::to_string(context) + ", " + std::to_string(epsilon));
      const TokenGraph graph = Graph(all.first(static_cast<size_t>(context)), questions, epsilon);
      EXPECT_EQ(graph.epsilon, epsilon);
      EXPECT_FALSE(graph.too_large);
      ASSERT_THAT(graph.context, SizeIs(static_cast<size_t>(golden.dim(0))));
      ASSERT_THAT(graph.questions, SizeIs(questions.size()));
      for (size_t layer = 0; layer < graph.context.size(); ++layer) {
        const float* weights = golden.f32() + static_cast<int64_t>(layer) * heads * tokens * tokens;
        EXPECT_EQ(graph.context[layer], EdgesOf(weights, heads, tokens, 0, context, epsilon));
        EXPECT_THAT(graph.context[layer], testing::Not(IsEmpty()));
        if (questions.empty()) continue;
        EXPECT_EQ(graph.questions[0].layers[layer],
                  EdgesOf(weights, heads, tokens, context, tokens, epsilon));
      }
      if (questions.empty()) continue;
      EXPECT_EQ(graph.questions[0].question_index, 3);
      EXPECT_EQ(graph.questions[0].tokens, tokens - context);
      for (size_t i = 0; i < graph.questions[0].top_tokens.size(); ++i) {
        const float* row = golden.f32() + (static_cast<int64_t>(i) * tokens + tokens - 1) * tokens;
        EXPECT_EQ(graph.questions[0].top_tokens[i], std::max_element(row, row + context) - row);
      }
      EXPECT_THAT(graph.questions[0].top_tokens, SizeIs(graph.context.size() * heads));
    }
  }
}

// Rows in more than one block, suffixes in more than one step: each as in a forward over the
// context and that suffix alone.
TEST_P(GraphGolden, EachSuffixIsOneForwardOverContextAndSuffix) {
  const std::vector<int32_t> context = Ids("long.input_ids");
  std::vector<std::vector<int32_t>> suffixes(12);
  for (size_t s = 0; s < suffixes.size(); ++s) {
    suffixes[s].resize(s == 4 ? 1 : 90 + s);
    for (size_t i = 0; i < suffixes[s].size(); ++i) {
      suffixes[s][i] = static_cast<int32_t>((i * 37 + s * 101 + 5) % 512);
    }
  }
  std::vector<GraphQuestion> questions;
  for (size_t s = 0; s < suffixes.size(); ++s) {
    questions.push_back({.question_index = static_cast<int>(s), .suffix = suffixes[s]});
  }
  constexpr double kEpsilon = 0.05;
  const TokenGraph graph = Graph(context, questions, kEpsilon);
  ASSERT_THAT(graph.questions, SizeIs(suffixes.size()));
  const int heads = model_->config.q_heads, tokens = static_cast<int>(context.size());
  for (const size_t s : {size_t{0}, size_t{4}, size_t{11}}) {
    std::vector<int32_t> ids = context;
    ids.insert(ids.end(), suffixes[s].begin(), suffixes[s].end());
    const int all = static_cast<int>(ids.size());
    const std::vector<Tensor> weights = Forward(ids);
    ASSERT_EQ(graph.questions[s].tokens, all - tokens);
    int64_t compared = 0;
    for (size_t layer = 0; layer < weights.size(); ++layer) {
      // Equal but for weights within float noise of epsilon.
      const auto differing = [&](const std::vector<AttentionEdge>& a,
                                 const std::vector<AttentionEdge>& b) {
        std::vector<AttentionEdge> only;
        const auto key = [](const AttentionEdge& e) { return std::tuple(e.head, e.query, e.key); };
        std::set_symmetric_difference(
            a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(only),
            [&](const AttentionEdge& x, const AttentionEdge& y) { return key(x) < key(y); });
        std::erase_if(only, [&](const AttentionEdge& e) {
          const float w = weights[layer].f32()[(e.head * all + e.query) * all + e.key];
          return std::abs(w - kEpsilon) < 1e-5;
        });
        return only;
      };
      const auto expected = EdgesOf(weights[layer].f32(), heads, all, tokens, all, kEpsilon);
      EXPECT_THAT(differing(graph.questions[s].layers[layer], expected), IsEmpty());
      compared += static_cast<int64_t>(expected.size());
      EXPECT_THAT(differing(graph.context[layer],
                            EdgesOf(weights[layer].f32(), heads, all, 0, tokens, kEpsilon)),
                  IsEmpty());
    }
    EXPECT_GT(compared, all - tokens);
  }
}

TEST_P(GraphGolden, ALargeEpsilonGivesNoEdge) {
  const std::vector<int32_t> ids = Ids("short.input_ids");
  const std::vector<GraphQuestion> questions = {{.question_index = 0, .suffix = ids}};
  for (const double epsilon : {1.0, 2.0, 1e300}) {
    const TokenGraph graph = Graph(ids, questions, epsilon);
    EXPECT_THAT(graph.context, testing::Each(IsEmpty()));
    EXPECT_THAT(graph.questions[0].layers, testing::Each(IsEmpty()));
    EXPECT_FALSE(graph.too_large);
  }
}

TEST_P(GraphGolden, AnEpsilonOfZeroTakesEveryWeight) {
  const std::vector<int32_t> ids = Ids("short.input_ids");
  const TokenGraph graph = Graph(std::span(ids).first(40), {}, 0);
  for (const std::vector<AttentionEdge>& edges : graph.context) {
    EXPECT_THAT(edges, SizeIs(static_cast<size_t>(model_->config.q_heads * 40 * 41 / 2)));
  }
}

TEST_P(GraphGolden, TooManyEdgesAreNotListed) {
  const std::vector<int32_t> ids = Ids("short.input_ids");
  const std::span<const int32_t> context = std::span(ids).first(52),
                                 suffix = std::span(ids).last(12);
  const std::vector<GraphQuestion> questions = {{.question_index = 0, .suffix = suffix}};
  const TokenGraph whole = Graph(context, questions, 0.02);
  int64_t of_context = 0, all = 0;
  for (const auto& edges : whole.context) of_context += static_cast<int64_t>(edges.size());
  for (const auto& edges : whole.questions[0].layers) all += static_cast<int64_t>(edges.size());
  all += of_context;
  EXPECT_FALSE(Graph(context, questions, 0.02, all).too_large);
  for (const int64_t limit : {all - 1, of_context, of_context - 1, int64_t{0}}) {
    const TokenGraph graph = Graph(context, questions, 0.02, limit);
    EXPECT_TRUE(graph.too_large) << limit;
    EXPECT_THAT(graph.context, IsEmpty());
    EXPECT_THAT(graph.questions, IsEmpty());
  }
}

TEST_P(GraphGolden, StopsWhenCancelled) {
  const std::vector<int32_t> ids = Ids("short.input_ids");
  const KvCache cache = *PrefillAndScore(*model_, ids, nullptr, *workspace_);
  const std::vector<GraphQuestion> questions = {{.question_index = 0, .suffix = ids}};
  GraphCapture graph(0.02);
  EXPECT_EQ(graph.AddQuestions(*model_->decoder, cache, questions, *workspace_, [] { return true; })
                .code(),
            absl::StatusCode::kCancelled);
}

INSTANTIATE_TEST_SUITE_P(Models, GraphGolden,
                         testing::Combine(testing::Values("llama3-tiny", "llama-tied", "qwen2-tiny",
                                                          "qwen3-tiny", "mistral-tiny"),
                                          testing::ValuesIn(UsableDevices())),
                         [](const testing::TestParamInfo<GraphGolden::ParamType>& info) {
                           std::string name =
                               std::get<0>(info.param) + "_" + std::get<1>(info.param);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace kvscope::inference
