#include "services/inference/service/unit_runner.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/inference/engine/evaluate.h"
#include "services/inference/service/conversions.h"
#include "services/inference/service/inference_metrics.h"
#include "services/inference/service/measure_call.h"
#include "services/inference/service/result_writer.h"
#include "services/rpc/telemetry.h"
#include "services/status_macros.h"

namespace kvscope::inference {
namespace {

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

v1::UnitHeader HeaderOf(const v1::Unit& unit, const EngineInfo& info) {
  v1::UnitHeader header;
  header.set_unit_key(unit.key());
  header.set_layers(info.layers);
  header.set_q_heads(info.q_heads);
  header.set_kv_heads(info.kv_heads);
  header.set_correct_min_f1(unit.scoring().correct_min_f1());
  header.set_partial_above_f1(unit.scoring().partial_above_f1());
  *header.mutable_abstentions() = unit.scoring().abstentions();
  if (!unit.capture().probe_pool().empty()) {
    *header.mutable_probe_layers() = unit.capture().probe_layers();
    if (header.probe_layers().empty()) {
      for (int layer = 0; layer <= info.layers; ++layer) header.add_probe_layers(layer);
    }
    header.set_probe_width(info.hidden_size);
  }
  return header;
}

absl::Status CheckDigest(const char* field, const std::string& wanted, const std::string& found,
                         const std::string& directory) {
  if (wanted.empty() || wanted == found) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(field, ": the unit asks for ", wanted, ", but ",
                                                    directory, " on this worker has ", found));
}

// The unit was planned with the files of another worker: here they must be the same.
absl::Status CheckFiles(const v1::Unit& unit, const EngineInfo& info) {
  KVSCOPE_RETURN_IF_ERROR(
      CheckDigest("weights_digest", unit.weights_digest(), info.weights_digest, info.model_dir));
  KVSCOPE_RETURN_IF_ERROR(CheckDigest("tokenizer_digest", unit.tokenizer_digest(),
                                      info.tokenizer_digest, info.model_dir));
  return CheckDigest("scoring_tokenizer_digest", unit.scoring_tokenizer_digest(),
                     info.scoring_tokenizer_digest, unit.scoring().tokenizer());
}

// Merges what was recorded with what was measured.
absl::Status AddRows(const PassageRecord& record, std::vector<v1::CellMetrics> metrics,
                     const v1::Passage& passage, int passage_index, bool heatmaps,
                     ResultWriter& writer) {
  for (size_t c = 0; c < record.cells.size(); ++c) {
    const CellRecord& cell = record.cells[c];
    for (size_t s = 0; s < cell.streams.size(); ++s) {
      v1::AnswerResult answer = ToAnswerResult(cell, cell.streams[s], passage_index);
      *answer.mutable_metrics() = std::move(*metrics[c].mutable_answers(static_cast<int>(s)));
      writer.Add(std::move(answer));
    }
    metrics[c].clear_answers();
    v1::CellResult result =
        ToCellResult(cell, passage_index, static_cast<int>(record.context_ids.size()));
    *result.mutable_metrics() = std::move(metrics[c]);
    writer.Add(std::move(result));
    if (heatmaps && cell.question_index <= 0) {  // AWARE_EACH: the first question's
      KVSCOPE_ASSIGN_OR_RETURN(v1::Heatmap heatmap,
                               ToHeatmap(record, cell, passage, passage_index));
      writer.Add(std::move(heatmap));
    }
  }
  return absl::OkStatus();
}

absl::Status InPassage(const v1::Passage& passage, const absl::Status& status) {
  // The unit's own fault, or that of the device that is too small for it.
  if (!absl::IsInvalidArgument(status) && !absl::IsResourceExhausted(status)) return status;
  return absl::Status(status.code(),
                      absl::StrCat("data set \"", passage.dataset(), "\", passage \"",
                                   passage.passage_id(), "\": ", status.message()));
}

}  // namespace

absl::Status UnitRunner::Run(const v1::Unit& unit, const UnitHooks& hooks,
                             Cancellation& cancellation) {
  const auto start = std::chrono::steady_clock::now();
  KVSCOPE_ASSIGN_OR_RETURN(const Grid grid, ToGrid(GridOf(unit)));
  KVSCOPE_RETURN_IF_ERROR(CheckScoring(unit.scoring()));
  EngineOptions options = ToEngineOptions(unit.device(), unit.dtype(), unit.scoring());
  options.device = OwnDevice(options.device, device_);
  KVSCOPE_ASSIGN_OR_RETURN(const std::shared_ptr<const Engine> engine,
                           cache_.Open(unit.model(), options));
  KVSCOPE_RETURN_IF_ERROR(CheckFiles(unit, engine->info()));
  KVSCOPE_RETURN_IF_ERROR(CheckProbeLayers(grid, engine->info()));
  KVSCOPE_ASSIGN_OR_RETURN(
      const std::unique_ptr<MeasureCall> call,
      MeasureCall::Start(*metrics_, HeaderOf(unit, engine->info()), cancellation));

  const EvaluateHooks evaluate_hooks = {
      .cancelled =
          [&hooks, &cancellation] {
            if (hooks.cancelled && hooks.cancelled()) cancellation.Cancel();
            return cancellation.cancelled();
          },
      .streams_done =
          [&hooks](int64_t streams) {
            InferenceMetrics::Get().streams.Add(static_cast<double>(streams));
            if (hooks.streams_done) hooks.streams_done(streams);
          },
      .slices_halved =
          [&unit](const std::string& why) {
            InferenceMetrics::Get().slices_halved.Add();
            rpc::Log(rpc::LogLevel::kWarning, "decoding goes on in smaller slices",
                     {{"unit", unit.key()}, {"reason", why}});
          },
  };
  ResultWriter writer(hooks.emit);
  for (int p = 0; p < unit.passages_size(); ++p) {
    const v1::Passage& passage = unit.passages(p);
    const bool heatmaps = unit.first_passage() + p < unit.capture().heatmap_passages();
    PassageExtras extras = {.token_texts = heatmaps, .graph_epsilon = std::nullopt};
    // At 0 every pair of tokens is an edge: nothing could be told from the graph.
    if (unit.first_passage() + p < unit.capture().graph_passages() &&
        unit.capture().graph_epsilon() > 0) {
      extras.graph_epsilon = unit.capture().graph_epsilon();
    }
    const auto take = [&](PassageRecord&& record) -> absl::Status {
      const auto sent = std::chrono::steady_clock::now();
      KVSCOPE_ASSIGN_OR_RETURN(std::vector<v1::CellMetrics> metrics,
                               call->Measure(record, passage, p));
      InferenceMetrics::Get().phase.stream.Observe(SecondsSince(sent));
      InferenceMetrics::Get().AddPassage(record, engine->info().dtype);
      return AddRows(record, std::move(metrics), passage, p, heatmaps, writer);
    };
    KVSCOPE_RETURN_IF_ERROR(InPassage(
        passage, EvaluatePassage(*engine, grid, ToPassage(passage), extras, evaluate_hooks, take)));
    KVSCOPE_RETURN_IF_ERROR(writer.EndPassage());
  }
  KVSCOPE_RETURN_IF_ERROR(call->Finish());
  KVSCOPE_RETURN_IF_ERROR(writer.Finish());
  InferenceMetrics::Get().unit_seconds.Observe(SecondsSince(start));
  return absl::OkStatus();
}

}  // namespace kvscope::inference
