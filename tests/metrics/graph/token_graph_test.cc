#include "services/metrics/graph/token_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <climits>

namespace kvscope::metrics {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Layers = std::vector<std::vector<GraphEdge>>;

// The keys of each gate of a row: head, then its positions.
std::vector<std::vector<int>> Gates(const AttentionRows& rows, int layer, int query) {
  std::vector<std::vector<int>> gates;
  const auto [begin, end] = rows.gates(layer, query);
  for (int32_t gate = begin; gate < end; ++gate) {
    std::vector<int>& list = gates.emplace_back(std::vector<int>{rows.head(gate)});
    for (const auto [index, mask] : rows.keys(gate)) {
      ForEach(index, mask, [&list](int position) { list.push_back(position); });
    }
  }
  return gates;
}

std::string ContextError(const GraphShape& shape, const Layers& layers) {
  return std::string(ContextGraph::Make(shape, layers).status().message());
}

TEST(TokenGraph, GroupsEdgesByRowAndHead) {
  const auto context = ContextGraph::Make({.layers = 2, .q_heads = 2, .tokens = 100},
                                          Layers{{{1, 99, 3}, {0, 99, 64}, {1, 99, 31}, {0, 5, 2}},
                                                 {{0, 99, 0}, {0, 99, 0}, {0, 7, 7}}})
                           .value();
  const AttentionRows& rows = context->rows();
  EXPECT_THAT(Gates(rows, 0, 99), ElementsAre(ElementsAre(0, 64), ElementsAre(1, 3, 31)));
  EXPECT_THAT(Gates(rows, 0, 5), ElementsAre(ElementsAre(0, 2)));
  EXPECT_THAT(Gates(rows, 1, 99), ElementsAre(ElementsAre(0, 0)));  // an edge twice counts once
  EXPECT_THAT(Gates(rows, 1, 7), IsEmpty());                        // itself: the residual edge
  EXPECT_THAT(Gates(rows, 0, 0), IsEmpty());
  EXPECT_EQ(rows.gate_count(), 4);
}

TEST(TokenGraph, JoinsAQuestionToItsContext) {
  const auto context =
      ContextGraph::Make({.layers = 1, .q_heads = 1, .tokens = 3}, Layers{{{0, 2, 0}}}).value();
  const QuestionGraph one = QuestionGraph::Make(context, 4, Layers{{{0, 3, 2}}}).value();
  const QuestionGraph other = QuestionGraph::Make(context, 5, Layers{{{0, 4, 3}}}).value();
  EXPECT_EQ(one.query_token(), 3);
  EXPECT_EQ(other.query_token(), 4);
  EXPECT_EQ(&one.RowsOf(2), &other.RowsOf(2));
  EXPECT_THAT(Gates(one.RowsOf(3), 0, 3), ElementsAre(ElementsAre(0, 2)));
  EXPECT_THAT(Gates(other.RowsOf(4), 0, 4), ElementsAre(ElementsAre(0, 3)));
}

TEST(TokenGraph, MayHaveNoEdges) {
  const auto context =
      ContextGraph::Make({.layers = 2, .q_heads = 4, .tokens = 3}, Layers(2)).value();
  EXPECT_EQ(QuestionGraph::Make(context, 4, Layers(2)).value().gate_count(), 0);
}

TEST(TokenGraph, RefusesWhatDoesNotFit) {
  const GraphShape shape = {.layers = 1, .q_heads = 2, .tokens = 4};
  EXPECT_THAT(ContextError(shape, {{{2, 1, 0}}}),
              HasSubstr("graph edge (layer 0, head 2, query 1, key 0): head 2 was found, but [0, 1]"
                        " is allowed"));
  EXPECT_THAT(ContextError(shape, {{{-1, 1, 0}}}), HasSubstr("head -1"));
  EXPECT_THAT(ContextError(shape, {{{0, 4, 0}}}), HasSubstr("query 4 was found, but [0, 3]"));
  EXPECT_THAT(ContextError(shape, {{{0, INT_MIN, 0}}}), HasSubstr("query -2147483648"));
  EXPECT_THAT(ContextError(shape, {{{0, 2, 3}}}), HasSubstr("key 3 was found, but [0, 2]"));
  EXPECT_THAT(ContextError(shape, {{{0, 2, -1}}}), HasSubstr("key -1"));
  EXPECT_THAT(ContextError(shape, {{}, {}}), HasSubstr("2 layers were found, but the graph has 1"));
  EXPECT_THAT(ContextError({.layers = 0, .q_heads = 2, .tokens = 4}, {}),
              HasSubstr("[layers 0, q_heads 2, tokens 4] must have at least 1"));
  EXPECT_THAT(ContextError({.layers = 1, .q_heads = 2, .tokens = -4}, {{}}), HasSubstr("at least"));
  EXPECT_THAT(ContextError({.layers = 1, .q_heads = 2, .tokens = INT_MAX}, {{}}),
              HasSubstr("are more than"));

  const auto context = ContextGraph::Make(shape, Layers(1)).value();
  const auto error = [&context](int positions, const Layers& layers) {
    return std::string(QuestionGraph::Make(context, positions, layers).status().message());
  };
  EXPECT_THAT(error(4, {{}}), HasSubstr("4 positions were found"));
  EXPECT_THAT(error(INT_MIN, {{}}), HasSubstr("behind the context of 4 tokens"));
  EXPECT_THAT(error(5, {{{0, 3, 0}}}), HasSubstr("query 3 was found, but [4, 4]"));
  EXPECT_THAT(error(5, {{{0, 5, 0}}}), HasSubstr("query 5"));
  EXPECT_THAT(error(5, {}), HasSubstr("0 layers were found"));
}

}  // namespace
}  // namespace kvscope::metrics
