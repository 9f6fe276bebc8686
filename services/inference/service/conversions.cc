#include "services/inference/service/conversions.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inference/ops/backends.h"
#include "services/inference/service/code_version.h"
#include "services/inference/service/graph_messages.h"
#include "services/rpc/channel.h"
#include "services/status_macros.h"

namespace kvscope::inference {
namespace {

constexpr size_t kPartBytes = rpc::kChunkBytes - 4096;  // room for what stands around a part

absl::StatusOr<Regime> ToRegime(v1::Regime regime) {
  switch (regime) {
    case v1::AGNOSTIC:
      return Regime::kAgnostic;
    case v1::AWARE:
      return Regime::kAware;
    case v1::AWARE_EACH:
      return Regime::kAwareEach;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("regime: ", static_cast<int>(regime),
                       " was found, but it must be AGNOSTIC, AWARE or AWARE_EACH"));
  }
}

absl::StatusOr<ProbePool> ToProbePool(const std::string& pool) {
  if (pool.empty()) return ProbePool::kNone;
  if (pool == "last") return ProbePool::kLast;
  if (pool == "mean") return ProbePool::kMean;
  if (pool == "context") return ProbePool::kContext;
  return absl::InvalidArgumentError(absl::StrCat(
      "capture.probe_pool: \"", pool, "\" was found, but it must be last, mean or context"));
}

PromptPieces ToPieces(const v1::Prompt& prompt) {
  PromptPieces pieces;
  if (prompt.has_instruction()) pieces.instruction = prompt.instruction();
  if (prompt.has_aware_line()) pieces.aware_line = prompt.aware_line();
  if (prompt.has_question_prefix()) pieces.question_prefix = prompt.question_prefix();
  if (prompt.has_question_suffix()) pieces.question_suffix = prompt.question_suffix();
  if (prompt.has_answer_prefix()) pieces.answer_prefix = prompt.answer_prefix();
  return pieces;
}

void AddIds(const std::vector<int32_t>& ids, google::protobuf::RepeatedField<int32_t>* field) {
  field->Assign(ids.begin(), ids.end());
}

void FillPassage(const PassageRecord& record, const v1::Passage& passage, int passage_index,
                 v1::PassageRecord* proto) {
  proto->set_passage_index(passage_index);
  proto->set_passage_id(passage.passage_id());
  proto->set_tokens(static_cast<int32_t>(record.context_ids.size()));
  for (size_t q = 0; q < record.questions.size(); ++q) {
    const QuestionRecord& question = record.questions[q];
    const v1::Question& asked = passage.questions(static_cast<int>(q));
    v1::QuestionRecord* out = proto->add_questions();
    AddIds(question.answer_tokens, out->mutable_answer_tokens());
    out->set_gold(asked.answer());
    out->set_answer_type(asked.answer_type());
    *out->mutable_aliases() = asked.aliases();
    AddIds(question.gold_ids, out->mutable_gold_ids());
    for (const std::vector<int32_t>& ids : question.alias_ids) {
      AddIds(ids, out->add_alias_ids()->mutable_ids());
    }
  }
}

using Send = std::function<absl::Status(const v1::SurvivalRecord&)>;

absl::Status SendKeepSet(const CellRecord& cell, const Send& send) {
  const std::string bits = cell.keep.PackedBytes();
  for (size_t begin = 0; begin < bits.size(); begin += kPartBytes) {
    v1::SurvivalRecord message;
    v1::CellRecord* proto = message.mutable_cell();
    proto->set_press_index(cell.press_index);
    proto->set_ratio_index(cell.ratio_index);
    proto->set_keep_bits(bits.substr(begin, kPartBytes));
    proto->set_last_part(begin + kPartBytes >= bits.size());
    KVSCOPE_RETURN_IF_ERROR(send(message));
  }
  return absl::OkStatus();
}

// At least what a row takes on the wire: an id of up to 5 bytes and two floats.
size_t RowBytes(const AttentionRow& row) { return row.top_tokens.size() * 13 + 32; }

absl::Status SendStream(const StreamRecord& stream, const Send& send) {
  v1::SurvivalRecord message;
  v1::StreamRecord* proto = message.mutable_stream();
  proto->set_question_index(stream.question_index);
  proto->set_answer(stream.answer);
  AddIds(stream.answer_ids, proto->mutable_answer_ids());
  proto->mutable_pooled()->Assign(stream.pooled.begin(), stream.pooled.end());
  size_t bytes = proto->ByteSizeLong();
  for (const AttentionRow& row : stream.rows) {
    if (proto->rows_size() > 0 && bytes + RowBytes(row) > kPartBytes) {
      proto->set_more_rows(true);
      KVSCOPE_RETURN_IF_ERROR(send(message));
      proto->Clear();
      proto->set_question_index(stream.question_index);
      bytes = 0;
    }
    bytes += RowBytes(row);
    v1::AttentionRow* out = proto->add_rows();
    out->mutable_top_tokens()->Assign(row.top_tokens.begin(), row.top_tokens.end());
    out->mutable_top_weights()->Assign(row.top_weights.begin(), row.top_weights.end());
    out->mutable_answer_mass()->Assign(row.answer_mass.begin(), row.answer_mass.end());
  }
  return send(message);
}

}  // namespace

GridSpec GridOf(const v1::Unit& unit) {
  return {.regime = unit.regime(),
          .prompt = &unit.prompt(),
          .presses = &unit.presses(),
          .ratios = &unit.ratios(),
          .max_new_tokens = unit.max_new_tokens(),
          .capture = &unit.capture(),
          .seed = unit.seed()};
}

GridSpec GridOf(const v1::SweepSpec& spec, v1::Regime regime) {
  return {.regime = regime,
          .prompt = &spec.prompt(),
          .presses = &spec.presses(),
          .ratios = &spec.ratios(),
          .max_new_tokens = spec.max_new_tokens(),
          .capture = &spec.capture(),
          .seed = spec.seed()};
}

absl::StatusOr<Grid> ToGrid(const GridSpec& spec) {
  Grid grid;
  KVSCOPE_ASSIGN_OR_RETURN(grid.regime, ToRegime(spec.regime));
  grid.prompt = ToPieces(*spec.prompt);
  for (const std::string& expression : *spec.presses) {
    KVSCOPE_ASSIGN_OR_RETURN(Press press, ParsePress(expression, spec.seed));
    grid.presses.push_back(std::move(press));
  }
  for (const double ratio : *spec.ratios) {
    if (!(ratio >= 0 && ratio < 1)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "ratios: ", ratio, " was found, but a ratio must be at least 0 and under 1"));
    }
    grid.ratios.push_back(ratio);
  }
  if (grid.presses.empty()) return absl::InvalidArgumentError("presses: there is none");
  if (grid.ratios.empty()) return absl::InvalidArgumentError("ratios: there is none");
  if (spec.max_new_tokens < 1) {
    return absl::InvalidArgumentError(absl::StrCat("max_new_tokens: ", spec.max_new_tokens,
                                                   " was found, but it must be at least 1"));
  }
  grid.max_new_tokens = spec.max_new_tokens;
  grid.capture_consensus = spec.capture->consensus();
  KVSCOPE_ASSIGN_OR_RETURN(grid.probe_pool, ToProbePool(spec.capture->probe_pool()));
  grid.probe_layers.assign(spec.capture->probe_layers().begin(),
                           spec.capture->probe_layers().end());
  return grid;
}

Passage ToPassage(const v1::Passage& passage) {
  Passage out{.context = passage.context(), .questions = {}};
  for (const v1::Question& question : passage.questions()) {
    out.questions.push_back({.question = question.question(),
                             .answer = question.answer(),
                             .aliases = {question.aliases().begin(), question.aliases().end()}});
    for (const v1::Span& span : question.evidence()) {
      out.questions.back().evidence.push_back({span.begin(), span.end()});
    }
  }
  return out;
}

absl::Status CheckProbeLayers(const Grid& grid, const EngineInfo& info) {
  if (grid.probe_layers.empty() || grid.probe_layers.back() <= info.layers) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("capture.probes.layers: ", grid.probe_layers.back(),
                   " was found, but the model's go from 0 (the "
                   "embeddings) to ",
                   info.layers));
}

absl::Status CheckScoring(const v1::Scoring& scoring) {
  const double correct = scoring.correct_min_f1() == 0 ? 0.5 : scoring.correct_min_f1();
  if (!(correct > 0 && correct <= 1)) {
    return absl::InvalidArgumentError(absl::StrCat("scoring.correct_min_f1: ", correct,
                                                   " was found, but it must be from 0 to 1"));
  }
  const double partial = scoring.partial_above_f1();
  if (!(partial >= 0 && partial <= correct)) {
    return absl::InvalidArgumentError(absl::StrCat("scoring.partial_above_f1: ", partial,
                                                   " was found, but it must be from 0 to ", correct,
                                                   ", from where an answer is correct"));
  }
  return absl::OkStatus();
}

EngineOptions ToEngineOptions(const std::string& device, const std::string& dtype,
                              const v1::Scoring& scoring) {
  EngineOptions options;
  if (!device.empty()) options.device = device;
  if (!dtype.empty()) options.dtype = dtype;
  if (scoring.tokenizer() != "model") options.scoring_tokenizer = scoring.tokenizer();
  return options;
}

std::string OwnDevice(const std::string& device, const std::string& own) {
  const bool first = device == "cuda:0" && own == "cuda";
  return device == "auto" || device == DeviceKind(own) || first ? own : device;
}

v1::ModelInfo ToModelInfo(const EngineInfo& info, const std::string& name) {
  v1::ModelInfo proto;
  proto.set_name(name);
  proto.set_weights_digest(info.weights_digest);
  proto.set_tokenizer_digest(info.tokenizer_digest);
  proto.set_scoring_tokenizer_digest(info.scoring_tokenizer_digest);
  proto.set_model_type(info.model_type);
  proto.set_layers(info.layers);
  proto.set_q_heads(info.q_heads);
  proto.set_kv_heads(info.kv_heads);
  proto.set_head_dim(info.head_dim);
  proto.set_context_window(info.context_window);
  proto.set_device(info.device);
  proto.set_dtype(info.dtype);
  proto.set_code_version(CodeVersion());
  proto.set_parameter_count(info.parameter_count);
  return proto;
}

absl::Status SendPassage(const PassageRecord& record, const v1::Passage& passage, int passage_index,
                         const Send& send) {
  v1::SurvivalRecord message;
  FillPassage(record, passage, passage_index, message.mutable_passage());
  KVSCOPE_RETURN_IF_ERROR(send(message));
  if (record.graph) KVSCOPE_RETURN_IF_ERROR(SendGraph(*record.graph, send));
  for (const CellRecord& cell : record.cells) {
    KVSCOPE_RETURN_IF_ERROR(SendKeepSet(cell, send));
    for (const StreamRecord& stream : cell.streams) {
      KVSCOPE_RETURN_IF_ERROR(SendStream(stream, send));
    }
  }
  message.mutable_passage_end();
  return send(message);
}

v1::CellResult ToCellResult(const CellRecord& cell, int passage_index, int context_tokens) {
  v1::CellResult proto;
  proto.set_passage_index(passage_index);
  proto.set_press_index(cell.press_index);
  proto.set_ratio_index(cell.ratio_index);
  proto.set_question_index(cell.question_index);
  proto.set_context_tokens(context_tokens);
  proto.set_kept_bytes(cell.kept_bytes);
  proto.set_full_bytes(cell.full_bytes);
  return proto;
}

v1::AnswerResult ToAnswerResult(const CellRecord& cell, const StreamRecord& stream,
                                int passage_index) {
  v1::AnswerResult proto;
  proto.set_passage_index(passage_index);
  proto.set_press_index(cell.press_index);
  proto.set_ratio_index(cell.ratio_index);
  proto.set_answer(stream.answer);
  proto.set_generated_tokens(static_cast<int32_t>(stream.tokens.size()));
  proto.set_ended(stream.ended);
  return proto;
}

absl::StatusOr<v1::Heatmap> ToHeatmap(const PassageRecord& record, const CellRecord& cell,
                                      const v1::Passage& passage, int passage_index) {
  v1::Heatmap proto;
  proto.set_passage_index(passage_index);
  proto.set_press_index(cell.press_index);
  proto.set_ratio_index(cell.ratio_index);
  proto.set_layers(cell.keep.layers());
  proto.set_kv_heads(cell.keep.kv_heads());
  proto.set_keep_bits(cell.keep.PackedBytes());
  for (const std::string& token : record.context_tokens) proto.add_tokens(token);
  for (size_t q = 0; q < record.questions.size(); ++q) {
    const bool concerned = cell.question_index < 0 || cell.question_index == static_cast<int>(q);
    if (!concerned || record.questions[q].answer_tokens.empty()) continue;
    AddIds(record.questions[q].answer_tokens, proto.mutable_answer_tokens());
    proto.set_question(passage.questions(static_cast<int>(q)).question());
    break;
  }
  const auto bytes = static_cast<int64_t>(proto.ByteSizeLong());
  if (bytes > kMaxHeatmapBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "capture.heatmaps: the heat map of passage \"", passage.passage_id(), "\" takes ", bytes,
        " bytes, but at most ", kMaxHeatmapBytes, " are stored; ask for none of this data set"));
  }
  return proto;
}

}  // namespace kvscope::inference
