// Graphs and hidden states on their way through a whole cluster: from the engine by the metrics
// service into rows and probes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "tests/cluster/client.h"
#include "tests/cluster/deployment.h"

namespace kvscope::cluster_test {
namespace {

constexpr int kPassages = 24;
constexpr int kGraphPassages = 3;
constexpr int kHiddenStates = 7;  // pocket-llama's embeddings and 6 layers

std::vector<v1::Passage> TaggedPassages() {
  std::vector<v1::Passage> passages = PocketPassages(kPassages);
  for (v1::Passage& passage : passages) {
    passage.mutable_questions(0)->set_answer_type("Location");
    passage.mutable_questions(1)->set_answer_type("Thing");
    passage.mutable_questions(2)->set_answer_type("Person");
  }
  return passages;
}

v1::SweepSpec CapturingSweep() {
  v1::SweepSpec spec = PocketSweep();
  v1::Capture& capture = *spec.mutable_capture();
  capture.set_graph_passages(kGraphPassages);
  capture.set_graph_epsilon(0.02);
  capture.set_probe_pool("mean");
  return spec;
}

class CaptureTest : public testing::TestWithParam<Kind> {
 protected:
  CaptureTest() : deployment_(Deploy(GetParam(), {})), client_(*deployment_) {}

  v1::Sweep Run(const std::string& request, const v1::SweepSpec& spec) {
    const v1::Sweep sweep = client_.Submit(request, spec, TaggedPassages());
    const v1::Sweep ended = client_.WaitForEnd(sweep.id());
    EXPECT_EQ(ended.state(), v1::Sweep::SUCCEEDED) << ended.error();
    return ended;
  }

  std::vector<v1::AnswerRow> Rows(const std::string& sweep) {
    std::vector<v1::AnswerRow> rows;
    for (const std::string& bytes : client_.Answers(sweep)) {
      EXPECT_TRUE(rows.emplace_back().ParseFromString(bytes));
    }
    return rows;
  }

  grpc::Status Probes(const v1::StreamProbesRequest& request, std::vector<v1::ProbeRow>& rows) {
    const auto stub = v1::OrchestratorService::NewStub(deployment_->channel());
    grpc::ClientContext context;
    const auto reader = stub->StreamProbes(&context, request);
    v1::ProbeRow row;
    while (reader->Read(&row)) rows.push_back(row);
    return reader->Finish();
  }

  int64_t StoredUnits() const {
    return std::distance(std::filesystem::directory_iterator(deployment_->hidden_states()), {});
  }
  // Waits for it: what a deleted sweep leaves behind goes in the background.
  bool NothingStored() const {
    const absl::Time end = absl::Now() + absl::Minutes(1);
    while (StoredUnits() > 0 && absl::Now() < end) absl::SleepFor(absl::Milliseconds(50));
    return StoredUnits() == 0;
  }

  std::unique_ptr<Deployment> deployment_;
  Client client_;
};

TEST_P(CaptureTest, RoutesComeWithTheAnswersOfTheFirstPassages) {
  const v1::Sweep sweep = Run("r", CapturingSweep());
  std::set<std::string> with_routes;
  int reached_at_0 = 0, reached_at_most = 0, answers_at_0 = 0;
  for (const v1::AnswerRow& row : Rows(sweep.id())) {
    if (!row.metrics().has_routes()) continue;
    with_routes.insert(row.passage_id());
    const v1::Routes& routes = row.metrics().routes();
    EXPECT_LE(routes.as_defined().disjoint_count(), routes.as_computed().disjoint_count());
    EXPECT_LE(routes.as_defined().reached(), routes.as_computed().reached());
    if (row.compression_ratio() == 0) {
      ++answers_at_0;
      reached_at_0 += routes.as_defined().reached();
      EXPECT_EQ(routes.as_defined().disjoint_count(), routes.as_computed().disjoint_count());
    }
    reached_at_most += row.compression_ratio() > 0.5 && routes.as_defined().reached();
  }
  EXPECT_EQ(with_routes, (std::set<std::string>{"people-0", "people-1", "people-2"}));
  EXPECT_EQ(reached_at_0, answers_at_0);  // nothing is cut there
  EXPECT_LT(reached_at_most, answers_at_0);
}

TEST_P(CaptureTest, ProbesAreFittedForEveryCellAndLayer) {
  const v1::Sweep sweep = Run("r", CapturingSweep());
  v1::StreamProbesRequest request;
  request.set_sweep(sweep.id());
  std::vector<v1::ProbeRow> rows;
  const grpc::Status status = Probes(request, rows);
  ASSERT_TRUE(status.ok()) << status.error_message();
  std::map<int, int> by_layer;
  for (const v1::ProbeRow& row : rows) {
    ++by_layer[row.fit().layer()];
    EXPECT_EQ(row.dataset(), "people");
    ASSERT_TRUE(row.fit().has_macro_f1()) << row.fit().note();
    EXPECT_GE(row.fit().macro_f1().value(), 0);
    EXPECT_LE(row.fit().macro_f1().value(), 1);
    EXPECT_EQ(row.fit().tags_size(), 3);
    EXPECT_EQ(row.fit().train_count() + row.fit().validation_count(), 3 * kPassages);
  }
  constexpr int kCells = 2 * 3;
  ASSERT_EQ(by_layer.size(), kHiddenStates + 1u);
  for (const auto& [layer, cells] : by_layer) EXPECT_EQ(cells, kCells) << "layer " << layer;

  std::vector<v1::ProbeRow> some;
  request.add_compression_ratios(0.3);
  ASSERT_TRUE(Probes(request, some).ok());
  EXPECT_EQ(some.size(), 2u * (kHiddenStates + 1));
  for (const v1::ProbeRow& row : some) EXPECT_EQ(row.compression_ratio(), 0.3);
  request.add_compression_ratios(0.4);
  EXPECT_EQ(Probes(request, some).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_P(CaptureTest, HiddenStatesGoWithTheLastSweepThatUsesThem) {
  const v1::Sweep first = Run("r1", CapturingSweep());
  const v1::Sweep second = Run("r2", CapturingSweep());
  EXPECT_EQ(second.progress().units_reused(), second.progress().units_total());
  const int64_t units = StoredUnits();
  EXPECT_EQ(units, first.progress().units_total());
  client_.Delete(first.id());
  absl::SleepFor(absl::Seconds(2));  // the collector looks once a second
  EXPECT_EQ(StoredUnits(), units);
  client_.Delete(second.id());
  EXPECT_TRUE(NothingStored()) << StoredUnits() << " of " << units << " are still there";

  const v1::Sweep again = Run("r3", CapturingSweep());
  EXPECT_EQ(again.progress().units_reused(), 0);
  absl::SleepFor(absl::Seconds(2));
  EXPECT_EQ(StoredUnits(), units);  // what was deleted once and planned anew stays
}

TEST_P(CaptureTest, WithoutHiddenStatesThereAreNoProbes) {
  const v1::Sweep sweep = Run("r", PocketSweep());
  v1::StreamProbesRequest request;
  request.set_sweep(sweep.id());
  std::vector<v1::ProbeRow> rows;
  const grpc::Status status = Probes(request, rows);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), testing::HasSubstr("probes: {pool: mean}"));
  for (const v1::AnswerRow& row : Rows(sweep.id())) EXPECT_FALSE(row.metrics().has_routes());
}

TEST_P(CaptureTest, CapturingChangesNoAnswer) {
  const std::vector<v1::AnswerRow> plain = Rows(Run("r1", PocketSweep()).id());
  std::vector<v1::AnswerRow> captured = Rows(Run("r2", CapturingSweep()).id());
  ASSERT_EQ(plain.size(), captured.size());
  for (size_t i = 0; i < plain.size(); ++i) {
    captured[i].mutable_metrics()->clear_routes();
    EXPECT_EQ(plain[i].SerializeAsString(), captured[i].SerializeAsString()) << "row " << i;
  }
}

TEST_P(CaptureTest, ALayerThatTheModelDoesNotHaveIsRefusedBeforeWorkBegins) {
  v1::SweepSpec spec = CapturingSweep();
  spec.mutable_capture()->add_probe_layers(kHiddenStates);
  const v1::Sweep sweep = client_.Submit("r", spec, TaggedPassages());
  const v1::Sweep ended = client_.WaitForEnd(sweep.id());
  EXPECT_EQ(ended.state(), v1::Sweep::FAILED);
  EXPECT_THAT(ended.error(), testing::HasSubstr("capture.probes.layers: 7 was found"));
  EXPECT_EQ(ended.progress().units_total(), 0);
}

INSTANTIATE_TEST_SUITE_P(Capture, CaptureTest, testing::Values(Kind::kEmbedded, Kind::kProcesses),
                         [](const auto& info) {
                           return info.param == Kind::kEmbedded ? "Embedded" : "Processes";
                         });

}  // namespace
}  // namespace kvscope::cluster_test
