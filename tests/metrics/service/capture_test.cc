// Graphs and hidden states as records: what comes of them, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "services/metrics/service/fit_probes.h"
#include "services/metrics/service/metrics_service.h"
#include "services/metrics/service/unit_measure.h"
#include "services/rpc/server.h"

namespace kvscope::metrics {
namespace {

using ::testing::HasSubstr;
using v1::SurvivalRecord;

constexpr int kLayers = 2;
constexpr int kHeads = 2;
constexpr int kTokens = 4;  // of the context; the question adds 2
const std::string kKey(64, 'a');

SurvivalRecord Unit() {
  SurvivalRecord record;
  v1::UnitHeader& unit = *record.mutable_unit();
  unit.set_unit_key(kKey);
  unit.set_layers(kLayers);
  unit.set_q_heads(kHeads);
  unit.set_kv_heads(1);
  return record;
}

// The gold answer stands at token 1.
SurvivalRecord Passage(const std::string& id = "p", const std::string& type = "Person") {
  SurvivalRecord record;
  v1::PassageRecord& passage = *record.mutable_passage();
  passage.set_tokens(kTokens);
  passage.set_passage_id(id);
  v1::QuestionRecord& question = *passage.add_questions();
  question.add_answer_tokens(1);
  question.set_gold("blue");
  question.add_gold_ids(7);
  question.set_answer_type(type);
  return record;
}

SurvivalRecord Edge(int question, int layer, uint32_t head, uint32_t query, uint32_t key) {
  SurvivalRecord record;
  v1::GraphRecord& graph = *record.mutable_graph();
  graph.set_question_index(question);
  graph.set_layer(layer);
  if (question >= 0) {
    graph.set_suffix_tokens(2);
    for (int h = 0; h < kHeads; ++h) graph.add_top_tokens(1);
  }
  graph.add_heads(head);
  graph.add_queries(query);
  graph.add_keys(key);
  return record;
}

// 1 -> 3 by a row of the context in layer 0, 3 -> 5 by the query token's in layer 1.
std::vector<SurvivalRecord> TwoStepGraph() {
  SurvivalRecord no_edge = Edge(0, 0, 0, 5, 1);
  no_edge.mutable_graph()->clear_heads();
  no_edge.mutable_graph()->clear_queries();
  no_edge.mutable_graph()->clear_keys();
  return {Edge(-1, 0, 0, 3, 1), no_edge, Edge(0, 1, 1, 5, 3)};
}

SurvivalRecord Cell(int ratio, const std::string& bits) {
  SurvivalRecord record;
  record.mutable_cell()->set_ratio_index(ratio);
  record.mutable_cell()->set_keep_bits(bits);
  record.mutable_cell()->set_last_part(true);
  return record;
}

SurvivalRecord Stream() {
  SurvivalRecord record;
  record.mutable_stream()->set_answer("blue");
  record.mutable_stream()->add_answer_ids(7);
  return record;
}

SurvivalRecord End() {
  SurvivalRecord record;
  record.mutable_passage_end();
  return record;
}

absl::Status TakeAll(UnitMeasure& measure, const std::vector<SurvivalRecord>& records) {
  for (const SurvivalRecord& record : records) {
    if (absl::Status status = measure.Take(record); !status.ok()) return status;
  }
  return absl::OkStatus();
}

TEST(GraphRecords, RoutesAreThoseOfTheCellsKeepSet) {
  UnitMeasure measure;
  ASSERT_TRUE(TakeAll(measure, {Unit(), Passage()}).ok());
  ASSERT_TRUE(TakeAll(measure, TwoStepGraph()).ok());
  ASSERT_TRUE(TakeAll(measure, {Cell(0, "\x0f\x0f"), Stream(),  // everything is kept
                                Cell(1, "\x0d\x0f"), Stream(),  // token 1 is gone from layer 0
                                Cell(2, "\x0f\x07"), Stream(),  // token 3 is gone from layer 1
                                End()})
                  .ok());
  const v1::PassageMetrics metrics = measure.TakePassage().front();
  const auto routes = [&](int cell) { return metrics.cells(cell).answers(0).routes(); };
  EXPECT_TRUE(routes(0).as_defined().reached());
  EXPECT_EQ(routes(0).as_defined().disjoint_count(), 1);
  EXPECT_EQ(routes(0).as_defined().direct_count(), 0);
  EXPECT_EQ(routes(0).as_defined().shortest(), 2);
  EXPECT_EQ(routes(0).as_defined().reachable_count(), 2);  // tokens 1 and 3
  EXPECT_DOUBLE_EQ(routes(0).as_defined().reach_bound(), 1);
  EXPECT_DOUBLE_EQ(routes(0).must_reroute_layer(0), 0);
  // The context's row ran before eviction: only the graph as defined loses its edge.
  EXPECT_FALSE(routes(1).as_defined().reached());
  EXPECT_TRUE(routes(1).as_computed().reached());
  EXPECT_DOUBLE_EQ(routes(1).must_reroute_layer(0), 1);  // both heads looked at token 1
  EXPECT_FALSE(routes(2).as_defined().reached());
  EXPECT_FALSE(routes(2).as_computed().reached());
  EXPECT_EQ(routes(2).as_computed().shortest(), 0);
}

TEST(GraphRecords, WithoutAGraphOrAnAnswerThereAreNoRoutes) {
  UnitMeasure measure;
  SurvivalRecord nowhere = Passage();
  nowhere.mutable_passage()->mutable_questions(0)->clear_answer_tokens();
  SurvivalRecord large;
  large.mutable_graph()->set_question_index(-1);
  large.mutable_graph()->set_too_large(true);
  ASSERT_TRUE(measure.Take(Unit()).ok());
  for (const auto& [passage, graph] : std::vector<std::pair<SurvivalRecord, SurvivalRecord>>{
           {Passage(), SurvivalRecord()}, {nowhere, TwoStepGraph()[0]}, {Passage(), large}}) {
    ASSERT_TRUE(measure.Take(passage).ok());
    if (graph.has_graph()) {
      ASSERT_TRUE(measure.Take(graph).ok());
    }
    ASSERT_TRUE(TakeAll(measure, {Cell(0, "\x0f\x0f"), Stream(), End()}).ok());
    EXPECT_FALSE(measure.TakePassage().front().cells(0).answers(0).has_routes());
  }
}

TEST(GraphRecords, WhatContradictsTheUnitIsRefusedByName) {
  const std::vector<std::pair<std::string, std::function<void(v1::GraphRecord&)>>> cases = {
      {"graph.question_index", [](auto& g) { g.set_question_index(1); }},
      {"graph.question_index", [](auto& g) { g.set_question_index(-2); }},
      {"graph.layer", [](auto& g) { g.set_layer(kLayers); }},
      {"graph.layer", [](auto& g) { g.set_layer(-1); }},
      {"graph.suffix_tokens", [](auto& g) { g.set_suffix_tokens(0); }},
      {"graph.suffix_tokens", [](auto& g) { g.set_suffix_tokens(3); }},  // it was 2 before
      {"graph.top_tokens", [](auto& g) { g.add_top_tokens(1); }},
      {"1 heads, 2 queries", [](auto& g) { g.add_queries(1); }},
      {"head", [](auto& g) { g.set_heads(0, kHeads); }},
      {"query", [](auto& g) { g.set_queries(0, 6); }},
      {"key", [](auto& g) { g.set_keys(0, 4'000'000'000u); }},
      {"top", [](auto& g) { g.set_top_tokens(0, kTokens); }},
  };
  for (const auto& [field, change] : cases) {
    UnitMeasure measure;
    SurvivalRecord bad = Edge(0, 1, 0, 5, 3);
    change(*bad.mutable_graph());
    ASSERT_TRUE(TakeAll(measure, {Unit(), Passage(), Edge(0, 0, 0, 5, 1)}).ok());
    absl::Status status = measure.Take(bad);
    if (status.ok()) status = TakeAll(measure, {Cell(0, "\x0f\x0f"), Stream()});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_THAT(std::string(status.message()), HasSubstr(field));
  }
  UnitMeasure late;
  ASSERT_TRUE(TakeAll(late, {Unit(), Passage(), Cell(0, "\x0f\x0f")}).ok());
  EXPECT_THAT(std::string(late.Take(TwoStepGraph()[0]).message()), HasSubstr("first cell"));
}

grpc::Status Forget(const std::optional<FeatureStore>& store,
                    const v1::ForgetUnitsRequest& request) {
  MetricsService service(store);
  grpc::Service* const services[] = {&service};
  const auto server = rpc::Server::Start({}, services);
  EXPECT_TRUE(server.ok()) << server.status();
  const auto stub = v1::MetricsService::NewStub((*server)->InProcessChannel());
  grpc::ClientContext context;
  v1::ForgetUnitsResponse response;
  return stub->ForgetUnits(&context, request, &response);
}

class HiddenStates : public ::testing::Test {
 protected:
  HiddenStates()
      : folder_(std::filesystem::path(::testing::TempDir()) /
                ("hidden-states-" + std::to_string(getpid()))) {
    std::filesystem::remove_all(folder_);
    store_.emplace(*FeatureStore::Open(folder_));
  }
  ~HiddenStates() override { std::filesystem::remove_all(folder_); }

  static SurvivalRecord ProbedUnit() {
    SurvivalRecord record = Unit();
    record.mutable_unit()->add_probe_layers(0);
    record.mutable_unit()->add_probe_layers(2);
    record.mutable_unit()->set_probe_width(3);
    return record;
  }

  // 40 passages; the second layer's states tell the type, the first one's are noise.
  absl::Status MeasureUnit() {
    UnitMeasure measure(&*store_);
    std::mt19937 random(1);
    std::normal_distribution<float> noise;
    if (absl::Status status = measure.Take(ProbedUnit()); !status.ok()) return status;
    for (int p = 0; p < 40; ++p) {
      SurvivalRecord stream = Stream();
      for (int i = 0; i < 6; ++i) stream.mutable_stream()->add_pooled(noise(random));
      stream.mutable_stream()->set_pooled(4, p % 2 == 0 ? 5.0f : -5.0f);
      absl::Status status =
          TakeAll(measure, {Passage("p" + std::to_string(p), p % 2 == 0 ? "Person" : "Location"),
                            Cell(0, "\x0f\x0f"), stream, Cell(1, "\x01\x01"), stream, End()});
      if (!status.ok()) return status;
      measure.TakePassage();
    }
    return measure.Finish();
  }

  std::vector<v1::ProbeFit> Fit(const v1::FitProbesRequest& request) {
    std::vector<v1::ProbeFit> fits;
    const FitHooks hooks = {.emit =
                                [&](const v1::ProbeFit& fit) {
                                  fits.push_back(fit);
                                  return absl::OkStatus();
                                },
                            .cancelled = [] { return false; }};
    const absl::Status status = FitProbes(&*store_, request, hooks);
    EXPECT_TRUE(status.ok()) << status;
    return fits;
  }

  std::filesystem::path folder_;
  std::optional<FeatureStore> store_;
};

TEST_F(HiddenStates, ProbesTellWhatTheStatesTell) {
  ASSERT_TRUE(MeasureUnit().ok());
  v1::FitProbesRequest request;
  request.add_unit_keys(kKey);
  const std::vector<v1::ProbeFit> fits = Fit(request);
  ASSERT_EQ(fits.size(), 6u);  // two cells; layers 0, 2 and both
  for (size_t i = 0; i < fits.size(); ++i) {
    EXPECT_EQ(fits[i].ratio_index(), static_cast<int>(i / 3));
    EXPECT_EQ(fits[i].layer(), (std::vector<int>{0, 2, -1})[i % 3]);
    ASSERT_TRUE(fits[i].has_macro_f1()) << fits[i].note();
    if (fits[i].layer() == 0) {
      EXPECT_LT(fits[i].macro_f1().value(), 0.9);
    } else if (fits[i].layer() == 2) {
      EXPECT_EQ(fits[i].macro_f1().value(), 1);
    }
    EXPECT_EQ(fits[i].tags_size(), 2);
    EXPECT_EQ(fits[i].train_count() + fits[i].validation_count(), 40);
  }
  request.add_ratio_indices(1);
  EXPECT_EQ(Fit(request).size(), 3u);
}

TEST_F(HiddenStates, AUnitThatBreaksOffLeavesNothing) {
  {
    UnitMeasure measure(&*store_);
    SurvivalRecord stream = Stream();
    for (int i = 0; i < 6; ++i) stream.mutable_stream()->add_pooled(0);
    ASSERT_TRUE(
        TakeAll(measure, {ProbedUnit(), Passage(), Cell(0, "\x0f\x0f"), stream, End()}).ok());
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
  v1::FitProbesRequest request;
  request.add_unit_keys(kKey);
  const absl::Status status =
      FitProbes(&*store_, request,
                {.emit = [](const v1::ProbeFit&) { return absl::OkStatus(); },
                 .cancelled = [] { return false; }});
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
}

TEST_F(HiddenStates, OfForgottenUnitsAreGone) {
  ASSERT_TRUE(MeasureUnit().ok());
  v1::ForgetUnitsRequest request;
  request.add_unit_keys(std::string(64, 'a'));  // never stored
  request.add_unit_keys(kKey);
  EXPECT_TRUE(Forget(store_, request).ok());
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
  request.add_unit_keys("../../etc/passwd");
  EXPECT_EQ(Forget(store_, request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_TRUE(Forget(std::nullopt, request).ok());  // such a service keeps none
}

TEST_F(HiddenStates, AreRefusedWithoutAStoreAndInAnotherSize) {
  UnitMeasure without;
  EXPECT_EQ(without.Take(ProbedUnit()).code(), absl::StatusCode::kFailedPrecondition);
  UnitMeasure measure(&*store_);
  ASSERT_TRUE(TakeAll(measure, {ProbedUnit(), Passage(), Cell(0, "\x0f\x0f")}).ok());
  const absl::Status status = measure.Take(Stream());
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("stream.pooled: 0 entries were found, but there must be 6"));
  SurvivalRecord bad_key = ProbedUnit();
  bad_key.mutable_unit()->set_unit_key("../../etc/passwd");
  UnitMeasure other(&*store_);
  EXPECT_EQ(other.Take(bad_key).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace kvscope::metrics
