#include "services/metrics/service/unit_measure.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <string>

#include "services/rpc/telemetry.h"

namespace kvscope::metrics {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using v1::SurvivalRecord;

SurvivalRecord Unit(int layers, int q_heads, int kv_heads) {
  SurvivalRecord record;
  record.mutable_unit()->set_layers(layers);
  record.mutable_unit()->set_q_heads(q_heads);
  record.mutable_unit()->set_kv_heads(kv_heads);
  return record;
}

// One question: gold "blue sky" = ids 7 8, standing at context tokens 1 and 2.
SurvivalRecord Passage(int tokens) {
  SurvivalRecord record;
  record.mutable_passage()->set_passage_index(4);
  record.mutable_passage()->set_tokens(tokens);
  v1::QuestionRecord* question = record.mutable_passage()->add_questions();
  question->add_answer_tokens(1);
  question->add_answer_tokens(2);
  question->set_gold("blue sky");
  question->add_gold_ids(7);
  question->add_gold_ids(8);
  return record;
}

SurvivalRecord Cell(int press, int ratio, const std::string& bits, bool last_part = true) {
  SurvivalRecord record;
  record.mutable_cell()->set_press_index(press);
  record.mutable_cell()->set_ratio_index(ratio);
  record.mutable_cell()->set_keep_bits(bits);
  record.mutable_cell()->set_last_part(last_part);
  return record;
}

SurvivalRecord Stream(const std::string& answer, std::initializer_list<int> ids) {
  SurvivalRecord record;
  record.mutable_stream()->set_answer(answer);
  for (const int id : ids) record.mutable_stream()->add_answer_ids(id);
  return record;
}

void AddRow(SurvivalRecord& stream, std::initializer_list<int> tops, float mass) {
  v1::AttentionRow* row = stream.mutable_stream()->add_rows();
  for (const int top : tops) {
    row->add_top_tokens(top);
    row->add_top_weights(0.5f);
    row->add_answer_mass(mass);
  }
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

// Two layers of one head, five tokens: layer 0 keeps tokens 0 and 2, layer 1 keeps 0 and 4.
const std::string kBits = {0b00101, 0b10001};

TEST(UnitMeasure, MeasuresACellByHand) {
  UnitMeasure measure;
  SurvivalRecord stream = Stream("The blue", {9, 7});
  AddRow(stream, {0, 0, 2, -1}, 0.25f);  // layer 0: both heads at 0; layer 1: one head at 2
  AddRow(stream, {0, 2, 4, 4}, 0.0f);
  ASSERT_TRUE(TakeAll(measure, {Unit(2, 2, 1), Passage(5), Cell(1, 3, kBits), stream, End()}).ok());
  ASSERT_TRUE(measure.passage_complete());
  const std::vector<v1::PassageMetrics> parts = measure.TakePassage();
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_TRUE(parts[0].last_part());
  EXPECT_EQ(parts[0].passage_index(), 4);
  const v1::CellMetrics& cell = parts[0].cells(0);
  EXPECT_EQ(cell.press_index(), 1);
  EXPECT_EQ(cell.ratio_index(), 3);
  EXPECT_DOUBLE_EQ(cell.eviction_rate(), 2.0 / 5);  // tokens 1 and 3
  EXPECT_DOUBLE_EQ(cell.evicted_share(), 6.0 / 10);
  EXPECT_EQ(cell.kept_pair_count(), 4);
  EXPECT_EQ(cell.full_pair_count(), 10);
  const v1::AnswerMetrics& answer = cell.answers(0);
  EXPECT_DOUBLE_EQ(answer.f1(), 0.5);
  EXPECT_EQ(answer.outcome(), v1::AnswerMetrics::CORRECT);
  EXPECT_DOUBLE_EQ(answer.ger(), 0.5);  // token 1 is gone everywhere
  EXPECT_THAT(answer.ger_layer(), ElementsAre(0.5, 1.0));
  EXPECT_THAT(answer.consensus_layer(), ElementsAre(0.5, 0.5));
  EXPECT_DOUBLE_EQ(answer.agreement_max(), 1.0);
  EXPECT_DOUBLE_EQ(answer.generated_consensus_mean(), 0.75);
  EXPECT_DOUBLE_EQ(answer.answer_mass_mean(), 0.25);
}

TEST(UnitMeasure, LeavesUndefinedValuesUnset) {
  UnitMeasure measure;
  SurvivalRecord passage = Passage(5);
  passage.mutable_passage()->mutable_questions(0)->clear_answer_tokens();
  SurvivalRecord stream = Stream("no", {1});
  AddRow(stream, {-1, -1, 2, 2}, 0.0f);
  ASSERT_TRUE(TakeAll(measure, {Unit(2, 2, 1), passage, Cell(0, 0, kBits), stream, End()}).ok());
  const v1::AnswerMetrics answer = measure.TakePassage()[0].cells(0).answers(0);
  EXPECT_FALSE(answer.has_ger());
  EXPECT_EQ(answer.ger_layer_size(), 0);
  EXPECT_FALSE(answer.has_answer_mass_mean());
  EXPECT_FALSE(answer.has_generated_consensus_mean());
  EXPECT_TRUE(std::isnan(answer.consensus_layer(0)));
  EXPECT_DOUBLE_EQ(answer.consensus_layer(1), 0.5);
}

TEST(UnitMeasure, TheThresholdIsTheUnits) {
  UnitMeasure measure;
  SurvivalRecord unit = Unit(2, 2, 1);
  unit.mutable_unit()->set_correct_min_f1(0.6);
  ASSERT_TRUE(
      TakeAll(measure, {unit, Passage(5), Cell(0, 0, kBits), Stream("blue", {9, 7}), End()}).ok());
  EXPECT_EQ(measure.TakePassage()[0].cells(0).answers(0).outcome(), v1::AnswerMetrics::PARTIAL);
}

TEST(UnitMeasure, ThePhrasesAreTheUnits) {
  SurvivalRecord unit = Unit(2, 2, 1);
  const auto outcome = [&] {
    UnitMeasure measure;
    EXPECT_TRUE(
        TakeAll(measure, {unit, Passage(5), Cell(0, 0, kBits), Stream("Nobody.", {9}), End()})
            .ok());
    return measure.TakePassage()[0].cells(0).answers(0).outcome();
  };
  EXPECT_EQ(outcome(), v1::AnswerMetrics::HALLUCINATION);
  unit.mutable_unit()->add_abstentions("nobody");
  EXPECT_EQ(outcome(), v1::AnswerMetrics::UNKNOWN);
}

TEST(UnitMeasure, AGoldThatAbstainsHasNoPlaceInTheContext) {
  UnitMeasure measure;
  SurvivalRecord passage = Passage(5);
  passage.mutable_passage()->mutable_questions(0)->set_gold("I dont know");
  SurvivalRecord stream = Stream("I do not know", {9});
  AddRow(stream, {0, 0, 2, 2}, 0.5f);
  ASSERT_TRUE(TakeAll(measure, {Unit(2, 2, 1), passage, Cell(0, 0, kBits), stream, End()}).ok());
  const v1::PassageMetrics metrics = measure.TakePassage()[0];
  const v1::AnswerMetrics& answer = metrics.cells(0).answers(0);
  EXPECT_EQ(answer.outcome(), v1::AnswerMetrics::CORRECT);
  EXPECT_FALSE(answer.has_ger() || answer.has_answer_mass_mean());
  EXPECT_EQ(answer.ger_layer_size(), 0);
  EXPECT_TRUE(answer.has_consensus_mean());
}

TEST(UnitMeasure, PartsMakeTheSameAsTheWhole) {
  SurvivalRecord whole = Stream("blue", {7});
  AddRow(whole, {0, 0, 2, 2}, 0.5f);
  AddRow(whole, {0, 4, 2, 2}, 0.5f);
  SurvivalRecord first = whole, rest = Stream("", {});
  first.mutable_stream()->set_more_rows(true);
  first.mutable_stream()->mutable_rows()->RemoveLast();
  AddRow(rest, {0, 4, 2, 2}, 0.5f);
  UnitMeasure one, split;
  ASSERT_TRUE(TakeAll(one, {Unit(2, 2, 1), Passage(5), Cell(0, 0, kBits), whole, End()}).ok());
  ASSERT_TRUE(TakeAll(split, {Unit(2, 2, 1), Passage(5), Cell(0, 0, kBits.substr(0, 1), false),
                              Cell(0, 0, kBits.substr(1)), first, rest, End()})
                  .ok());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(one.TakePassage()[0],
                                                                 split.TakePassage()[0]));
}

TEST(UnitMeasure, LongResultsComeInPartsThatCarryEverything) {
  constexpr int kQuestions = 200;
  constexpr int kLayers = 128;
  UnitMeasure measure;
  SurvivalRecord passage = Passage(8);
  for (int q = 1; q < kQuestions; ++q) {
    *passage.mutable_passage()->add_questions() = passage.passage().questions(0);
  }
  std::vector<SurvivalRecord> records = {Unit(kLayers, 1, 1), passage};
  for (int press = 0; press < 5; ++press) {
    records.push_back(Cell(press, 0, std::string(kLayers, '\x0f')));
    for (int q = 0; q < kQuestions; ++q) {
      SurvivalRecord stream = Stream("blue", {7});
      stream.mutable_stream()->set_question_index(q);
      v1::AttentionRow* row = stream.mutable_stream()->add_rows();
      for (int i = 0; i < kLayers; ++i) {
        row->add_top_tokens(0);
        row->add_top_weights(1);
        row->add_answer_mass(0);
      }
      records.push_back(stream);
    }
  }
  records.push_back(End());
  ASSERT_TRUE(TakeAll(measure, records).ok());
  const std::vector<v1::PassageMetrics> parts = measure.TakePassage();
  EXPECT_GT(parts.size(), 2u);
  int answers = 0, last_parts = 0;
  std::vector<int> presses;
  for (const v1::PassageMetrics& part : parts) {
    EXPECT_LE(part.ByteSizeLong(), size_t{1} << 20);
    last_parts += part.last_part();
    for (const v1::CellMetrics& cell : part.cells()) {
      if (cell.full_pair_count() > 0) presses.push_back(cell.press_index());
      for (const v1::AnswerMetrics& answer : cell.answers()) {
        EXPECT_EQ(answer.question_index(), answers % kQuestions);
        EXPECT_EQ(cell.press_index(), answers / kQuestions);
        ++answers;
      }
    }
  }
  EXPECT_EQ(answers, 5 * kQuestions);
  EXPECT_THAT(presses, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(last_parts, 1);
  EXPECT_TRUE(parts.back().last_part());
}

TEST(UnitMeasure, RefusesWhatContradictsTheHeaderAndNamesTheField) {
  struct Case {
    std::string field;
    std::vector<SurvivalRecord> records;
  };
  const auto with = [](SurvivalRecord record, const std::function<void(SurvivalRecord&)>& change) {
    change(record);
    return record;
  };
  const SurvivalRecord unit = Unit(2, 2, 1);
  const SurvivalRecord passage = Passage(5);
  const SurvivalRecord cell = Cell(0, 0, kBits);
  SurvivalRecord row = Stream("x", {1});
  AddRow(row, {0, 0, 0, 0}, 0);
  const std::vector<Case> cases = {
      {"record", {SurvivalRecord()}},
      {"record", {passage}},
      {"record", {unit, unit}},
      {"record", {unit, cell}},
      {"record", {unit, passage, passage}},
      {"record", {unit, passage, row}},
      {"record", {unit, passage, Cell(0, 0, "a", false), row}},
      {"record", {unit, passage, Cell(0, 0, "a", false), End()}},
      {"record", {unit, passage, Cell(0, 0, "a", false), Cell(0, 1, "a")}},
      {"record", {unit, passage, cell, cell}},
      {"record", {unit, End()}},
      {"unit.layers", {Unit(0, 2, 1)}},
      {"unit.q_heads", {Unit(2, 1 << 30, 1)}},
      {"unit.kv_heads", {Unit(2, 2, 3)}},
      {"unit.correct_min_f1",
       {with(unit, [](auto& r) { r.mutable_unit()->set_correct_min_f1(NAN); })}},
      {"unit.abstentions[1]",
       {with(unit,
             [](auto& r) {
               r.mutable_unit()->add_abstentions("no answer");
               r.mutable_unit()->add_abstentions("?");
             })}},
      {"passage.tokens", {unit, Passage(0)}},
      {"passage.tokens", {unit, Passage(INT32_MAX)}},
      {"passage.passage_index",
       {unit, with(passage, [](auto& r) { r.mutable_passage()->set_passage_index(-1); })}},
      {"passage.questions[0].answer_tokens", {unit, Passage(2)}},
      {"passage.questions[0].answer_tokens",
       {unit,
        with(passage,
             [](auto& r) { r.mutable_passage()->mutable_questions(0)->add_answer_tokens(0); })}},
      {"passage.questions[0].alias_ids",
       {unit, with(passage,
                   [](auto& r) { r.mutable_passage()->mutable_questions(0)->add_aliases("a"); })}},
      {"cell.press_index", {unit, passage, Cell(-1, 0, kBits)}},
      {"cell.keep_bits", {unit, passage, Cell(0, 0, "abc")}},
      {"cell.keep_bits", {unit, passage, Cell(0, 0, "a")}},
      {"cell.keep_bits", {unit, passage, Cell(0, 0, "\xff\xff")}},  // padding bits
      {"stream.question_index",
       {unit, passage, cell,
        with(row, [](auto& r) { r.mutable_stream()->set_question_index(1); })}},
      {"stream.question_index", {unit, passage, cell, row, row}},
      {"stream.rows[0].top_tokens",
       {unit, passage, cell,
        with(row, [](auto& r) { r.mutable_stream()->mutable_rows(0)->add_top_tokens(0); })}},
      {"stream.rows[0].top_tokens",
       {unit, passage, cell,
        with(row, [](auto& r) { r.mutable_stream()->mutable_rows(0)->set_top_tokens(1, 5); })}},
      {"stream.rows[0].top_weights",
       {unit, passage, cell,
        with(row, [](auto& r) { r.mutable_stream()->mutable_rows(0)->clear_top_weights(); })}},
      {"stream.rows[0].answer_mass",
       {unit, passage, cell,
        with(row, [](auto& r) { r.mutable_stream()->mutable_rows(0)->add_answer_mass(0); })}},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    UnitMeasure measure;
    const absl::Status status = TakeAll(measure, cases[i].records);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << i;
    EXPECT_THAT(std::string(status.message()), HasSubstr(cases[i].field + ": ")) << i;
  }
}

TEST(UnitMeasure, AnAnnouncedKeepSetBeyondTheLimitIsRefusedBeforeItIsHeld) {
  UnitMeasure measure;
  const absl::Status status = TakeAll(measure, {Unit(1024, 1024, 1024), Passage(1 << 24)});
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
}

TEST(UnitMeasure, AStreamMustEndBetweenPassages) {
  UnitMeasure measure;
  EXPECT_FALSE(measure.Finish().ok());
  ASSERT_TRUE(measure.Take(Unit(2, 2, 1)).ok());
  EXPECT_TRUE(measure.Finish().ok());
  ASSERT_TRUE(measure.Take(Passage(5)).ok());
  EXPECT_FALSE(measure.Finish().ok());
}

// Sound records with a few bytes changed: whatever still parses must be taken or refused.
TEST(UnitMeasure, SurvivesMutatedRecords) {
  SurvivalRecord stream = Stream("blue", {7});
  AddRow(stream, {0, 0, 2, 2}, 0.5f);
  const std::vector<SurvivalRecord> sound = {Unit(2, 2, 1), Passage(5), Cell(0, 0, kBits), stream,
                                             End()};
  rpc::TakeOverLibraryLogs();  // Protobuf tells of every string that is not UTF-8
  std::mt19937 random(7);
  int refused = 0;
  for (int round = 0; round < 5000; ++round) {
    UnitMeasure measure;
    for (const SurvivalRecord& record : sound) {
      std::string bytes = record.SerializeAsString();
      if (!bytes.empty() && random() % 2 == 0) {
        bytes[random() % bytes.size()] = static_cast<char>(random());
      }
      SurvivalRecord changed;
      if (!changed.ParseFromString(bytes)) continue;
      if (!measure.Take(changed).ok()) {
        ++refused;
        break;
      }
      if (measure.passage_complete()) measure.TakePassage();
    }
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace kvscope::metrics
