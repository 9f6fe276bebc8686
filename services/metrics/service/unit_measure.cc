#include "services/metrics/service/unit_measure.h"

#include <cmath>
#include <span>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/metrics/answer_metrics.h"
#include "services/metrics/service/conversions.h"
#include "services/rpc/channel.h"
#include "services/status_macros.h"

namespace kvscope::metrics {
namespace {

constexpr int kMaxLayers = 1024;
constexpr int kMaxHeads = 1024;
constexpr int kMaxTokens = 1 << 24;
constexpr size_t kMaxHeldBytes = size_t{512} << 20;  // of one passage

absl::Status CheckRange(std::string_view field, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      std::string(field), ": ", value, " was found, but it must be from ", low, " to ", high));
}

absl::Status CheckSize(std::string_view field, int64_t found, int64_t wanted) {
  if (found == wanted) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      std::string(field), ": ", found, " entries were found, but there must be ", wanted));
}

absl::Status OutOfOrder(std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("record: ", std::string(what)));
}

std::span<const int32_t> Ids(const google::protobuf::RepeatedField<int32_t>& field) {
  return {field.data(), static_cast<size_t>(field.size())};
}

absl::Status CheckAnswerTokens(const v1::PassageRecord& passage, int question) {
  int32_t previous = -1;
  for (const int32_t token : passage.questions(question).answer_tokens()) {
    if (token <= previous || token >= passage.tokens()) {
      return absl::InvalidArgumentError(
          absl::StrCat("passage.questions[", question, "].answer_tokens: ", token,
                       " was found, but tokens must ascend within [0, ", passage.tokens(), ")"));
    }
    previous = token;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status UnitMeasure::Take(const v1::SurvivalRecord& record) {
  if (passage_complete_) return OutOfOrder("the last passage's metrics were not taken");
  switch (record.record_case()) {
    case v1::SurvivalRecord::kUnit:
      return TakeUnit(record.unit());
    case v1::SurvivalRecord::kPassage:
      return TakePassageRecord(record.passage());
    case v1::SurvivalRecord::kCell:
      return TakeCell(record.cell());
    case v1::SurvivalRecord::kStream:
      return TakeStream(record.stream());
    case v1::SurvivalRecord::kPassageEnd:
      return TakePassageEnd();
    case v1::SurvivalRecord::kGraph:
      return TakeGraph(record.graph());
    case v1::SurvivalRecord::RECORD_NOT_SET:
      break;
  }
  return OutOfOrder("it is empty or of a kind that this version does not know");
}

absl::Status UnitMeasure::TakeUnit(const v1::UnitHeader& unit) {
  if (unit_) return OutOfOrder("a second unit header");
  KVSCOPE_RETURN_IF_ERROR(CheckRange("unit.layers", unit.layers(), 1, kMaxLayers));
  KVSCOPE_RETURN_IF_ERROR(CheckRange("unit.q_heads", unit.q_heads(), 1, kMaxHeads));
  KVSCOPE_RETURN_IF_ERROR(CheckRange("unit.kv_heads", unit.kv_heads(), 1, unit.q_heads()));
  if (!(unit.correct_min_f1() >= 0 && unit.correct_min_f1() <= 1)) {
    return absl::InvalidArgumentError(absl::StrCat("unit.correct_min_f1: ", unit.correct_min_f1(),
                                                   " was found, but it must be from 0 to 1"));
  }
  if (!(unit.partial_above_f1() >= 0 && unit.partial_above_f1() <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("unit.partial_above_f1: ", unit.partial_above_f1(),
                     " was found, but it must be from 0 to 1"));
  }
  for (int i = 0; i < unit.abstentions_size(); ++i) {
    if (Abstentions::IsPhrase(unit.abstentions(i))) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("unit.abstentions[", i, "]: no letter or digit was found"));
  }
  const std::vector<std::string> phrases(unit.abstentions().begin(), unit.abstentions().end());
  abstentions_ = Abstentions(phrases);
  unit_ = unit;
  return unit.probe_layers().empty() ? absl::OkStatus() : BeginFeatures(unit);
}

absl::Status UnitMeasure::BeginFeatures(const v1::UnitHeader& unit) {
  if (feature_store_ == nullptr) {
    return absl::FailedPreconditionError(
        "unit.probe_layers: hidden states came, but this metrics service has no folder for them "
        "(its --store)");
  }
  const FeatureShape shape = {.width = unit.probe_width(),
                              .layers = {unit.probe_layers().begin(), unit.probe_layers().end()}};
  KVSCOPE_ASSIGN_OR_RETURN(features_, feature_store_->Write(unit.unit_key(), shape));
  return absl::OkStatus();
}

absl::Status UnitMeasure::TakePassageRecord(const v1::PassageRecord& passage) {
  if (!unit_) return OutOfOrder("a passage before the unit's header");
  if (passage_) return OutOfOrder("a passage before the end of the last one");
  KVSCOPE_RETURN_IF_ERROR(
      CheckRange("passage.passage_index", passage.passage_index(), 0, INT32_MAX));
  KVSCOPE_RETURN_IF_ERROR(CheckRange("passage.tokens", passage.tokens(), 1, kMaxTokens));
  for (int q = 0; q < passage.questions_size(); ++q) {
    KVSCOPE_RETURN_IF_ERROR(CheckAnswerTokens(passage, q));
    KVSCOPE_RETURN_IF_ERROR(CheckSize(absl::StrCat("passage.questions[", q, "].alias_ids"),
                                      passage.questions(q).alias_ids_size(),
                                      passage.questions(q).aliases_size()));
  }
  passage_ = passage;
  if (keep_bytes() > kMaxHeldBytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("passage.tokens: ", passage.tokens(), " tokens make a keep set of ",
                     keep_bytes(), " bytes, but at most ", kMaxHeldBytes, " are taken"));
  }
  held_bytes_ = passage.ByteSizeLong();
  return absl::OkStatus();
}

size_t UnitMeasure::keep_bytes() const {
  const size_t row = (static_cast<size_t>(passage_->tokens()) + 7) / 8;
  return row * unit_->layers() * unit_->kv_heads();
}

absl::Status UnitMeasure::TakeCell(const v1::CellRecord& cell) {
  if (!passage_) return OutOfOrder("a cell outside a passage");
  if (stream_) return OutOfOrder("a cell before the last rows of a stream");
  const bool same = cell_ && cell_->press_index() == cell.press_index() &&
                    cell_->ratio_index() == cell.ratio_index();
  if (cell_open_ && !same) return OutOfOrder("a cell before the last part of the one before it");
  if (!cell_open_) {
    KVSCOPE_RETURN_IF_ERROR(CheckRange("cell.press_index", cell.press_index(), 0, INT32_MAX));
    KVSCOPE_RETURN_IF_ERROR(CheckRange("cell.ratio_index", cell.ratio_index(), 0, INT32_MAX));
    if (same) return OutOfOrder("the same cell twice");
    cell_.emplace();
    cell_->set_press_index(cell.press_index());
    cell_->set_ratio_index(cell.ratio_index());
    cell_open_ = true;
  }
  std::string& bits = *cell_->mutable_keep_bits();
  const bool fits = cell.keep_bits().size() <= keep_bytes() - bits.size();
  if (!fits || (cell.last_part() && bits.size() + cell.keep_bits().size() != keep_bytes())) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cell.keep_bits: ", bits.size() + cell.keep_bits().size(),
        " bytes were found, but [layers, kv_heads, tokens] of this passage make ", keep_bytes()));
  }
  bits += cell.keep_bits();
  return cell.last_part() ? FinishCell() : absl::OkStatus();
}

absl::Status UnitMeasure::FinishCell() {
  cell_open_ = false;
  next_question_ = 0;
  const std::string& bits = cell_->keep_bits();
  const absl::StatusOr<KeepBits> keep =
      KeepBits::Make(unit_->layers(), unit_->kv_heads(), passage_->tokens(),
                     {reinterpret_cast<const uint8_t*>(bits.data()), bits.size()});
  if (!keep.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("cell.keep_bits: ", keep.status().message()));
  }
  survival_.emplace(*keep);
  if (graph_) graph_bits_ = std::move(*cell_->mutable_keep_bits());
  cell_->clear_keep_bits();
  v1::CellMetrics metrics = ToProto(survival_->metrics(), keep->pairs());
  metrics.set_press_index(cell_->press_index());
  metrics.set_ratio_index(cell_->ratio_index());
  held_bytes_ += metrics.SpaceUsedLong();
  done_.push_back(std::move(metrics));
  return CheckHeld();
}

absl::Status UnitMeasure::CheckHeld() const {
  if (held_bytes_ <= kMaxHeldBytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("passage ", passage_->passage_index(),
                                                   ": its metrics and records take over ",
                                                   kMaxHeldBytes, " bytes"));
}

absl::Status UnitMeasure::CheckRow(const v1::AttentionRow& row, int row_index) const {
  const std::string field = absl::StrCat("stream.rows[", row_index, "]");
  const int heads = unit_->layers() * unit_->q_heads();
  KVSCOPE_RETURN_IF_ERROR(CheckSize(field + ".top_tokens", row.top_tokens_size(), heads));
  KVSCOPE_RETURN_IF_ERROR(CheckSize(field + ".top_weights", row.top_weights_size(), heads));
  KVSCOPE_RETURN_IF_ERROR(CheckSize(field + ".answer_mass", row.answer_mass_size(), heads));
  for (const int32_t token : row.top_tokens()) {
    KVSCOPE_RETURN_IF_ERROR(CheckRange(field + ".top_tokens", token, -1, passage_->tokens() - 1));
  }
  return absl::OkStatus();
}

absl::Status UnitMeasure::TakeStream(const v1::StreamRecord& stream) {
  if (!cell_ || cell_open_) return OutOfOrder("a stream before a complete cell");
  if (stream_) {
    if (stream.question_index() != stream_->question_index()) {
      return OutOfOrder("a stream before the last rows of the one before it");
    }
    if (!stream.answer().empty() || stream.answer_ids_size() > 0) {
      return absl::InvalidArgumentError(
          "stream.answer: it was found in a later part, but belongs into the first");
    }
  } else {
    KVSCOPE_RETURN_IF_ERROR(BeginStream(stream));
  }
  for (int r = 0; r < stream.rows_size(); ++r) {
    const v1::AttentionRow& row = stream.rows(r);
    KVSCOPE_RETURN_IF_ERROR(CheckRow(row, r));
    if (top_tokens_.empty()) {
      for (const float mass : row.answer_mass()) prompt_mass_sum_ += mass;
    }
    top_tokens_.insert(top_tokens_.end(), row.top_tokens().begin(), row.top_tokens().end());
    held_bytes_ += row.top_tokens_size() * sizeof(int32_t);
  }
  KVSCOPE_RETURN_IF_ERROR(CheckHeld());
  return stream.more_rows() ? absl::OkStatus() : FinishStream();
}

absl::Status UnitMeasure::BeginStream(const v1::StreamRecord& stream) {
  KVSCOPE_RETURN_IF_ERROR(CheckRange("stream.question_index", stream.question_index(),
                                     next_question_, passage_->questions_size() - 1));
  KVSCOPE_RETURN_IF_ERROR(CheckSize("stream.pooled", stream.pooled_size(),
                                    int64_t{unit_->probe_layers_size()} * unit_->probe_width()));
  stream_.emplace();
  stream_->set_question_index(stream.question_index());
  stream_->set_answer(stream.answer());
  *stream_->mutable_answer_ids() = stream.answer_ids();
  top_tokens_.clear();
  prompt_mass_sum_ = 0;
  if (features_ == nullptr) return absl::OkStatus();
  return features_->Add(
      {.cell = {.press_index = cell_->press_index(), .ratio_index = cell_->ratio_index()},
       .passage_id = passage_->passage_id(),
       .question_index = stream.question_index(),
       .label = passage_->questions(stream.question_index()).answer_type()},
      {stream.pooled().data(), static_cast<size_t>(stream.pooled_size())});
}

absl::Status UnitMeasure::FinishStream() {
  const v1::QuestionRecord& question = passage_->questions(stream_->question_index());
  const int heads = unit_->layers() * unit_->q_heads();
  const int rows = static_cast<int>(top_tokens_.size() / heads);
  const std::span<const int32_t> tops(top_tokens_);
  const int prompt_rows = rows > 0 ? 1 : 0;
  const std::vector<std::string> aliases(question.aliases().begin(), question.aliases().end());
  std::vector<std::vector<int32_t>> alias_ids;
  for (const v1::TokenList& list : question.alias_ids()) {
    alias_ids.emplace_back(list.ids().begin(), list.ids().end());
  }
  const AnswerInput input = {
      .answer_span = Ids(question.answer_tokens()),
      .prompt_top = {prompt_rows, unit_->layers(), unit_->q_heads(),
                     tops.first(static_cast<size_t>(prompt_rows) * heads)},
      .generated_top = {rows - prompt_rows, unit_->layers(), unit_->q_heads(),
                        tops.subspan(static_cast<size_t>(prompt_rows) * heads)},
      .answer = stream_->answer(),
      .gold = question.gold(),
      .aliases = aliases,
      .answer_ids = Ids(stream_->answer_ids()),
      .gold_ids = Ids(question.gold_ids()),
      .alias_ids = alias_ids,
  };
  OutcomeThresholds thresholds;
  if (unit_->correct_min_f1() > 0) thresholds.correct_f1 = unit_->correct_min_f1();
  thresholds.partial_above_f1 = unit_->partial_above_f1();
  KVSCOPE_ASSIGN_OR_RETURN(const AnswerMetrics metrics,
                           MeasureAnswer(*survival_, input, abstentions_, thresholds));
  v1::AnswerMetrics answer = ToProto(metrics);
  answer.set_question_index(stream_->question_index());
  if (rows > 0 && metrics.ger.has_value()) {
    answer.set_answer_mass_mean(prompt_mass_sum_ / heads);
  }
  KVSCOPE_RETURN_IF_ERROR(AddRoutes(question, metrics.ger.has_value(), answer));
  held_bytes_ += answer.SpaceUsedLong() - top_tokens_.size() * sizeof(int32_t);
  *done_.back().add_answers() = std::move(answer);
  next_question_ = stream_->question_index() + 1;
  stream_.reset();
  top_tokens_.clear();
  return CheckHeld();
}

absl::Status UnitMeasure::TakeGraph(const v1::GraphRecord& record) {
  if (!passage_) return OutOfOrder("a graph outside a passage");
  if (cell_) return OutOfOrder("a graph after its passage's first cell");
  if (!graph_) {
    graph_.emplace(
        GraphShape{
            .layers = unit_->layers(), .q_heads = unit_->q_heads(), .tokens = passage_->tokens()},
        passage_->questions_size());
  }
  const size_t before = graph_->held_bytes();
  KVSCOPE_RETURN_IF_ERROR(graph_->Take(record));
  held_bytes_ += graph_->held_bytes() - before;
  return CheckHeld();
}

absl::Status UnitMeasure::AddRoutes(const v1::QuestionRecord& question, bool stands_there,
                                    v1::AnswerMetrics& answer) {
  if (!graph_ || !stands_there) return absl::OkStatus();
  KVSCOPE_ASSIGN_OR_RETURN(
      const KeepBits keep,
      KeepBits::Make(unit_->layers(), unit_->kv_heads(), passage_->tokens(),
                     {reinterpret_cast<const uint8_t*>(graph_bits_.data()), graph_bits_.size()}));
  KVSCOPE_ASSIGN_OR_RETURN(
      std::optional<v1::Routes> routes,
      graph_->Measure(keep, answer.question_index(), Ids(question.answer_tokens())));
  if (routes) *answer.mutable_routes() = *std::move(routes);
  return absl::OkStatus();
}

absl::Status UnitMeasure::TakePassageEnd() {
  if (!passage_) return OutOfOrder("the end of a passage that did not begin");
  if (cell_open_ || stream_) return OutOfOrder("the end of a passage within a cell or a stream");
  passage_complete_ = true;
  return absl::OkStatus();
}

std::vector<v1::PassageMetrics> UnitMeasure::TakePassage() {
  PassageSplitter splitter(passage_->passage_index(), rpc::kChunkBytes);
  for (v1::CellMetrics& cell : done_) splitter.Add(std::move(cell));
  done_.clear();
  passage_.reset();
  graph_.reset();
  graph_bits_.clear();
  cell_.reset();
  survival_.reset();
  passage_complete_ = false;
  held_bytes_ = 0;
  return splitter.Finish();
}

absl::Status UnitMeasure::Finish() {
  if (!unit_) return OutOfOrder("the stream ended before the unit's header");
  if (passage_) return OutOfOrder("the stream ended within a passage");
  return features_ == nullptr ? absl::OkStatus() : features_->Commit();
}

}  // namespace kvscope::metrics
