// Applying a press: a layer is scored once, then every ratio cuts its keep set from the scores.
#pragma once

#include "absl/status/status.h"
#include "services/inference/flow/capture.h"
#include "services/inference/flow/keep_set.h"
#include "services/inference/flow/score_table.h"
#include "services/inference/presses/press.h"

namespace kvscope::inference {

// Whether the press can score a context of so many tokens.
// Errors: InvalidArgument that names the press, the tokens and how many it needs.
absl::Status CheckTokens(const Press& press, int tokens);

// Fills scores [kv_heads, tokens] of one layer. A budget's spans are scored one by one, each as if
// it were the whole context; tokens of a span that is too short for the scorer score 0, -1, -2,
// ..., so that the first are kept. CheckTokens must
// have accepted the layer's tokens. May be called from several threads, each with its own layer.
void ScoreLayer(const Press& press, const LayerView& layer, ScoreMatrix scores);

// What the press keeps at a ratio in [0, 1); at 0 everything. Presses with one `score_key` may
// share one table.
KeepSet Keep(const Press& press, const ScoreTable& table, double compression_ratio);

}  // namespace kvscope::inference
