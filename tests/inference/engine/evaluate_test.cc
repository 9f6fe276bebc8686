// The evaluator on the pocket model: a grid equals its cells one at a time, and every record says
// what it should.
#include "services/inference/engine/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "services/inference/engine/engine.h"
#include "services/inference/engine/state.h"
#include "services/inference/presses/press.h"
#include "tests/inference/engine/pocket.h"

namespace kvscope::inference {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

void ExpectSameStream(const StreamRecord& a, const StreamRecord& b) {
  EXPECT_EQ(a.question_index, b.question_index);
  EXPECT_EQ(a.tokens, b.tokens);
  EXPECT_EQ(a.answer, b.answer);
  EXPECT_EQ(a.answer_ids, b.answer_ids);
  EXPECT_EQ(a.ended, b.ended);
  ASSERT_EQ(a.rows.size(), b.rows.size());
  for (size_t row = 0; row < a.rows.size(); ++row) {
    EXPECT_EQ(a.rows[row].top_tokens, b.rows[row].top_tokens);
    EXPECT_THAT(a.rows[row].top_weights,
                ::testing::Pointwise(::testing::FloatNear(1e-5f), b.rows[row].top_weights));
    EXPECT_THAT(a.rows[row].answer_mass,
                ::testing::Pointwise(::testing::FloatNear(1e-5f), b.rows[row].answer_mass));
  }
}

TEST(Evaluate, AnswersFromTheWholeCache) {
  const std::vector<PassageRecord> records = Evaluate(MakeGrid({"knorm"}, {0}), ThreePeople());
  ASSERT_THAT(records, SizeIs(1));
  ASSERT_THAT(records[0].cells, SizeIs(1));
  const std::vector<StreamRecord>& streams = records[0].cells[0].streams;
  ASSERT_THAT(streams, SizeIs(4));
  EXPECT_EQ(streams[0].answer, "3 August 1993");
  EXPECT_EQ(streams[1].answer, "Vershire");
  EXPECT_EQ(streams[2].answer, "engineer");
  EXPECT_TRUE(streams[0].ended);
  EXPECT_EQ(streams[0].tokens.back(), 1);  // the end token of generation_config.json
}

TEST(Evaluate, GridEqualsItsCellsOneAtATime) {
  const std::vector<std::string> presses = {"chunk(expected_attention(n_sink=0), chunk_length=64)",
                                            "adakv(expected_attention)", "snapkv(window_size=16)"};
  const std::vector<double> ratios = {0, 0.3, 0.6, 0.9};
  const Passage passage = ThreePeople();
  const std::vector<PassageRecord> grid = Evaluate(MakeGrid(presses, ratios), passage);
  ASSERT_THAT(grid, SizeIs(1));
  ASSERT_THAT(grid[0].cells, SizeIs(presses.size() * ratios.size()));
  for (size_t cell = 0; cell < grid[0].cells.size(); ++cell) {
    const CellRecord& of_grid = grid[0].cells[cell];
    const size_t p = cell / ratios.size(), r = cell % ratios.size();
    SCOPED_TRACE(presses[p] + " at " + std::to_string(ratios[r]));
    EXPECT_EQ(of_grid.press_index, static_cast<int>(p));
    EXPECT_EQ(of_grid.ratio_index, static_cast<int>(r));
    EXPECT_EQ(of_grid.question_index, -1);
    ASSERT_THAT(of_grid.streams, SizeIs(passage.questions.size()));
    for (size_t q = 0; q < passage.questions.size(); ++q) {
      Passage alone = passage;
      alone.questions = {passage.questions[q]};
      const std::vector<PassageRecord> one = Evaluate(MakeGrid({presses[p]}, {ratios[r]}), alone);
      EXPECT_EQ(one[0].context_ids, grid[0].context_ids);
      EXPECT_EQ(one[0].cells[0].keep, of_grid.keep);
      EXPECT_EQ(one[0].cells[0].kept_bytes, of_grid.kept_bytes);
      StreamRecord stream = one[0].cells[0].streams[0];
      stream.question_index = static_cast<int>(q);
      ExpectSameStream(stream, of_grid.streams[q]);
    }
  }
}

TEST(Evaluate, EqualInputsGiveEqualBits) {
  const Grid grid = MakeGrid({"adakv(expected_attention)", "random"}, {0, 0.5});
  const std::vector<PassageRecord> once = Evaluate(grid, ThreePeople());
  const std::vector<PassageRecord> again = Evaluate(grid, ThreePeople());
  for (size_t cell = 0; cell < once[0].cells.size(); ++cell) {
    EXPECT_EQ(once[0].cells[cell].keep, again[0].cells[cell].keep);
    for (size_t q = 0; q < 4; ++q) {
      const StreamRecord& a = once[0].cells[cell].streams[q];
      const StreamRecord& b = again[0].cells[cell].streams[q];
      EXPECT_EQ(a.tokens, b.tokens);
      for (size_t row = 0; row < a.rows.size(); ++row) {
        EXPECT_EQ(a.rows[row].top_weights, b.rows[row].top_weights);
      }
    }
  }
}

TEST(Evaluate, RowsWatchTheContextOfEachFedToken) {
  const std::vector<PassageRecord> records =
      Evaluate(MakeGrid({"snapkv(window_size=16)"}, {0, 0.8}), ThreePeople());
  const EngineInfo& info = Pocket().info();
  const auto width = static_cast<size_t>(info.layers * info.q_heads);
  for (const CellRecord& cell : records[0].cells) {
    for (const StreamRecord& stream : cell.streams) {
      ASSERT_THAT(stream.rows, SizeIs(stream.tokens.size()));
      for (const AttentionRow& row : stream.rows) {
        ASSERT_THAT(row.top_tokens, SizeIs(width));
        ASSERT_THAT(row.top_weights, SizeIs(width));
        ASSERT_THAT(row.answer_mass, SizeIs(width));
        for (size_t i = 0; i < width; ++i) {
          const int layer = static_cast<int>(i) / info.q_heads;
          const int head = static_cast<int>(i) % info.q_heads / (info.q_heads / info.kv_heads);
          EXPECT_TRUE(cell.keep.kept(layer, head, row.top_tokens[i]));
          EXPECT_GT(row.top_weights[i], 0);
          EXPECT_LE(row.top_weights[i], 1);
        }
      }
      // "I dont know" stands nowhere in the passage.
      if (stream.question_index == 3) {
        EXPECT_THAT(stream.rows[0].answer_mass, Each(0));
      }
    }
  }
}

TEST(Evaluate, NoRowsWithoutConsensus) {
  Grid grid = MakeGrid({"knorm"}, {0.5});
  grid.capture_consensus = false;
  EXPECT_THAT(Evaluate(grid, ThreePeople())[0].cells[0].streams[0].rows, IsEmpty());
}

TEST(Evaluate, AnswerTokensAreThoseOfTheGoldAnswer) {
  const PassageRecord record =
      Evaluate(MakeGrid({"knorm"}, {0}), ThreePeople(), {.token_texts = true})[0];
  ASSERT_THAT(record.questions, SizeIs(4));
  ASSERT_THAT(record.context_tokens, SizeIs(record.context_ids.size()));
  std::string joined;
  for (const int32_t t : record.questions[0].answer_tokens) joined += record.context_tokens[t];
  EXPECT_EQ(joined, "3 August 1993");
  EXPECT_THAT(record.questions[3].answer_tokens, IsEmpty());
  EXPECT_EQ(
      std::accumulate(record.context_tokens.begin(), record.context_tokens.end(), std::string()),
      "<|begin_of_text|><|user|>Answer the question using the passage.\n" + ThreePeople().context +
          "\n");
  EXPECT_THAT(record.questions[1].alias_ids, SizeIs(1));
  EXPECT_EQ(Pocket().state().tokenizer->Decode(record.questions[1].gold_ids, false), "Vershire");
}

TEST(Evaluate, EvidenceIsTheSpanOfAnAnswerFromSeveralPlaces) {
  Passage passage = ThreePeople();
  const auto at = [&](const std::string& word) {  // the context is ASCII
    const auto begin = static_cast<int32_t>(passage.context.find(word));
    return CharRange{begin, begin + static_cast<int32_t>(word.size())};
  };
  passage.questions = {{.question = "Where did Falwyn Belmont and Ralina Corski live?",
                        .answer = "Delgate and Ormouth",
                        .aliases = {},
                        .evidence = {at("Ormouth"), at("Delgate")}},
                       {.question = "Where did Darias Fenwick live?",
                        .answer = "Vershire",
                        .aliases = {},
                        .evidence = {at("Delgate")}}};
  for (const Regime regime : {Regime::kAgnostic, Regime::kAware, Regime::kAwareEach}) {
    Grid grid = MakeGrid({"knorm"}, {0});
    grid.regime = regime;
    const PassageRecord record = Evaluate(grid, passage, {.token_texts = true}).back();
    std::string joined;
    for (const int32_t t : record.questions[0].answer_tokens) joined += record.context_tokens[t];
    EXPECT_EQ(joined, " Delgate Ormouth");
    joined.clear();
    for (const int32_t t : record.questions[1].answer_tokens) joined += record.context_tokens[t];
    EXPECT_EQ(joined, " Vershire");
  }
}

TEST(Evaluate, RefusesEvidenceBeyondThePassage) {
  Passage passage = ThreePeople();
  const auto characters = static_cast<int32_t>(passage.context.size());
  passage.questions[2].evidence = {{0, characters}};
  EXPECT_TRUE(MeasurePassage(Pocket(), MakeGrid({"knorm"}, {0}), passage).ok());
  for (const CharRange bad : {CharRange{0, characters + 1}, CharRange{-1, 2}, CharRange{3, 3},
                              CharRange{5, 4}, CharRange{0, INT32_MAX}}) {
    passage.questions[2].evidence = {{0, 1}, bad};
    const auto size = MeasurePassage(Pocket(), MakeGrid({"knorm"}, {0}), passage);
    EXPECT_EQ(size.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(size.status().message()), HasSubstr("question 3 has evidence ["));
  }
}

TEST(Evaluate, SpaceAroundATextIsNotScored) {
  Passage passage = ThreePeople();
  passage.questions[1].answer = "\n Vershire\u00A0";
  passage.questions[1].aliases = {" Vershire", "in Vershire"};
  const QuestionRecord question = Evaluate(MakeGrid({"knorm"}, {0}), passage)[0].questions[1];
  EXPECT_EQ(Pocket().state().tokenizer->Decode(question.gold_ids, false), "Vershire");
  EXPECT_EQ(question.alias_ids[0], question.gold_ids);
  EXPECT_EQ(Pocket().state().tokenizer->Decode(question.alias_ids[1], false), "in Vershire");
}

TEST(Evaluate, CountsBytesOfKeptPairs) {
  const PassageRecord record = Evaluate(MakeGrid({"knorm"}, {0, 0.5}), ThreePeople())[0];
  const EngineInfo& info = Pocket().info();
  const auto tokens = static_cast<int64_t>(record.context_ids.size());
  const int64_t pair_bytes = 2 * info.head_dim * 4;
  EXPECT_EQ(record.cells[0].full_bytes, info.layers * info.kv_heads * tokens * pair_bytes);
  EXPECT_EQ(record.cells[0].kept_bytes, record.cells[0].full_bytes);
  EXPECT_EQ(record.cells[1].kept_bytes, info.layers * info.kv_heads * (tokens / 2) * pair_bytes);
}

TEST(Evaluate, HeadsWithoutPairsAreFlaggedAndStillAnswer) {
  const PassageRecord record =
      Evaluate(MakeGrid({"adakv(knorm, alpha_safeguard=0)"}, {0.98}), ThreePeople())[0];
  const CellRecord& cell = record.cells[0];
  ASSERT_GT(cell.keep.empty_heads(), 0);
  const EngineInfo& info = Pocket().info();
  for (const StreamRecord& stream : cell.streams) {
    EXPECT_FALSE(stream.tokens.empty());
    for (size_t i = 0; i < stream.rows[0].top_tokens.size(); ++i) {
      const int layer = static_cast<int>(i) / info.q_heads;
      const int head = static_cast<int>(i) % info.q_heads / (info.q_heads / info.kv_heads);
      EXPECT_EQ(stream.rows[0].top_tokens[i] == -1, cell.keep.kept_count(layer, head) == 0);
    }
  }
}

TEST(Evaluate, AwareListsAllQuestionsBeforeThePassage) {
  Grid grid = MakeGrid({"knorm"}, {0});
  grid.regime = Regime::kAware;
  const std::vector<PassageRecord> records = Evaluate(grid, ThreePeople());
  ASSERT_THAT(records, SizeIs(1));
  const std::string text = Pocket().state().tokenizer->Decode(records[0].context_ids, true);
  EXPECT_THAT(text, HasSubstr("one of the following questions:\nWhen was Falwyn Belmont born?\n"
                              "Where did Darias Fenwick live?\n"));
  EXPECT_THAT(records[0].cells[0].streams, SizeIs(4));
}

TEST(Evaluate, AwareEachEmitsOneRecordAQuestion) {
  Grid grid = MakeGrid({"knorm", "snapkv(window_size=16)"}, {0, 0.5});
  grid.regime = Regime::kAwareEach;
  const std::vector<PassageRecord> records = Evaluate(grid, ThreePeople());
  ASSERT_THAT(records, SizeIs(4));
  for (int q = 0; q < 4; ++q) {
    const PassageRecord& record = records[static_cast<size_t>(q)];
    EXPECT_THAT(record.questions, SizeIs(4));
    const std::string text = Pocket().state().tokenizer->Decode(record.context_ids, true);
    EXPECT_THAT(text, HasSubstr("questions:\n" + ThreePeople().questions[q].question + "\nFalwyn"));
    ASSERT_THAT(record.cells, SizeIs(4));
    for (const CellRecord& cell : record.cells) {
      EXPECT_EQ(cell.question_index, q);
      ASSERT_THAT(cell.streams, SizeIs(1));
      EXPECT_EQ(cell.streams[0].question_index, q);
    }
  }
}

TEST(Evaluate, ReportsEveryCellsStreamsAsDone) {
  int64_t done = 0;
  EvaluateHooks hooks;
  hooks.streams_done = [&](int64_t streams) { done += streams; };
  const absl::Status status =
      EvaluatePassage(Pocket(), MakeGrid({"knorm", "random"}, {0, 0.5, 0.9}), ThreePeople(), {},
                      hooks, [](PassageRecord&&) { return absl::OkStatus(); });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(done, 2 * 3 * 4);
}

TEST(Evaluate, StopsWhenCancelled) {
  int asked = 0, emitted = 0;
  EvaluateHooks hooks;
  hooks.cancelled = [&] { return ++asked > 3; };
  const absl::Status status = EvaluatePassage(Pocket(), MakeGrid({"knorm"}, {0}), ThreePeople(), {},
                                              hooks, [&](PassageRecord&&) {
                                                ++emitted;
                                                return absl::OkStatus();
                                              });
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(emitted, 0);
}

TEST(Evaluate, AnErrorOfTheReceiverEndsIt) {
  Grid grid = MakeGrid({"knorm"}, {0});
  grid.regime = Regime::kAwareEach;
  int emitted = 0;
  const absl::Status status =
      EvaluatePassage(Pocket(), grid, ThreePeople(), {}, {}, [&](PassageRecord&&) {
        ++emitted;
        return absl::UnavailableError("gone");
      });
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(emitted, 1);
}

// The status of evaluating `passage`, which must emit nothing.
absl::Status Refused(const Grid& grid, const Passage& passage) {
  return EvaluatePassage(Pocket(), grid, passage, {}, {}, [](PassageRecord&&) {
    ADD_FAILURE() << "emitted";
    return absl::OkStatus();
  });
}

TEST(Evaluate, RefusesWhatExceedsTheWindow) {
  Passage passage = ThreePeople();
  const Grid grid = MakeGrid({"knorm"}, {0});
  const auto size = MeasurePassage(Pocket(), grid, passage);
  ASSERT_TRUE(size.ok()) << size.status();
  for (int i = 0; i < 1000; ++i) passage.questions[2].question += " when";
  const absl::Status status = Refused(grid, passage);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const std::string message(status.message());
  EXPECT_EQ(message.rfind("question 3 needs ", 0), 0u) << message;
  for (int i = 0; i < 6; ++i) passage.context += passage.context.substr(0, 1000);
  EXPECT_THAT(std::string(Refused(grid, passage).message()),
              AllOf(HasSubstr("question 1 needs "), HasSubstr("the model's window is 1024"),
                    HasSubstr("max_new_tokens 12")));
  EXPECT_EQ(MeasurePassage(Pocket(), grid, passage).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Evaluate, RefusesABadGrid) {
  const Passage passage = ThreePeople();
  const auto message = [&](const Grid& grid) {
    return std::string(Refused(grid, passage).message());
  };
  EXPECT_THAT(message(MakeGrid({}, {0})), HasSubstr("no presses"));
  EXPECT_THAT(message(MakeGrid({"knorm"}, {})), HasSubstr("no ratios"));
  EXPECT_THAT(message(MakeGrid({"knorm"}, {1.0})), HasSubstr("ratio 1 is not in [0, 1)"));
  Grid grid = MakeGrid({"knorm"}, {0});
  grid.max_new_tokens = 0;
  EXPECT_THAT(message(grid), HasSubstr("max_new_tokens is 0"));
  EXPECT_THAT(message(MakeGrid({"snapkv(window_size=512)"}, {0.5})), HasSubstr("snapkv"));
  Passage silent = passage;
  silent.questions.clear();
  EXPECT_THAT(std::string(Refused(MakeGrid({"knorm"}, {0}), silent).message()),
              HasSubstr("no questions"));
}

TEST(Evaluate, APressMayBeTooWideForAContextThatIsNotCompressed) {
  EXPECT_THAT(Evaluate(MakeGrid({"snapkv(window_size=512)"}, {0}), ThreePeople()), SizeIs(1));
}

TEST(Measure, SaysWhatEvaluationFeeds) {
  const Grid grid = MakeGrid({"knorm"}, {0});
  const auto size = MeasurePassage(Pocket(), grid, ThreePeople());
  ASSERT_TRUE(size.ok()) << size.status();
  const PassageRecord record = Evaluate(grid, ThreePeople())[0];
  EXPECT_EQ(size->context_tokens, static_cast<int>(record.context_ids.size()));
  EXPECT_GT(size->suffix_tokens, 8);
  EXPECT_LT(size->suffix_tokens, 40);
}

TEST(Engine, KnowsItsModel) {
  const EngineInfo& info = Pocket().info();
  EXPECT_EQ(info.model_type, "llama");
  EXPECT_EQ(info.device, "cpu");
  EXPECT_EQ(info.dtype, "float32");
  EXPECT_EQ(info.layers, 6);
  EXPECT_EQ(info.q_heads, 4);
  EXPECT_EQ(info.kv_heads, 2);
  EXPECT_EQ(info.head_dim, 32);
  EXPECT_EQ(info.context_window, 1024);
  EXPECT_EQ(info.parameter_count, 1345152);
  EXPECT_THAT(info.weights_digest, SizeIs(64));
  EXPECT_THAT(info.tokenizer_digest, SizeIs(64));
}

TEST(Engine, FactsNeedNoWeights) {
  EngineOptions options;
  options.device = "cpu";
  const auto engine = Engine::Load(KVSCOPE_SOURCE_DIR "/models/pocket-llama", options, true);
  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_EQ((*engine)->info().parameter_count, 1345152);
  EXPECT_EQ((*engine)->info().dtype, "float32");
  EXPECT_TRUE(MeasurePassage(**engine, MakeGrid({"knorm"}, {0}), ThreePeople()).ok());
}

TEST(Engine, AnotherTokenizerMayScore) {
  EngineOptions options;
  options.device = "cpu";
  options.scoring_tokenizer = KVSCOPE_SOURCE_DIR "/tests/golden/models/qwen2-tiny";
  const auto engine = Engine::Load(KVSCOPE_SOURCE_DIR "/models/pocket-llama", options);
  ASSERT_TRUE(engine.ok()) << engine.status();
  std::vector<int32_t> gold;
  const absl::Status status = EvaluatePassage(**engine, MakeGrid({"knorm"}, {0}), ThreePeople(), {},
                                              {}, [&](PassageRecord&& record) {
                                                gold = record.questions[0].gold_ids;
                                                return absl::OkStatus();
                                              });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ((*engine)->state().scoring_tokenizer->Decode(gold, false), "3 August 1993");
}

TEST(Engine, ABrokenScoringTokenizerIsNamed) {
  const std::string folder = testing::TempDir() + "/scoring_" + std::to_string(getpid());
  std::filesystem::create_directory(folder);
  EngineOptions options;
  options.device = "cpu";
  options.scoring_tokenizer = folder;
  const auto error = [&] {
    const auto engine =
        Engine::Load(KVSCOPE_SOURCE_DIR "/models/pocket-llama", options, /*info_only=*/true);
    return std::string(engine.status().message());
  };
  EXPECT_THAT(error(), AllOf(HasSubstr("score.tokenizer: "), HasSubstr(folder),
                             HasSubstr("tokenizer.json")));
  std::ofstream(folder + "/tokenizer.json") << "{\"model\": ";
  EXPECT_THAT(error(), AllOf(HasSubstr("score.tokenizer: "), HasSubstr(folder)));
  std::filesystem::remove_all(folder);
}

TEST(Engine, TheReferenceBackendAnswersTheSame) {
  EngineOptions options;
  options.device = "reference";
  options.dtype = "float32";
  const auto engine = Engine::Load(KVSCOPE_SOURCE_DIR "/models/pocket-llama", options);
  ASSERT_TRUE(engine.ok()) << engine.status();
  const Grid grid = MakeGrid({"adakv(expected_attention)"}, {0, 0.5});
  Passage passage = ThreePeople();
  passage.questions.resize(2);
  const PassageRecord on_cpu = Evaluate(grid, passage)[0];
  const PassageRecord on_reference = Evaluate(grid, passage, {}, **engine)[0];
  for (size_t cell = 0; cell < 2; ++cell) {
    EXPECT_EQ(on_cpu.cells[cell].keep, on_reference.cells[cell].keep);
    for (size_t q = 0; q < 2; ++q) {
      EXPECT_EQ(on_cpu.cells[cell].streams[q].tokens, on_reference.cells[cell].streams[q].tokens);
    }
  }
}

TEST(Engine, HalfPrecisionAnswersFromTheWholeCache) {
  EngineOptions options;
  options.device = "cpu";
  options.dtype = "bfloat16";
  const auto engine = Engine::Load(KVSCOPE_SOURCE_DIR "/models/pocket-llama", options);
  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_EQ((*engine)->info().dtype, "bfloat16");
  const PassageRecord record = Evaluate(MakeGrid({"knorm"}, {0}), ThreePeople(), {}, **engine)[0];
  EXPECT_EQ(record.cells[0].streams[0].answer, "3 August 1993");
  EXPECT_EQ(record.cells[0].streams[1].answer, "Vershire");
}

TEST(Engine, RefusesWhatIsNoModel) {
  EXPECT_FALSE(Engine::Load(KVSCOPE_SOURCE_DIR "/docs", {}).ok());
  EngineOptions options;
  options.dtype = "float8";
  const auto engine = Engine::Load(KVSCOPE_SOURCE_DIR "/models/pocket-llama", options);
  EXPECT_EQ(engine.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace kvscope::inference
