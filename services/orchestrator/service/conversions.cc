#include "services/orchestrator/service/conversions.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/passage_json.h"
#include "services/orchestrator/service/sweep_models.h"

namespace kvscope::orchestrator {
namespace {

void SetTime(int64_t ms, google::protobuf::Timestamp& time) {
  time.set_seconds(ms / 1000);
  time.set_nanos(static_cast<int32_t>(ms % 1000) * 1'000'000);
}

template <typename Repeated, typename T>
void AddAll(const std::vector<T>& values, Repeated* repeated) {
  repeated->Add(values.begin(), values.end());
}

std::string DatasetName(const v1::SweepSpec& spec, int ordinal) {
  return ordinal < spec.datasets_size() ? spec.datasets(ordinal).name() : "";
}

std::string PressName(const v1::SweepSpec& spec, int press) {
  return press < spec.presses_size() ? spec.presses(press) : "";
}

double Ratio(const v1::SweepSpec& spec, int ratio) {
  return ratio < spec.ratios_size() ? spec.ratios(ratio) : 0;
}

void FillMetrics(const AnswerRow& answer, v1::AnswerMetrics& metrics) {
  metrics.set_question_index(answer.place.question);
  metrics.set_f1(answer.f1);
  metrics.set_exact(answer.exact);
  metrics.set_outcome(static_cast<v1::AnswerMetrics::Outcome>(answer.outcome));
  if (answer.ger) metrics.set_ger(*answer.ger);
  if (answer.ger_layer_mean) metrics.set_ger_layer_mean(*answer.ger_layer_mean);
  if (answer.consensus_mean) metrics.set_consensus_mean(*answer.consensus_mean);
  if (answer.agreement_max) metrics.set_agreement_max(*answer.agreement_max);
  if (answer.generated_consensus_mean) {
    metrics.set_generated_consensus_mean(*answer.generated_consensus_mean);
  }
  if (answer.generated_agreement_max) {
    metrics.set_generated_agreement_max(*answer.generated_agreement_max);
  }
  if (answer.answer_mass_mean) metrics.set_answer_mass_mean(*answer.answer_mass_mean);
  AddAll(answer.ger_layer, metrics.mutable_ger_layer());
  AddAll(answer.consensus_layer, metrics.mutable_consensus_layer());
  AddAll(answer.agreement_layer, metrics.mutable_agreement_layer());
  if (!answer.routes.empty()) metrics.mutable_routes()->ParseFromString(answer.routes);
}

AnswerRow FromProto(const v1::AnswerResult& proto) {
  const v1::AnswerMetrics& metrics = proto.metrics();
  AnswerRow row;
  row.place = {proto.passage_index(), proto.press_index(), proto.ratio_index(),
               metrics.question_index()};
  row.answer = proto.answer();
  row.generated_tokens = proto.generated_tokens();
  row.ended = proto.ended();
  row.f1 = metrics.f1();
  row.exact = metrics.exact();
  row.outcome = metrics.outcome();
  if (metrics.has_ger()) row.ger = metrics.ger();
  if (metrics.has_ger_layer_mean()) row.ger_layer_mean = metrics.ger_layer_mean();
  if (metrics.has_consensus_mean()) row.consensus_mean = metrics.consensus_mean();
  if (metrics.has_agreement_max()) row.agreement_max = metrics.agreement_max();
  if (metrics.has_generated_consensus_mean()) {
    row.generated_consensus_mean = metrics.generated_consensus_mean();
  }
  if (metrics.has_generated_agreement_max()) {
    row.generated_agreement_max = metrics.generated_agreement_max();
  }
  if (metrics.has_answer_mass_mean()) row.answer_mass_mean = metrics.answer_mass_mean();
  row.ger_layer.assign(metrics.ger_layer().begin(), metrics.ger_layer().end());
  row.consensus_layer.assign(metrics.consensus_layer().begin(), metrics.consensus_layer().end());
  row.agreement_layer.assign(metrics.agreement_layer().begin(), metrics.agreement_layer().end());
  if (metrics.has_routes()) row.routes = Serialize(metrics.routes());
  return row;
}

CellRow FromProto(const v1::CellResult& proto) {
  const v1::CellMetrics& metrics = proto.metrics();
  CellRow row;
  row.place = {proto.passage_index(), proto.press_index(), proto.ratio_index(),
               proto.question_index()};
  row.context_tokens = proto.context_tokens();
  row.kept_bytes = proto.kept_bytes();
  row.full_bytes = proto.full_bytes();
  row.eviction_rate = metrics.eviction_rate();
  row.evicted_share = metrics.evicted_share();
  row.kept_pairs = metrics.kept_pair_count();
  row.full_pairs = metrics.full_pair_count();
  row.empty_heads = metrics.empty_head_count();
  const auto& share = metrics.evicted_share_layer();
  row.evicted_share_layer.assign(share.begin(), share.end());
  const auto& rate = metrics.eviction_rate_layer();
  row.eviction_rate_layer.assign(rate.begin(), rate.end());
  return row;
}

HeatmapRow FromProto(const v1::Heatmap& proto) {
  HeatmapRow row;
  row.place = {proto.passage_index(), proto.press_index(), proto.ratio_index(), -1};
  row.layers = proto.layers();
  row.kv_heads = proto.kv_heads();
  row.keep_bits = proto.keep_bits();
  row.tokens.assign(proto.tokens().begin(), proto.tokens().end());
  row.answer_tokens.assign(proto.answer_tokens().begin(), proto.answer_tokens().end());
  row.question = proto.question();
  return row;
}

void AddModel(const v1::ModelInfo& model, SweepPlan& plan) {
  plan.scoring_tokenizer_digest = model.scoring_tokenizer_digest();
  plan.weights_digest = model.weights_digest();
  plan.tokenizer_digest = model.tokenizer_digest();
  plan.device = model.device();
  plan.dtype = model.dtype();
  plan.code_version = model.code_version();
  plan.parameter_count = model.parameter_count();
  plan.layers = model.layers();
  plan.q_heads = model.q_heads();
  plan.head_dim = model.head_dim();
}

}  // namespace

absl::StatusOr<SweepProtos> ReadProtos(const SweepRecord& sweep) {
  SweepProtos protos;
  if (!protos.spec.ParseFromString(sweep.spec) || !protos.check.ParseFromString(sweep.model)) {
    return absl::DataLossError(absl::StrCat("sweep ", sweep.sweep_id, " cannot be read back"));
  }
  return protos;
}

std::string Serialize(const google::protobuf::MessageLite& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

std::string RegimeText(v1::Regime regime) {
  switch (regime) {
    case v1::AWARE:
      return "aware";
    case v1::AWARE_EACH:
      return "aware_each";
    default:
      return "agnostic";
  }
}

v1::Regime RegimeOfText(const std::string& regime) {
  if (regime == "aware") return v1::AWARE;
  return regime == "aware_each" ? v1::AWARE_EACH : v1::AGNOSTIC;
}

Passage FromProto(const v1::Passage& proto) {
  Passage passage{.dataset = proto.dataset(),
                  .passage_id = proto.passage_id(),
                  .context = proto.context(),
                  .questions = {}};
  for (const v1::Question& question : proto.questions()) {
    Question& added = passage.questions.emplace_back();
    added.question_id = question.question_id();
    added.question = question.question();
    added.answer = question.answer();
    added.aliases.assign(question.aliases().begin(), question.aliases().end());
    added.direction = question.direction();
    added.answer_type = question.answer_type();
    added.question_type = question.question_type();
    added.hop = question.hop();
    for (const v1::Span& span : question.evidence()) {
      added.evidence.push_back({span.begin(), span.end()});
    }
  }
  return passage;
}

v1::Question ToProto(const Question& question) {
  v1::Question proto;
  proto.set_question_id(question.question_id);
  proto.set_question(question.question);
  proto.set_answer(question.answer);
  AddAll(question.aliases, proto.mutable_aliases());
  proto.set_direction(question.direction);
  proto.set_answer_type(question.answer_type);
  proto.set_question_type(question.question_type);
  proto.set_hop(static_cast<int32_t>(question.hop));
  for (const Evidence& evidence : question.evidence) {
    v1::Span* span = proto.add_evidence();
    span->set_begin(static_cast<int32_t>(evidence.start));
    span->set_end(static_cast<int32_t>(evidence.end));
  }
  return proto;
}

v1::Passage ToProto(const Passage& passage) {
  v1::Passage proto;
  proto.set_dataset(passage.dataset);
  proto.set_passage_id(passage.passage_id);
  proto.set_context(passage.context);
  for (const Question& question : passage.questions) *proto.add_questions() = ToProto(question);
  return proto;
}

absl::StatusOr<Passage> ReadPassage(const StoredPassage& passage) {
  absl::StatusOr<Passage> parsed =
      ParsePassage(passage.body, {.where = "the store", .dataset = "", .ordinal = 0});
  if (parsed.ok()) return parsed;
  return absl::DataLossError(
      absl::StrCat("stored passage ", passage.passage_id, ": ", parsed.status().message()));
}

v1::Dataset ToProto(const StoredDataset& dataset) {
  v1::Dataset proto;
  proto.set_digest(dataset.digest);
  proto.set_name(dataset.name);
  proto.set_passage_count(dataset.passage_count);
  proto.set_question_count(dataset.question_count);
  return proto;
}

std::vector<SweepPlan> ToPlans(const v1::SweepSpec& spec, const v1::CheckReply& check) {
  SweepPlan plan;  // what all models have in common
  for (const int regime : spec.regimes()) {
    plan.regimes.push_back(RegimeText(static_cast<v1::Regime>(regime)));
  }
  plan.presses.assign(check.presses().begin(), check.presses().end());
  plan.ratios.assign(spec.ratios().begin(), spec.ratios().end());
  plan.max_new_tokens = spec.max_new_tokens();
  const v1::Prompt& prompt = spec.prompt();
  if (prompt.has_instruction()) plan.prompt.instruction = prompt.instruction();
  if (prompt.has_aware_line()) plan.prompt.aware_line = prompt.aware_line();
  if (prompt.has_question_prefix()) plan.prompt.question_prefix = prompt.question_prefix();
  if (prompt.has_question_suffix()) plan.prompt.question_suffix = prompt.question_suffix();
  if (prompt.has_answer_prefix()) plan.prompt.answer_prefix = prompt.answer_prefix();
  plan.capture_consensus = spec.capture().consensus();
  plan.heatmap_passages = spec.capture().heatmap_passages();
  plan.graph_passages = spec.capture().graph_passages();
  plan.graph_epsilon = spec.capture().graph_epsilon();
  plan.probe_pool = spec.capture().probe_pool();
  plan.probe_layers.assign(spec.capture().probe_layers().begin(),
                           spec.capture().probe_layers().end());
  plan.correct_min_f1 = spec.scoring().correct_min_f1();
  plan.partial_above_f1 = spec.scoring().partial_above_f1();
  plan.abstentions.assign(spec.scoring().abstentions().begin(), spec.scoring().abstentions().end());
  std::sort(plan.abstentions.begin(), plan.abstentions.end());
  plan.seed = spec.seed();
  std::vector<SweepPlan> plans;
  for (int i = 0; i < ModelCount(spec); ++i) {
    AddModel(InfoOf(check, i), plan);
    plan.context_tokens_total = ContextTokensTotal(check, i);
    plans.push_back(plan);
  }
  return plans;
}

v1::Unit ToUnit(const LeasedUnit& unit, const SweepProtos& protos) {
  const v1::SweepSpec& spec = protos.spec;
  const v1::ModelInfo& model = InfoOf(protos.check, unit.model_ordinal);
  v1::Unit proto;
  proto.set_key(unit.key);
  proto.set_model(ModelAt(spec, unit.model_ordinal));
  proto.set_weights_digest(model.weights_digest());
  proto.set_tokenizer_digest(model.tokenizer_digest());
  proto.set_scoring_tokenizer_digest(model.scoring_tokenizer_digest());
  proto.set_device(model.device());
  proto.set_dtype(model.dtype());
  proto.set_regime(RegimeOfText(unit.regime));
  *proto.mutable_presses() = protos.check.presses();
  *proto.mutable_ratios() = spec.ratios();
  proto.set_max_new_tokens(spec.max_new_tokens());
  *proto.mutable_prompt() = spec.prompt();
  *proto.mutable_capture() = spec.capture();
  *proto.mutable_scoring() = spec.scoring();
  proto.set_seed(spec.seed());
  proto.set_first_passage(unit.first_passage);
  return proto;
}

void Append(const v1::ResultChunk& chunk, UnitResult& result) {
  for (const v1::CellResult& cell : chunk.cells()) result.cells.push_back(FromProto(cell));
  for (const v1::AnswerResult& row : chunk.answers()) result.answers.push_back(FromProto(row));
  for (const v1::Heatmap& row : chunk.heatmaps()) result.heatmaps.push_back(FromProto(row));
}

v1::Sweep ToProto(const SweepRecord& sweep, const SweepProtos& protos) {
  v1::Sweep proto;
  proto.set_id(sweep.sweep_id);
  proto.set_state(static_cast<v1::Sweep::State>(sweep.state));  // the numbers are the same
  *proto.mutable_spec() = protos.spec;
  proto.set_error(sweep.error);
  v1::Progress* progress = proto.mutable_progress();
  progress->set_units_total(sweep.units_total);
  progress->set_units_done(sweep.units_done);
  progress->set_units_running(sweep.units_running);
  progress->set_units_failed(sweep.units_failed);
  progress->set_units_reused(sweep.units_reused);
  progress->set_streams_total(sweep.streams_total);
  progress->set_streams_done(sweep.streams_done);
  if (protos.check.has_model()) *proto.mutable_model() = protos.check.model();
  for (const v1::ModelCheck& check : protos.check.more_models()) {
    *proto.add_more_models() = check.model();
  }
  SetTime(sweep.create_time_ms, *proto.mutable_create_time());
  if (sweep.end_time_ms != 0) SetTime(sweep.end_time_ms, *proto.mutable_end_time());
  proto.set_owner(sweep.owner);
  proto.set_priority(sweep.priority);
  return proto;
}

v1::UnitStatus ToProto(const UnitRecord& unit, const SweepProtos& protos) {
  v1::UnitStatus proto;
  proto.set_key(unit.key);
  proto.set_state(static_cast<v1::UnitStatus::State>(unit.state));  // the numbers are the same
  proto.set_model(ModelName(protos, unit.model_ordinal));
  proto.set_dataset(DatasetName(protos.spec, unit.dataset_ordinal));
  proto.set_regime(RegimeOfText(unit.regime));
  proto.set_first_passage(unit.first_passage);
  proto.set_passage_count(unit.passage_count);
  proto.set_attempts(unit.attempts);
  proto.set_worker_id(unit.worker);
  proto.set_error(unit.error);
  return proto;
}

void Fill(const StoredAnswer& stored, const std::string& sweep_id, const SweepProtos& protos,
          const v1::Passage& passage, v1::AnswerRow& row) {
  const AnswerRow& answer = stored.answer;
  const CellRow& cell = stored.cell;
  row.set_sweep_id(sweep_id);
  row.set_model(ModelName(protos, stored.slice.model_ordinal));
  row.set_dataset(DatasetName(protos.spec, stored.slice.dataset_ordinal));
  row.set_regime(RegimeOfText(stored.slice.regime));
  row.set_press(PressName(protos.spec, answer.place.press));
  row.set_compression_ratio(Ratio(protos.spec, answer.place.ratio));
  row.set_passage_id(passage.passage_id());
  if (answer.place.question >= 0 && answer.place.question < passage.questions_size()) {
    *row.mutable_question() = passage.questions(answer.place.question);
  }
  row.set_answer(answer.answer);
  row.set_generated_tokens(answer.generated_tokens);
  row.set_ended(answer.ended);
  FillMetrics(answer, *row.mutable_metrics());
  row.set_eviction_rate(cell.eviction_rate);
  row.set_evicted_share(cell.evicted_share);
  if (cell.full_pairs > 0) {
    row.set_kept_ratio(static_cast<double>(cell.kept_pairs) / static_cast<double>(cell.full_pairs));
  }
  row.set_kept_bytes(cell.kept_bytes);
  row.set_full_bytes(cell.full_bytes);
  row.set_context_tokens(cell.context_tokens);
}

v1::HeatmapRow ToProto(StoredHeatmap stored, const SweepProtos& protos,
                       const std::string& passage_id) {
  const v1::SweepSpec& spec = protos.spec;
  HeatmapRow& heatmap = stored.heatmap;
  v1::HeatmapRow row;
  row.set_model(ModelName(protos, stored.slice.model_ordinal));
  row.set_dataset(DatasetName(spec, stored.slice.dataset_ordinal));
  row.set_regime(RegimeOfText(stored.slice.regime));
  row.set_press(PressName(spec, heatmap.place.press));
  row.set_compression_ratio(Ratio(spec, heatmap.place.ratio));
  row.set_passage_id(passage_id);
  v1::Heatmap* proto = row.mutable_heatmap();
  proto->set_passage_index(heatmap.place.passage);
  proto->set_press_index(heatmap.place.press);
  proto->set_ratio_index(heatmap.place.ratio);
  proto->set_layers(heatmap.layers);
  proto->set_kv_heads(heatmap.kv_heads);
  proto->set_keep_bits(std::move(heatmap.keep_bits));
  AddAll(heatmap.tokens, proto->mutable_tokens());
  AddAll(heatmap.answer_tokens, proto->mutable_answer_tokens());
  proto->set_question(heatmap.question);
  return row;
}

void FillMeans(const CellSummary& summary, v1::Cell& cell) {
  cell.set_answer_count(summary.answers);
  if (summary.f1) cell.set_f1(*summary.f1);
  if (summary.exact) cell.set_exact(*summary.exact);
  if (summary.hallucination_rate) cell.set_hallucination_rate(*summary.hallucination_rate);
  if (summary.unknown_rate) cell.set_unknown_rate(*summary.unknown_rate);
  if (summary.ger) cell.set_ger(*summary.ger);
  if (summary.ger_layer_mean) cell.set_ger_layer_mean(*summary.ger_layer_mean);
  if (summary.eviction_rate) cell.set_eviction_rate(*summary.eviction_rate);
  if (summary.evicted_share) cell.set_evicted_share(*summary.evicted_share);
  if (summary.consensus_mean) cell.set_consensus_mean(*summary.consensus_mean);
  if (summary.agreement_max) cell.set_agreement_max(*summary.agreement_max);
  if (summary.kept_ratio) cell.set_kept_ratio(*summary.kept_ratio);
  AddAll(summary.consensus_layer, cell.mutable_consensus_layer());
  AddAll(summary.agreement_layer, cell.mutable_agreement_layer());
  AddAll(summary.ger_layer, cell.mutable_ger_layer());
  AddAll(summary.eviction_rate_layer, cell.mutable_eviction_rate_layer());
  AddAll(summary.evicted_share_layer, cell.mutable_evicted_share_layer());
  cell.set_ger_count(summary.ger_count);
  AddAll(summary.tags, cell.mutable_tags());
}

}  // namespace kvscope::orchestrator
