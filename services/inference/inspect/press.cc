#include "services/inference/inspect/press.h"

#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/inference/checkpoint/safetensors.h"
#include "services/inference/engine/decode.h"
#include "services/inference/engine/keep.h"
#include "services/inference/engine/score.h"
#include "services/inference/inspect/ids.h"
#include "services/inference/models/workspace.h"
#include "services/inference/ops/device_error.h"
#include "services/inference/presses/apply.h"
#include "services/status_macros.h"

namespace kvscope::inference {
namespace {

absl::Status CheckIds(std::string_view what, std::span<const int32_t> ids, int vocab) {
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && ids[i] < vocab) continue;
    return absl::InvalidArgumentError(absl::StrCat(std::string(what), " id ", i, " is ", ids[i],
                                                   "; the model's vocabulary is [0, ", vocab, ")"));
  }
  return absl::OkStatus();
}

absl::Status Check(const PressInspection& inspection, const ModelConfig& config) {
  if (inspection.context_ids.empty()) return absl::InvalidArgumentError("there are no context ids");
  KVSCOPE_RETURN_IF_ERROR(CheckIds("context", inspection.context_ids, config.vocab_size));
  KVSCOPE_RETURN_IF_ERROR(CheckIds("question", inspection.question_ids, config.vocab_size));
  for (const double ratio : inspection.ratios) {
    if (ratio >= 0 && ratio < 1) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("compression ratio ", ratio, " is not in [0, 1)"));
  }
  if (inspection.max_new_tokens < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_new_tokens is ", inspection.max_new_tokens, "; it must be at least 1"));
  }
  const size_t context = inspection.context_ids.size();
  const size_t question = inspection.question_ids.size();
  const auto answer = static_cast<size_t>(question == 0 ? 0 : inspection.max_new_tokens);
  if (context + question + answer > static_cast<size_t>(config.max_positions)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "context (", context, " tokens), question (", question, ") and max_new_tokens (", answer,
        ") exceed the model's window of ", config.max_positions));
  }
  return CheckTokens(inspection.press, static_cast<int>(context));
}

Tensor HostCopy(DType dtype, std::vector<int64_t> shape, const void* data) {
  Tensor tensor = AllocateHost(dtype, std::move(shape));
  if (tensor.size_bytes() > 0) std::memcpy(tensor.data(), data, tensor.size_bytes());
  return tensor;
}

Tensor KeptBytes(const KeepSet& kept) {
  Tensor tensor = AllocateHost(DType::kUInt8, {kept.layers(), kept.kv_heads(), kept.tokens()});
  auto* out = static_cast<uint8_t*>(tensor.data());
  for (int layer = 0; layer < kept.layers(); ++layer) {
    for (int head = 0; head < kept.kv_heads(); ++head) {
      for (int t = 0; t < kept.tokens(); ++t) *out++ = kept.kept(layer, head, t) ? 1 : 0;
    }
  }
  return tensor;
}

}  // namespace

absl::StatusOr<PressView> ViewPress(const LoadedModel& model, const PressInspection& inspection) {
  const ModelConfig& config = model.config;
  KVSCOPE_RETURN_IF_ERROR(Check(inspection, config));
  const std::span<const Press> presses(&inspection.press, 1);
  GridScores scores(presses, config.layers, config.kv_heads,
                    static_cast<int>(inspection.context_ids.size()));
  Workspace workspace(*model.ops, config);
  KVSCOPE_ASSIGN_OR_RETURN(const KvCache cache,
                           PrefillAndScore(model, inspection.context_ids, &scores, workspace));
  KVSCOPE_ASSIGN_OR_RETURN(GridKeepSets sets, CutKeepSets(presses, inspection.ratios, scores));

  std::vector<DecodedStream> decoded(sets.distinct.size());
  if (!inspection.question_ids.empty()) {
    std::vector<Stream> streams(sets.distinct.size());
    for (size_t set = 0; set < streams.size(); ++set) {
      streams[set] = {.set = set, .suffix = inspection.question_ids};
    }
    StreamBatch batch;
    batch.sets = sets.distinct;
    batch.streams = streams;
    batch.max_new_tokens = inspection.max_new_tokens;
    batch.with_logits = true;
    KVSCOPE_ASSIGN_OR_RETURN(decoded, DecodeStreams(*model.decoder, cache, batch, workspace));
  }
  PressView view = {.scores = scores.of(0), .cells = {}};
  for (size_t r = 0; r < inspection.ratios.size(); ++r) {
    const size_t set = sets.set_of_cell[r];
    view.cells.push_back({.ratio = inspection.ratios[r],
                          .kept = sets.distinct[set],
                          .answer = decoded[set].tokens,
                          .answer_logits = decoded[set].logits});
  }
  return view;
}

namespace {

absl::Status Inspect(const PressOptions& options) {
  KVSCOPE_ASSIGN_OR_RETURN(const std::unique_ptr<LoadedModel> model,
                           LoadModel(options.model_dir, options.device, options.dtype));
  PressInspection inspection = {.context_ids = {},
                                .press = {},
                                .ratios = options.ratios,
                                .question_ids = {},
                                .max_new_tokens = options.max_new_tokens};
  KVSCOPE_ASSIGN_OR_RETURN(inspection.context_ids, ReadIds(options.ids_file));
  if (!options.question_ids_file.empty()) {
    KVSCOPE_ASSIGN_OR_RETURN(inspection.question_ids, ReadIds(options.question_ids_file));
  }
  KVSCOPE_ASSIGN_OR_RETURN(inspection.press, ParsePress(options.press, options.seed));
  KVSCOPE_ASSIGN_OR_RETURN(const PressView view, ViewPress(*model, inspection));

  const ScoreTable& scores = view.scores;
  std::vector<std::pair<std::string, Tensor>> tensors;
  tensors.emplace_back(
      "scores", HostCopy(DType::kFloat32, {scores.layers(), scores.kv_heads(), scores.tokens()},
                         scores.values().data()));
  for (const PressView::Cell& cell : view.cells) {
    const std::string ratio = absl::StrFormat("%.2f", cell.ratio);
    tensors.emplace_back("kept." + ratio, KeptBytes(cell.kept));
    if (cell.answer.empty()) continue;
    const auto count = static_cast<int64_t>(cell.answer.size());
    tensors.emplace_back("answer." + ratio, HostCopy(DType::kInt32, {count}, cell.answer.data()));
    tensors.emplace_back(
        "answer_logits." + ratio,
        HostCopy(DType::kFloat32, {count, model->config.vocab_size}, cell.answer_logits.data()));
  }
  return WriteSafetensors(options.out_file, tensors);
}

}  // namespace

absl::Status InspectPress(const PressOptions& options) {
  return CatchDeviceErrors([&] { return Inspect(options); });
}

}  // namespace kvscope::inference
