// Prefill: one pass over a prompt that fills its KV cache and shows every layer to its readers.
//
// A layer runs in blocks of rows, so that its activations do not grow with the prompt. What does:
// the cache, the residual stream, a backend's working copy of one layer's keys and, where a reader
// wants them, two layers' queries.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "services/inference/flow/capture.h"
#include "services/inference/flow/kv_cache.h"
#include "services/inference/models/load.h"
#include "services/inference/models/workspace.h"

namespace kvscope::inference {

// Called once a layer, in order and one at a time, on a thread of its own while the next layer runs
// on the backend's; the view ends with the call.
using LayerSink = std::function<void(const LayerView&)>;

enum class LogitsWanted { kNone, kLast, kAll };

struct PrefillRequest {
  std::span<const int32_t> ids;
  Needs needs;     // what the sink reads; the rest of its view is null
  LayerSink sink;  // may be empty
  LogitsWanted logits = LogitsWanted::kNone;
  bool hidden = false;
  std::span<const int> mean_layers;  // ascending, of 0 .. layers: which hidden states to average
  bool attention = false;            // O(tokens²) memory a layer
  std::function<bool()> cancelled;   // asked before every block; may be empty
};

// Tensors are host float32; those that were not asked for are empty.
struct PrefillResult {
  KvCache cache;                  // in the backend's memory; cache.tokens = ids.size()
  Tensor logits;                  // [1 or tokens, vocab]
  std::vector<Tensor> hidden;     // layers + 1 of [tokens, hidden]: the embeddings, the output of
                                  // each layer but the last, and the last after the final norm
  std::vector<float> means;       // [mean_layers, hidden] of those, over the tokens
  std::vector<Tensor> attention;  // layers of [q_heads, tokens, tokens], rows are queries
};

// `workspace` is scratch memory of this model, reused from prompt to prompt. Errors:
// InvalidArgument for an empty prompt, more tokens than the model has positions, or an id outside
// the vocabulary; Cancelled.
absl::StatusOr<PrefillResult> Prefill(const LoadedModel& model, const PrefillRequest& request,
                                      Workspace& workspace);

}  // namespace kvscope::inference
