#include "services/inference/service/inference_metrics.h"

#include <memory>

#include "services/inference/engine/machine_peak.h"
#include "services/inference/ops/backends.h"
#include "services/inference/ops/device_error.h"
#include "services/status_macros.h"

namespace kvscope::inference {
namespace {

constexpr rpc::MetricFamily kUnits = {
    "kvscope_inference_units_total",
    "Leased units by what became of them here: accepted or refused by the orchestrator, failed, "
    "returned unfinished (draining, or the metrics service did not answer), cancelled."};
constexpr rpc::MetricFamily kPhase = {
    "kvscope_inference_phase_seconds",
    "Time that a phase took, one observation a passage (in regime aware_each: a question): "
    "prefill; "
    "score, which runs beside prefill; decode; stream, to the metrics service and back."};
constexpr rpc::MetricFamily kTokens = {
    "kvscope_inference_tokens_total",
    "Tokens by kind: context (prefilled), answer (generated; equal keep sets are decoded once)."};
constexpr rpc::MetricFamily kOperations = {
    "kvscope_inference_gemm_operations_total",
    "Floating-point operations of products with weights (projections, MLP, logits), by phase and "
    "dtype; a multiplication and an addition are two."};
constexpr rpc::MetricFamily kWeights = {
    "kvscope_inference_weight_read_bytes_total",
    "Bytes of weights that those products read, by phase and dtype: a layer's anew each time."};
constexpr rpc::MetricFamily kPeak = {
    "kvscope_inference_gemm_peak_operations_per_second",
    "Operations a second of a large product, measured at the start of the process; by dtype."};

rpc::Counter Unit(const char* outcome) { return rpc::Counter(kUnits, {{"outcome", outcome}}); }

rpc::Histogram Phase(const char* phase) {
  return rpc::Histogram(kPhase, rpc::WorkBounds(), {{"phase", phase}});
}

rpc::Counter OfPhase(const rpc::MetricFamily& family, const char* phase, const char* dtype) {
  return rpc::Counter(family, {{"phase", phase}, {"dtype", dtype}});
}

}  // namespace

const InferenceMetrics& InferenceMetrics::Get() {
  static const auto* metrics = new InferenceMetrics();
  return *metrics;
}

InferenceMetrics::OfDtype::OfDtype(const char* dtype)
    : prefill_operations(OfPhase(kOperations, "prefill", dtype)),
      decode_operations(OfPhase(kOperations, "decode", dtype)),
      prefill_weight_bytes(OfPhase(kWeights, "prefill", dtype)),
      decode_weight_bytes(OfPhase(kWeights, "decode", dtype)),
      peak_operations(kPeak, {{"dtype", dtype}}) {}

InferenceMetrics::InferenceMetrics()
    : connected({"kvscope_inference_connected",
                 "Workers of this process that the orchestrator has welcomed."}),
      device_failed({"kvscope_inference_device_failed",
                     "1 once the device gives nothing but errors: the process ends."}),
      slices_halved({"kvscope_inference_slices_halved_total",
                     "Times that decoding went on in smaller slices, since the device's memory was "
                     "short."}),
      units{.accepted = Unit("accepted"),
            .refused = Unit("refused"),
            .failed = Unit("failed"),
            .returned = Unit("returned"),
            .cancelled = Unit("cancelled")},
      unit_seconds({"kvscope_inference_unit_seconds", "Time that a unit took, if it succeeded."},
                   rpc::WorkBounds()),
      phase{.prefill = Phase("prefill"),
            .score = Phase("score"),
            .decode = Phase("decode"),
            .stream = Phase("stream")},
      passages({"kvscope_inference_passages_total",
                "Passages evaluated (in regime aware_each: once a question)."}),
      streams({"kvscope_inference_streams_total",
               "Answers generated, one a press, ratio and question."}),
      tokens{.context = rpc::Counter(kTokens, {{"kind", "context"}}),
             .answer = rpc::Counter(kTokens, {{"kind", "answer"}})},
      kv_full_bytes({"kvscope_inference_kv_full_bytes_total",
                     "Keys and values of the contexts of all cells, if nothing were removed."}),
      kv_kept_bytes({"kvscope_inference_kv_kept_bytes_total",
                     "Keys and values that the cells' keep sets kept of them."}),
      mask_bytes({"kvscope_inference_mask_bytes_total", "Keep sets of all cells, as bits."}),
      cache_bytes({"kvscope_inference_cache_bytes",
                   "Keys and values of the context evaluated last, which all its cells share."}),
      peak_memory_bytes({"kvscope_inference_memory_peak_bytes_per_second",
                         "Bytes a second of x += y on arrays beyond any cache, measured at the "
                         "start of the process."}) {}

absl::Status InferenceMetrics::MeasurePeaks(const std::string& device, int threads) const {
  if (threads > 0) SetComputeThreads(threads);
  KVSCOPE_ASSIGN_OR_RETURN(const std::unique_ptr<Ops> ops, MakeOps(device));
  KVSCOPE_ASSIGN_OR_RETURN(
      const MachinePeak peak,
      CatchDeviceErrors([&]() -> absl::StatusOr<MachinePeak> { return MeasurePeak(*ops); }));
  float32.peak_operations.Set(peak.float32_operations_per_second);
  bfloat16.peak_operations.Set(peak.bfloat16_operations_per_second);
  peak_memory_bytes.Set(peak.memory_bytes_per_second);
  return absl::OkStatus();
}

void InferenceMetrics::AddPassage(const PassageRecord& record, std::string_view dtype) const {
  const PassageCost& cost = record.cost;
  passages.Add();
  phase.prefill.Observe(cost.prefill_seconds);
  phase.score.Observe(cost.score_seconds);
  phase.decode.Observe(cost.decode_seconds);
  tokens.context.Add(static_cast<double>(record.context_ids.size()));
  tokens.answer.Add(static_cast<double>(cost.answer_tokens));
  const bool is_float32 = dtype == "float32";
  const OfDtype& of = is_float32 ? float32 : bfloat16;
  const double weight_bytes = is_float32 ? 4 : 2;
  of.prefill_operations.Add(static_cast<double>(cost.prefill.operations));
  of.decode_operations.Add(static_cast<double>(cost.decode.operations));
  of.prefill_weight_bytes.Add(weight_bytes * static_cast<double>(cost.prefill.weights_read));
  of.decode_weight_bytes.Add(weight_bytes * static_cast<double>(cost.decode.weights_read));
  int64_t full = 0, kept = 0, masks = 0;
  for (const CellRecord& cell : record.cells) {
    full += cell.full_bytes;
    kept += cell.kept_bytes;
    masks += int64_t{cell.keep.layers()} * cell.keep.kv_heads() * cell.keep.words() * 8;
  }
  kv_full_bytes.Add(static_cast<double>(full));
  kv_kept_bytes.Add(static_cast<double>(kept));
  mask_bytes.Add(static_cast<double>(masks));
  if (!record.cells.empty()) cache_bytes.Set(static_cast<double>(record.cells[0].full_bytes));
}

}  // namespace kvscope::inference
