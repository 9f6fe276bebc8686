#include "services/inference/presses/apply.h"

#include <algorithm>
#include <cassert>

#include "absl/strings/str_cat.h"

namespace kvscope::inference {

absl::Status CheckTokens(const Press& press, int tokens) {
  if (tokens >= press.scorer->min_tokens()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("press \"", press.expression, "\" needs a context of at least ",
                   press.scorer->min_tokens(), " tokens; found ", tokens));
}

void ScoreLayer(const Press& press, const LayerView& layer, ScoreMatrix scores) {
  assert(scores.rows() == layer.kv_heads && scores.cols() == layer.tokens);
  const int span_tokens = press.budget->score_span_tokens();
  if (span_tokens == 0 || span_tokens >= layer.tokens) {
    press.scorer->Score(layer, scores);
    return;
  }
  RowMatrix buffer(layer.kv_heads, span_tokens);
  for (int begin = 0; begin < layer.tokens; begin += span_tokens) {
    const int length = std::min(span_tokens, layer.tokens - begin);
    ScoreMatrix span(buffer.data(), layer.kv_heads, length);
    if (length >= press.scorer->min_tokens()) {
      press.scorer->Score(layer.Slice(begin, begin + length), span);
    } else {
      for (int token = 0; token < length; ++token) span.col(token).setConstant(-token);
    }
    scores.middleCols(begin, length) = span;
  }
}

KeepSet Keep(const Press& press, const ScoreTable& table, double compression_ratio) {
  assert(0 <= compression_ratio && compression_ratio < 1);
  if (compression_ratio == 0) {
    return KeepSet::Everything(table.layers(), table.kv_heads(), table.tokens());
  }
  KeepSet kept(table.layers(), table.kv_heads(), table.tokens());
  for (int layer = 0; layer < table.layers(); ++layer) {
    press.budget->Keep(table.layer(layer), layer, compression_ratio, kept);
  }
  return kept;
}

}  // namespace kvscope::inference
