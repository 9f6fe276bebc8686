// Units of the pocket model, run and measured in this process.
#include "services/inference/service/unit_runner.h"

#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "services/inference/service/evaluate_service.h"
#include "services/inference/service/sweep_check.h"
#include "services/rpc/channel.h"
#include "services/rpc/server.h"
#include "tests/inference/service/pocket_unit.h"

namespace kvscope::inference {
namespace {

using ::testing::HasSubstr;

class UnitRunnerTest : public testing::Test {
 protected:
  // All chunks of a run, merged.
  absl::StatusOr<v1::ResultChunk> Run(const v1::Unit& unit) {
    v1::ResultChunk all;
    const UnitHooks hooks = {
        .emit =
            [&](v1::ResultChunk&& chunk) {
              all.MergeFrom(chunk);
              return absl::OkStatus();
            },
        .streams_done = [&](int64_t streams) { streams_done_ += streams; },
    };
    Cancellation cancellation;
    const absl::Status status = runner_.Run(unit, hooks, cancellation);
    if (!status.ok()) return status;
    return all;
  }

  MetricsServer metrics_;
  EngineCache cache_{kModelsDir};
  UnitRunner runner_{cache_, metrics_.channel(), "cpu"};
  int64_t streams_done_ = 0;
};

TEST_F(UnitRunnerTest, YieldsEveryCellAndAnswerInOrder) {
  const absl::StatusOr<v1::ResultChunk> result = Run(PocketUnit());
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->cells_size(), 2 * 2 * 2);
  ASSERT_EQ(result->answers_size(), 2 * 2 * (3 + 1));
  EXPECT_EQ(result->heatmaps_size(), 0);
  EXPECT_EQ(streams_done_, 16);
  int row = 0;
  for (const int passage : {0, 1}) {
    for (const int press : {0, 1}) {
      for (const int ratio : {0, 1}) {
        const v1::CellResult& cell = result->cells(passage * 4 + press * 2 + ratio);
        EXPECT_EQ(cell.passage_index(), passage);
        EXPECT_EQ(cell.press_index(), press);
        EXPECT_EQ(cell.ratio_index(), ratio);
        EXPECT_EQ(cell.question_index(), -1);
        EXPECT_EQ(cell.metrics().answers_size(), 0);
        const double kept = static_cast<double>(cell.metrics().kept_pair_count()) /
                            static_cast<double>(cell.metrics().full_pair_count());
        EXPECT_NEAR(kept, ratio == 0 ? 1.0 : 0.5, 0.02);
        EXPECT_EQ(cell.kept_bytes() * cell.metrics().full_pair_count(),
                  cell.full_bytes() * cell.metrics().kept_pair_count());
        for (int question = 0; question < (passage == 0 ? 3 : 1); ++question) {
          const v1::AnswerResult& answer = result->answers(row++);
          EXPECT_EQ(answer.passage_index(), passage);
          EXPECT_EQ(answer.press_index(), press);
          EXPECT_EQ(answer.ratio_index(), ratio);
          EXPECT_EQ(answer.metrics().question_index(), question);
          EXPECT_NE(answer.metrics().outcome(), v1::AnswerMetrics::OUTCOME_UNSPECIFIED);
          EXPECT_TRUE(answer.metrics().has_consensus_mean());
          EXPECT_GT(answer.generated_tokens(), 0);
        }
      }
    }
  }
}

TEST_F(UnitRunnerTest, TheUncompressedModelAnswersAndItsGerIsZero) {
  const absl::StatusOr<v1::ResultChunk> result = Run(PocketUnit());
  ASSERT_TRUE(result.ok()) << result.status();
  const v1::AnswerResult& answer = result->answers(0);
  EXPECT_EQ(answer.answer(), "Janmouth");
  EXPECT_TRUE(answer.ended());
  EXPECT_EQ(answer.metrics().f1(), 1);
  EXPECT_TRUE(answer.metrics().exact());
  EXPECT_EQ(answer.metrics().outcome(), v1::AnswerMetrics::CORRECT);
  EXPECT_EQ(answer.metrics().ger(), 0);
  EXPECT_FALSE(result->answers(2).metrics().has_ger());  // "I dont know" stands nowhere
}

// "Where did ... travel and who ...": gathered from two places that the data set names.
TEST_F(UnitRunnerTest, AnAnswerFromSeveralPlacesHasTheGerOfItsEvidence) {
  v1::Unit unit = PocketUnit();
  v1::Passage& passage = *unit.mutable_passages(0);
  v1::Question& part = *passage.mutable_questions(0);
  part.set_answer("Janmouth and Laneth Brenholm");
  const absl::StatusOr<v1::ResultChunk> without = Run(unit);
  ASSERT_TRUE(without.ok()) << without.status();
  EXPECT_FALSE(without->answers(0).metrics().has_ger());
  EXPECT_FALSE(without->answers(0).metrics().has_answer_mass_mean());

  const auto add_evidence = [&](v1::Question& question, const std::string& text) {
    const auto begin = static_cast<int32_t>(passage.context().find(text));  // ASCII
    question.add_evidence()->set_begin(begin);
    question.mutable_evidence()->rbegin()->set_end(begin + static_cast<int32_t>(text.size()));
  };
  add_evidence(part, "Janmouth");
  add_evidence(part, "Laneth Brenholm");
  add_evidence(*passage.mutable_questions(2), "scarlet");  // to an abstention: it is no answer
  unit.mutable_capture()->set_heatmap_passages(1);
  const absl::StatusOr<v1::ResultChunk> with = Run(unit);
  ASSERT_TRUE(with.ok()) << with.status();
  for (int i = 0; i < 12; i += 3) {  // the first question in every cell of the passage
    const v1::AnswerMetrics& metrics = with->answers(i).metrics();
    ASSERT_TRUE(metrics.has_ger() && metrics.has_answer_mass_mean());
    const v1::Heatmap& map = with->heatmaps(i / 3);
    std::string marked;
    int evicted = 0;
    const int row_bytes = (map.tokens_size() + 7) / 8;
    for (const int t : map.answer_tokens()) {
      marked += map.tokens(t);
      bool kept = false;
      for (int row = 0; row < map.layers() * map.kv_heads(); ++row) {
        kept |= map.keep_bits()[static_cast<size_t>(row * row_bytes + t / 8)] >> (t % 8) & 1;
      }
      evicted += !kept;
    }
    EXPECT_EQ(marked, " Janmouth Laneth Brenholm");
    EXPECT_DOUBLE_EQ(metrics.ger(), static_cast<double>(evicted) / map.answer_tokens_size());
    EXPECT_FALSE(with->answers(i + 2).metrics().has_ger());
    EXPECT_FALSE(with->answers(i + 2).metrics().has_answer_mass_mean());
  }
}

TEST_F(UnitRunnerTest, TheSweepsOwnPhrasesAbstain) {
  v1::Unit unit = PocketUnit();
  unit.mutable_passages(0)->mutable_questions(1)->set_answer("somebody else");
  const absl::StatusOr<v1::ResultChunk> known = Run(unit);
  ASSERT_TRUE(known.ok()) << known.status();
  EXPECT_EQ(known->answers(1).answer(), "Laneth Brenholm");
  EXPECT_EQ(known->answers(1).metrics().outcome(), v1::AnswerMetrics::HALLUCINATION);
  unit.mutable_scoring()->add_abstentions("laneth BRENHOLM");
  const absl::StatusOr<v1::ResultChunk> more = Run(unit);
  ASSERT_TRUE(more.ok()) << more.status();
  EXPECT_EQ(more->answers(1).metrics().outcome(), v1::AnswerMetrics::UNKNOWN);
  EXPECT_EQ(more->answers(0).metrics().outcome(), v1::AnswerMetrics::CORRECT);
}

TEST_F(UnitRunnerTest, EqualUnitsYieldEqualBytes) {
  const absl::StatusOr<v1::ResultChunk> first = Run(PocketUnit());
  const absl::StatusOr<v1::ResultChunk> second = Run(PocketUnit());
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(first->SerializeAsString(), second->SerializeAsString());
}

TEST_F(UnitRunnerTest, AwareEachHasACellForEveryQuestion) {
  v1::Unit unit = PocketUnit();
  unit.set_regime(v1::AWARE_EACH);
  unit.mutable_capture()->set_heatmap_passages(1);
  const absl::StatusOr<v1::ResultChunk> result = Run(unit);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->cells_size(), 4 * (3 + 1));
  ASSERT_EQ(result->answers_size(), 4 * (3 + 1));
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(result->cells(i).question_index(), i % 3);
    EXPECT_EQ(result->answers(i).metrics().question_index(), i % 3);
    EXPECT_EQ(result->cells(i).press_index(), i / 6);
  }
  EXPECT_EQ(result->heatmaps_size(), 4);  // of the first question's keep sets
}

TEST_F(UnitRunnerTest, HeatmapsCountFromTheDataSetsStart) {
  v1::Unit unit = PocketUnit();
  unit.mutable_capture()->set_heatmap_passages(4);
  unit.set_first_passage(3);  // so that only the unit's first passage is among the first four
  const absl::StatusOr<v1::ResultChunk> result = Run(unit);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->heatmaps_size(), 4);
  const v1::Heatmap& map = result->heatmaps(1);
  EXPECT_EQ(map.passage_index(), 0);
  EXPECT_EQ(map.ratio_index(), 1);
  EXPECT_EQ(map.tokens_size(), result->cells(0).context_tokens());
  EXPECT_EQ(map.keep_bits().size(),
            size_t(map.layers()) * map.kv_heads() * ((map.tokens_size() + 7) / 8));
  EXPECT_EQ(map.question(), "Where did Kelan Quinwick travel?");
  std::string marked;
  for (const int token : map.answer_tokens()) marked += map.tokens(token);
  EXPECT_THAT(marked, HasSubstr("Janmouth"));
}

TEST_F(UnitRunnerTest, RefusesWhatItCannotRun) {
  v1::Unit unit = PocketUnit();
  unit.set_weights_digest("00");
  EXPECT_EQ(Run(unit).status().code(), absl::StatusCode::kFailedPrecondition);
  unit = PocketUnit();
  unit.set_model("no-such-model");
  EXPECT_EQ(Run(unit).status().code(), absl::StatusCode::kNotFound);
  for (const char* name : {"../models/pocket-llama", "/etc", "", "a/../../models/pocket-llama"}) {
    unit.set_model(name);
    EXPECT_EQ(Run(unit).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
  const std::string tokenizer = cache_.Open("pocket-llama", {}).value()->info().tokenizer_digest;
  unit = PocketUnit();
  unit.set_tokenizer_digest("00");
  EXPECT_THAT(std::string(Run(unit).status().message()), HasSubstr("tokenizer_digest: the unit"));
  unit.set_tokenizer_digest(tokenizer);
  EXPECT_TRUE(Run(unit).ok());
  unit.mutable_scoring()->set_tokenizer("pocket-llama");
  unit.set_scoring_tokenizer_digest(tokenizer);
  EXPECT_TRUE(Run(unit).ok());
  unit.set_scoring_tokenizer_digest("00");
  EXPECT_EQ(Run(unit).status().code(), absl::StatusCode::kFailedPrecondition);
  unit = PocketUnit();
  unit.mutable_scoring()->set_partial_above_f1(0.75);
  EXPECT_EQ(Run(unit).status().code(), absl::StatusCode::kInvalidArgument);
  unit.mutable_scoring()->set_correct_min_f1(0.75);
  EXPECT_TRUE(Run(unit).ok());
  unit = PocketUnit();
  unit.mutable_scoring()->set_tokenizer("../elsewhere");
  EXPECT_EQ(Run(unit).status().code(), absl::StatusCode::kInvalidArgument);
  unit = PocketUnit();
  unit.set_max_new_tokens(1 << 20);
  const absl::Status window = Run(unit).status();
  EXPECT_EQ(window.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(window.message()), HasSubstr("towns-0"));
}

TEST_F(UnitRunnerTest, StopsWhenItIsCancelled) {
  Cancellation cancellation;
  const UnitHooks hooks = {
      .emit = [](v1::ResultChunk&&) { return absl::OkStatus(); },
      .streams_done = [&](int64_t) { cancellation.Cancel(); },
  };
  EXPECT_EQ(runner_.Run(PocketUnit(), hooks, cancellation).code(), absl::StatusCode::kCancelled);
  const UnitHooks polled = {
      .emit = [](v1::ResultChunk&&) { return absl::OkStatus(); },
      .cancelled = [] { return true; },
  };
  Cancellation other;
  EXPECT_EQ(runner_.Run(PocketUnit(), polled, other).code(), absl::StatusCode::kCancelled);
}

TEST_F(UnitRunnerTest, AnErrorOfTheReaderEndsTheRun) {
  const UnitHooks hooks = {
      .emit = [](v1::ResultChunk&&) { return absl::DataLossError("the reader's"); },
  };
  Cancellation cancellation;
  EXPECT_EQ(runner_.Run(PocketUnit(), hooks, cancellation), absl::DataLossError("the reader's"));
}

TEST_F(UnitRunnerTest, AMissingMetricsServiceIsNotTheUnitsFault) {
  const auto nobody = rpc::Dial("127.0.0.1:1", {});
  UnitRunner runner(cache_, *nobody, "cpu");
  Cancellation cancellation;
  const UnitHooks hooks = {.emit = [](v1::ResultChunk&&) { return absl::OkStatus(); }};
  EXPECT_EQ(runner.Run(PocketUnit(), hooks, cancellation).code(), absl::StatusCode::kUnavailable);
}

TEST_F(UnitRunnerTest, TheCacheOpensAModelOnceUntilItsFilesChange) {
  const std::string folder = testing::TempDir() + "/cache_" + std::to_string(getpid());
  std::filesystem::copy(kModelsDir + "/pocket-llama", folder);
  EngineCache cache("");
  const auto first = cache.Open(folder, {});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(*cache.Open(folder, {}), *first);
  std::ofstream(folder + "/generation_config.json", std::ios::app) << "\n";
  const auto changed = cache.Open(folder, {});
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_NE(*changed, *first);
  const EngineOptions scored = {.scoring_tokenizer = folder};
  const auto third = cache.Open(kModelsDir + "/pocket-llama", scored);
  ASSERT_TRUE(third.ok()) << third.status();
  EXPECT_EQ(*cache.Open(kModelsDir + "/pocket-llama", scored), *third);
  std::ofstream(folder + "/tokenizer.json", std::ios::app) << "\n";
  const auto fourth = cache.Open(kModelsDir + "/pocket-llama", scored);
  ASSERT_TRUE(fourth.ok()) << fourth.status();
  EXPECT_NE((*fourth)->info().scoring_tokenizer_digest, (*third)->info().scoring_tokenizer_digest);
  std::filesystem::remove_all(folder);
}

TEST_F(UnitRunnerTest, EvaluateStreamsTheSameResults) {
  EvaluateService service(runner_, 0);
  grpc::Service* const services[] = {&service};
  const auto server = rpc::Server::Start({}, services);
  ASSERT_TRUE(server.ok()) << server.status();
  const auto stub = v1::InferenceService::NewStub((*server)->InProcessChannel());
  v1::EvaluateRequest request;
  *request.mutable_unit() = PocketUnit();
  grpc::ClientContext context;
  const auto reader = stub->Evaluate(&context, request);
  v1::ResultChunk all;
  v1::EvaluateResponse response;
  while (reader->Read(&response)) all.MergeFrom(response.chunk());
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(all.SerializeAsString(), Run(PocketUnit())->SerializeAsString());

  request.mutable_unit()->set_model("no-such-model");
  grpc::ClientContext again;
  const auto refused = stub->Evaluate(&again, request);
  EXPECT_FALSE(refused->Read(&response));
  EXPECT_EQ(refused->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
}

// --- Checks.

v1::CheckPart FirstPart() {
  const v1::Unit unit = PocketUnit();
  v1::CheckPart part;
  part.set_sweep_id("5eed");
  v1::SweepSpec* spec = part.mutable_spec();
  spec->set_model(unit.model());
  spec->set_device("auto");
  spec->set_dtype("auto");
  spec->add_regimes(v1::AGNOSTIC);
  spec->add_regimes(v1::AWARE);
  *spec->mutable_presses() = unit.presses();
  *spec->mutable_ratios() = unit.ratios();
  spec->set_max_new_tokens(8);
  spec->add_datasets()->set_passage_count(2);
  *part.add_passages() = unit.passages(0);
  return part;
}

TEST_F(UnitRunnerTest, ACheckTellsWhatTheModelIsAndHowLongContextsAre) {
  const Cancellation cancellation;
  SweepCheck check(cache_, "cpu");
  check.Take(FirstPart(), cancellation);
  EXPECT_FALSE(check.complete());
  v1::CheckPart last;
  *last.add_passages() = PocketUnit().passages(1);
  last.set_last_part(true);
  check.Take(last, cancellation);
  ASSERT_TRUE(check.complete());
  const v1::CheckReply& reply = check.reply();
  EXPECT_EQ(reply.error(), "");
  EXPECT_EQ(reply.sweep_id(), "5eed");
  EXPECT_EQ(reply.model().name(), "pocket-llama");
  EXPECT_EQ(reply.model().device(), "cpu");
  EXPECT_EQ(reply.model().weights_digest().size(), 64u);
  EXPECT_NE(reply.model().code_version(), "");
  EXPECT_EQ(reply.presses(0), "knorm");
  const absl::StatusOr<v1::ResultChunk> result = Run(PocketUnit());
  EXPECT_EQ(reply.context_tokens_total(),
            result->cells(0).context_tokens() + result->cells(4).context_tokens());
  EXPECT_GT(reply.context_tokens_max(), result->cells(0).context_tokens());  // aware is longer
}

TEST_F(UnitRunnerTest, ACheckRefusesWithOneSentence) {
  const auto error = [&](const auto& change) {
    v1::CheckPart part = FirstPart();
    part.set_last_part(true);
    change(*part.mutable_spec());
    const Cancellation cancellation;
    SweepCheck check(cache_, "cpu");
    check.Take(part, cancellation);
    EXPECT_TRUE(check.complete());
    return check.reply().error();
  };
  EXPECT_EQ(error([](auto&) {}), "");
  EXPECT_THAT(error([](auto& s) { s.set_presses(1, "snapkw"); }), HasSubstr("snapkw"));
  EXPECT_THAT(error([](auto& s) { s.set_model("absent"); }), HasSubstr("absent"));
  EXPECT_THAT(error([](auto& s) { s.mutable_scoring()->set_tokenizer("absent"); }),
              HasSubstr("score.tokenizer: there is no directory"));
  EXPECT_THAT(error([](auto& s) { s.mutable_scoring()->set_tokenizer("."); }),
              HasSubstr("score.tokenizer: "));  // the folder of models, which has none
  // A window that is longer than the passage: only compressing needs it.
  const auto wide = [](auto& s) { s.set_presses(1, "snapkv(window_size=5000)"); };
  EXPECT_THAT(error(wide), HasSubstr("towns-0"));
  EXPECT_EQ(error([&](auto& s) {
              wide(s);
              s.clear_ratios();
              s.add_ratios(0);
            }),
            "");
  EXPECT_THAT(error([](auto& s) { s.set_dtype("int3"); }), HasSubstr("int3"));
  EXPECT_THAT(error([](auto& s) { s.clear_regimes(); }), HasSubstr("regimes"));
  EXPECT_THAT(error([](auto& s) { s.set_max_new_tokens(1 << 20); }), HasSubstr("towns-0"));
}

}  // namespace
}  // namespace kvscope::inference
