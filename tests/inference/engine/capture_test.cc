// What evaluation records beside its cells: graphs and probes, in every regime, for every question,
// and without a difference to the answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "services/inference/engine/evaluate.h"
#include "services/inference/engine/prefill.h"
#include "services/inference/engine/state.h"
#include "services/inference/engine/task.h"
#include "tests/inference/engine/pocket.h"

namespace kvscope::inference {
namespace {

using ::testing::Each;
using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pointwise;
using ::testing::SizeIs;

constexpr double kEpsilon = 0.02;

PassageExtras WithGraph(double epsilon = kEpsilon) {
  return {.token_texts = false, .graph_epsilon = epsilon};
}

// Edges of rows [begin, end) of one layer's weights [q_heads, tokens, tokens]; those within float
// noise of epsilon are left out of both sides.
void ExpectEdges(const std::vector<AttentionEdge>& edges, const Tensor& weights, int begin,
                 int end) {
  const int64_t tokens = weights.dim(1);
  const auto weight = [&](const AttentionEdge& e) {
    return weights.f32()[(e.head * tokens + e.query) * tokens + e.key];
  };
  const auto sure = [](float w) { return std::abs(w - kEpsilon) > 1e-5; };
  int64_t above = 0, found = 0;
  for (int32_t head = 0; head < weights.dim(0); ++head) {
    for (int32_t query = begin; query < end; ++query) {
      for (int32_t key = 0; key <= query; ++key) {
        const float w = weight({.head = head, .query = query, .key = key});
        above += sure(w) && w > kEpsilon;
      }
    }
  }
  for (const AttentionEdge& edge : edges) {
    ASSERT_TRUE(begin <= edge.query && edge.query < end && 0 <= edge.key && edge.key <= edge.query);
    if (!sure(weight(edge))) continue;
    EXPECT_GT(weight(edge), kEpsilon);
    ++found;
  }
  EXPECT_EQ(found, above);
  EXPECT_GT(found, 0);
}

// Every graph of `grid` on the passage against one forward over its context and each suffix.
void ExpectGraphs(const Grid& grid, const Passage& passage) {
  const Engine::State& state = Pocket().state();
  const auto tasks = PlanTasks(state, grid, passage);
  ASSERT_TRUE(tasks.ok()) << tasks.status();
  const std::vector<PassageRecord> records = Evaluate(grid, passage, WithGraph());
  ASSERT_EQ(records.size(), tasks->size());
  for (size_t t = 0; t < records.size(); ++t) {
    const Task& task = (*tasks)[t];
    ASSERT_TRUE(records[t].graph.has_value());
    const TokenGraph& graph = *records[t].graph;
    EXPECT_EQ(graph.epsilon, kEpsilon);
    EXPECT_FALSE(graph.too_large);
    ASSERT_THAT(graph.questions, SizeIs(task.asked.size()));
    const int context = static_cast<int>(task.context.ids.size());
    for (size_t i = 0; i < task.asked.size(); ++i) {
      const TokenGraph::Suffix& suffix = graph.questions[i];
      EXPECT_EQ(suffix.question_index, task.asked[i]);
      ASSERT_EQ(suffix.tokens, static_cast<int>(task.suffixes[i].size()));
      std::vector<int32_t> ids = task.context.ids;
      ids.insert(ids.end(), task.suffixes[i].begin(), task.suffixes[i].end());
      PrefillRequest request;
      request.ids = ids;
      request.attention = true;
      const auto forward = Prefill(*state.model, request, *state.workspace);
      ASSERT_TRUE(forward.ok()) << forward.status();
      ASSERT_THAT(suffix.layers, SizeIs(forward->attention.size()));
      ASSERT_THAT(graph.context, SizeIs(forward->attention.size()));
      for (size_t layer = 0; layer < suffix.layers.size(); ++layer) {
        ExpectEdges(suffix.layers[layer], forward->attention[layer], context,
                    context + suffix.tokens);
        if (i == 0) ExpectEdges(graph.context[layer], forward->attention[layer], 0, context);
      }
    }
  }
}

TEST(Graph, RowsAreThoseOfOneForwardOverContextAndQuestion) {
  for (const Regime regime : {Regime::kAgnostic, Regime::kAware, Regime::kAwareEach}) {
    Grid grid = MakeGrid({"knorm", "snapkv(window_size=16)"}, {0.5, 0.9});  // not at ratio 0
    grid.regime = regime;
    SCOPED_TRACE(static_cast<int>(regime));
    ExpectGraphs(grid, ThreePeople());
  }
}

TEST(Graph, NeedsNoCompression) { ExpectGraphs(MakeGrid({"knorm"}, {0}), ThreePeople()); }

TEST(Graph, IsThereOnlyIfAskedFor) {
  EXPECT_FALSE(Evaluate(MakeGrid({"knorm"}, {0}), ThreePeople())[0].graph.has_value());
}

TEST(Graph, TheQueryTokenLooksFirstWhereTheFullRunDoes) {
  const PassageRecord record =
      Evaluate(MakeGrid({"knorm"}, {0, 0.5}), ThreePeople(), WithGraph())[0];
  for (size_t q = 0; q < 4; ++q) {
    EXPECT_EQ(record.graph->questions[q].top_tokens, record.cells[0].streams[q].rows[0].top_tokens);
  }
}

TEST(Graph, AnEpsilonOfOneGivesNoEdge) {
  const PassageRecord record = Evaluate(MakeGrid({"knorm"}, {0}), ThreePeople(), WithGraph(1))[0];
  EXPECT_THAT(record.graph->context, Each(IsEmpty()));
  for (const TokenGraph::Suffix& suffix : record.graph->questions) {
    EXPECT_THAT(suffix.layers, Each(IsEmpty()));
  }
}

TEST(Graph, RefusesAnEpsilonBelowZero) {
  for (const double epsilon : {-0.01, std::numeric_limits<double>::quiet_NaN()}) {
    const absl::Status status =
        EvaluatePassage(Pocket(), MakeGrid({"knorm"}, {0}), ThreePeople(), WithGraph(epsilon), {},
                        [](PassageRecord&&) { return absl::OkStatus(); });
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("epsilon is"));
  }
}

TEST(Probes, ThePoolOfTheContextIsEveryStreams) {
  Grid grid = MakeGrid({"knorm", "random"}, {0, 0.5});
  grid.probe_pool = ProbePool::kContext;
  const PassageRecord record = Evaluate(grid, ThreePeople())[0];
  const Engine::State& state = Pocket().state();
  PrefillRequest request;
  request.ids = record.context_ids;
  request.hidden = true;
  const auto forward = Prefill(*state.model, request, *state.workspace);
  ASSERT_TRUE(forward.ok()) << forward.status();
  std::vector<float> expected;
  for (const Tensor& states : forward->hidden) {
    for (int64_t i = 0; i < states.dim(1); ++i) {
      double sum = 0;
      for (int64_t t = 0; t < states.dim(0); ++t) sum += states.f32()[t * states.dim(1) + i];
      expected.push_back(static_cast<float>(sum / static_cast<double>(states.dim(0))));
    }
  }
  for (const CellRecord& cell : record.cells) {
    for (const StreamRecord& stream : cell.streams) {
      EXPECT_THAT(stream.pooled, Pointwise(FloatNear(1e-4f), expected));
    }
  }
}

// A few layers are a part of all; cells with one keep set share their states; compression shows.
TEST(Probes, LayersMayBeChosen) {
  const size_t width = static_cast<size_t>(Pocket().info().hidden_size);
  for (const ProbePool pool : {ProbePool::kLast, ProbePool::kMean}) {
    Grid grid = MakeGrid({"knorm", "random"}, {0, 0.5});
    grid.probe_pool = pool;
    const PassageRecord all = Evaluate(grid, ThreePeople())[0];
    grid.probe_layers = {0, 3, 6};
    const PassageRecord some = Evaluate(grid, ThreePeople())[0];
    for (size_t cell = 0; cell < 4; ++cell) {
      for (size_t q = 0; q < 4; ++q) {
        const std::vector<float>& whole = all.cells[cell].streams[q].pooled;
        ASSERT_THAT(whole, SizeIs(7 * width));
        std::vector<float> part;
        for (const size_t layer : {0, 3, 6}) {
          part.insert(part.end(), whole.begin() + static_cast<ptrdiff_t>(layer * width),
                      whole.begin() + static_cast<ptrdiff_t>((layer + 1) * width));
        }
        EXPECT_EQ(some.cells[cell].streams[q].pooled, part);
        EXPECT_EQ(all.cells[0].streams[q].pooled, all.cells[2].streams[q].pooled);
        EXPECT_NE(all.cells[0].streams[q].pooled, all.cells[1].streams[q].pooled);
      }
    }
  }
}

TEST(Probes, AreThereOnlyIfAskedFor) {
  Grid grid = MakeGrid({"knorm"}, {0});
  grid.probe_layers = {1};
  EXPECT_THAT(Evaluate(grid, ThreePeople())[0].cells[0].streams[0].pooled, IsEmpty());
}

TEST(Probes, RefuseLayersThatTheModelHasNot) {
  const auto refusal = [](std::vector<int> layers) {
    Grid grid = MakeGrid({"knorm"}, {0});
    grid.probe_pool = ProbePool::kLast;
    grid.probe_layers = std::move(layers);
    const auto size = MeasurePassage(Pocket(), grid, ThreePeople());
    EXPECT_EQ(size.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(size.status().message());
  };
  EXPECT_THAT(refusal({0, 7}), HasSubstr("probe layer 7: the model's are 0 (the embeddings) to 6"));
  EXPECT_THAT(refusal({-1}), HasSubstr("probe layer -1"));
  EXPECT_THAT(refusal({3, 3}), HasSubstr("must ascend"));
  EXPECT_THAT(refusal({4, 2}), HasSubstr("probe layer 2 follows layer 4"));
}

// Answers, keep sets and attention are the same bits with every capture on.
TEST(Capture, ChangesNothingElse) {
  for (const Regime regime : {Regime::kAware, Regime::kAwareEach}) {
    Grid grid = MakeGrid({"adakv(expected_attention)", "random"}, {0, 0.5, 0.9});
    grid.regime = regime;
    const std::vector<PassageRecord> plain = Evaluate(grid, ThreePeople());
    for (const ProbePool pool : {ProbePool::kLast, ProbePool::kMean, ProbePool::kContext}) {
      grid.probe_pool = pool;
      const std::vector<PassageRecord> captured = Evaluate(grid, ThreePeople(), WithGraph());
      ASSERT_EQ(captured.size(), plain.size());
      for (size_t r = 0; r < plain.size(); ++r) {
        for (size_t cell = 0; cell < plain[r].cells.size(); ++cell) {
          const CellRecord &a = plain[r].cells[cell], &b = captured[r].cells[cell];
          EXPECT_EQ(a.keep, b.keep);
          ASSERT_EQ(a.streams.size(), b.streams.size());
          for (size_t s = 0; s < a.streams.size(); ++s) {
            EXPECT_EQ(a.streams[s].tokens, b.streams[s].tokens);
            EXPECT_THAT(b.streams[s].pooled, Not(IsEmpty()));
            ASSERT_EQ(a.streams[s].rows.size(), b.streams[s].rows.size());
            for (size_t row = 0; row < a.streams[s].rows.size(); ++row) {
              EXPECT_EQ(a.streams[s].rows[row].top_weights, b.streams[s].rows[row].top_weights);
              EXPECT_EQ(a.streams[s].rows[row].answer_mass, b.streams[s].rows[row].answer_mass);
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace kvscope::inference
