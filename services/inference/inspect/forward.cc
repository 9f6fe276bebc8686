#include "services/inference/inspect/forward.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/inference/checkpoint/safetensors.h"
#include "services/inference/engine/prefill.h"
#include "services/inference/inspect/ids.h"
#include "services/inference/models/load.h"
#include "services/inference/ops/device_error.h"

namespace kvscope::inference {
namespace {

Tensor OnHost(Ops& ops, const Tensor& tensor) {
  if (ops.uses_host_memory()) return tensor;
  Tensor host = AllocateHost(tensor.dtype(), tensor.shape());
  ops.ToHost(tensor, host.data());
  return host;
}

absl::Status Inspect(const ForwardOptions& options) {
  absl::StatusOr<std::vector<int32_t>> ids = ReadIds(options.ids_file);
  if (!ids.ok()) return ids.status();
  absl::StatusOr<std::unique_ptr<LoadedModel>> model =
      LoadModel(options.model_dir, options.device, options.dtype);
  if (!model.ok()) return model.status();
  PrefillRequest request;
  request.ids = *ids;
  request.logits = LogitsWanted::kAll;
  request.hidden = options.hidden;
  request.attention = options.attention;
  Workspace workspace(*(*model)->ops, (*model)->config);
  absl::StatusOr<PrefillResult> result = Prefill(**model, request, workspace);
  if (!result.ok()) {
    return absl::Status(
        result.status().code(),
        absl::StrCat(options.ids_file.string(), ": ", std::string(result.status().message())));
  }

  std::vector<std::pair<std::string, Tensor>> tensors = {{"logits", result->logits}};
  for (size_t i = 0; i < result->hidden.size(); ++i) {
    tensors.emplace_back(absl::StrCat("hidden.", i), result->hidden[i]);
  }
  for (int layer = 0; options.kv && layer < result->cache.layers(); ++layer) {
    Ops& ops = *(*model)->ops;
    tensors.emplace_back(absl::StrCat("keys.", layer), OnHost(ops, result->cache.keys(layer)));
    tensors.emplace_back(absl::StrCat("values.", layer), OnHost(ops, result->cache.values(layer)));
  }
  for (size_t layer = 0; layer < result->attention.size(); ++layer) {
    tensors.emplace_back(absl::StrCat("attention.", layer), result->attention[layer]);
  }
  return WriteSafetensors(options.out_file, tensors);
}

}  // namespace

absl::Status InspectForward(const ForwardOptions& options) {
  return CatchDeviceErrors([&] { return Inspect(options); });
}

}  // namespace kvscope::inference
