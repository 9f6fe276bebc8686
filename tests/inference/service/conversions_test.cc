#include "services/inference/service/conversions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "services/inference/service/result_writer.h"
#include "tests/inference/service/pocket_unit.h"

namespace kvscope::inference {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ToGrid, TakesAUnitsWords) {
  v1::Unit unit = PocketUnit();
  unit.mutable_prompt()->set_instruction("");
  const absl::StatusOr<Grid> grid = ToGrid(GridOf(unit));
  ASSERT_TRUE(grid.ok()) << grid.status();
  EXPECT_EQ(grid->regime, Regime::kAgnostic);
  EXPECT_EQ(grid->prompt.instruction, "");  // set, though empty
  EXPECT_FALSE(grid->prompt.answer_prefix.has_value());
  EXPECT_EQ(grid->presses.size(), 2u);
  EXPECT_THAT(grid->ratios, ElementsAre(0, 0.5));
  EXPECT_TRUE(grid->capture_consensus);
}

TEST(ToGrid, NamesWhatIsWrong) {
  const auto message = [](const auto& change) {
    v1::Unit unit = PocketUnit();
    change(unit);
    const absl::Status status = ToGrid(GridOf(unit)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(message([](auto& u) { u.set_regime(v1::REGIME_UNSPECIFIED); }), HasSubstr("regime"));
  EXPECT_THAT(message([](auto& u) { u.set_regime(static_cast<v1::Regime>(9)); }), HasSubstr("9"));
  EXPECT_THAT(message([](auto& u) { u.set_presses(0, "snapkb"); }), HasSubstr("snapkb"));
  EXPECT_THAT(message([](auto& u) { u.clear_presses(); }), HasSubstr("presses"));
  EXPECT_THAT(message([](auto& u) { u.set_ratios(0, 1.0); }), HasSubstr("ratios"));
  EXPECT_THAT(message([](auto& u) { u.set_ratios(0, -0.1); }), HasSubstr("ratios"));
  EXPECT_THAT(message([](auto& u) { u.clear_ratios(); }), HasSubstr("ratios"));
  EXPECT_THAT(message([](auto& u) { u.set_max_new_tokens(0); }), HasSubstr("max_new_tokens"));
}

// A record far over one message: 64 layers, 8 heads, 30,000 tokens; 40 rows of 64 x 32 heads.
PassageRecord LargeRecord() {
  PassageRecord record;
  record.context_ids.assign(30000, 5);
  record.questions.resize(1);
  CellRecord& cell = record.cells.emplace_back();
  cell.press_index = 3;
  cell.keep = KeepSet(64, 8, 30000);
  for (int t = 0; t < 30000; t += 7) cell.keep.Keep(t % 64, t % 8, t);
  StreamRecord& stream = cell.streams.emplace_back();
  stream.answer = "blue";
  stream.answer_ids = {1, 2};
  for (int r = 0; r < 40; ++r) {
    AttentionRow& row = stream.rows.emplace_back();
    row.top_tokens.assign(64 * 32, 29000 + r);
    row.top_weights.assign(64 * 32, 0.5f);
    row.answer_mass.assign(64 * 32, 0.25f);
  }
  return record;
}

TEST(SendPassage, SplitsLargeRecordsAndLosesNothing) {
  const PassageRecord record = LargeRecord();
  v1::Passage passage;
  passage.add_questions()->set_answer("blue");
  std::vector<v1::SurvivalRecord> sent;
  ASSERT_TRUE(SendPassage(record, passage, 2, [&](const v1::SurvivalRecord& message) {
                sent.push_back(message);
                return absl::OkStatus();
              }).ok());
  std::string bits;
  std::vector<int> tops;
  int cells = 0, streams = 0;
  for (const v1::SurvivalRecord& message : sent) {
    EXPECT_LE(message.ByteSizeLong(), size_t{1} << 20);
    if (message.has_cell()) {
      bits += message.cell().keep_bits();
      cells += message.cell().last_part();
    }
    if (message.has_stream()) {
      for (const v1::AttentionRow& row : message.stream().rows()) tops.push_back(row.top_tokens(9));
      EXPECT_EQ(message.stream().answer(), streams == 0 ? "blue" : "");
      ++streams;
    }
  }
  EXPECT_EQ(sent.front().passage().tokens(), 30000);
  EXPECT_EQ(sent.front().passage().passage_index(), 2);
  EXPECT_TRUE(sent.back().has_passage_end());
  EXPECT_EQ(bits, record.cells[0].keep.PackedBytes());
  EXPECT_EQ(cells, 1);
  EXPECT_GT(streams, 1);
  ASSERT_EQ(tops.size(), 40u);
  for (int r = 0; r < 40; ++r) EXPECT_EQ(tops[r], 29000 + r);
}

TEST(ToHeatmap, RefusesWhatCannotBeStored) {
  PassageRecord record = LargeRecord();
  record.context_tokens.assign(30000, "a token");
  v1::Passage passage;
  passage.set_passage_id("long-7");
  passage.add_questions();
  EXPECT_TRUE(ToHeatmap(record, record.cells[0], passage, 0).ok());
  record.cells[0].keep = KeepSet(128, 8, 30000);
  const absl::Status status = ToHeatmap(record, record.cells[0], passage, 0).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("long-7"));
}

TEST(ResultWriter, OrdersAPassageAndKeepsChunksSmall) {
  std::vector<v1::ResultChunk> chunks;
  ResultWriter writer([&](v1::ResultChunk&& chunk) {
    chunks.push_back(std::move(chunk));
    return absl::OkStatus();
  });
  for (int passage = 0; passage < 3; ++passage) {
    for (int question = 0; question < 2; ++question) {  // as AWARE_EACH yields them
      for (int press = 0; press < 3; ++press) {
        v1::AnswerResult answer;
        answer.set_passage_index(passage);
        answer.set_press_index(press);
        answer.mutable_metrics()->set_question_index(question);
        answer.set_answer(std::string(200'000, 'a'));
        writer.Add(answer);
      }
    }
    ASSERT_TRUE(writer.EndPassage().ok());
  }
  ASSERT_TRUE(writer.Finish().ok());
  EXPECT_GT(chunks.size(), 3u);
  std::vector<int> order;
  for (const v1::ResultChunk& chunk : chunks) {
    EXPECT_LE(chunk.ByteSizeLong(), size_t{1} << 20);
    for (const v1::AnswerResult& answer : chunk.answers()) {
      order.push_back(answer.passage_index() * 100 + answer.press_index() * 10 +
                      answer.metrics().question_index());
    }
  }
  EXPECT_EQ(order.size(), 18u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(ResultWriter, AnEmptyResultIsOneEmptyChunk) {
  int chunks = 0;
  ResultWriter writer([&](v1::ResultChunk&&) {
    ++chunks;
    return absl::OkStatus();
  });
  ASSERT_TRUE(writer.Finish().ok());
  EXPECT_EQ(chunks, 1);
}

}  // namespace
}  // namespace kvscope::inference
