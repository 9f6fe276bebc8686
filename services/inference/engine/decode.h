// Decodes all streams of a passage as one ragged batch over one shared context cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "services/inference/flow/keep_set.h"
#include "services/inference/flow/kv_cache.h"
#include "services/inference/flow/record.h"
#include "services/inference/models/decoder.h"
#include "services/inference/models/workspace.h"

namespace kvscope::inference {

// One question through one keep set.
struct Stream {
  size_t set = 0;                   // which keep set
  std::span<const int32_t> suffix;  // at least one token; its first follows the whole context
  int span = -1;                    // which answer span its watched rows are weighed on; -1: none
  int draft = -1;                   // an earlier stream of the batch whose answer is likely this
                                    // one's too; -1: none
};

constexpr size_t kDecodeLogitRows = 256;  // rows whose logits are held at once

// How much of a batch is in memory at once. Answers do not depend on it.
struct DecodeSlices {
  size_t max_rows = 2048;                         // of one step
  int64_t max_suffix_bytes = int64_t{512} << 20;  // of the suffixes' cache; one stream or more

  // Where memory is short: half as much. False, and nothing changed, where that would slow decoding
  // down more than it saves.
  bool Halve();
};

struct StreamBatch {
  std::span<const KeepSet> sets;
  std::span<const Stream> streams;
  std::span<const uint64_t> spans;  // [spans, words] context tokens of each answer
  int max_new_tokens = 1;
  std::span<const int32_t> end_tokens;  // ascending; a stream ends after any of them
  bool with_logits = false;
  ProbePool pool = ProbePool::kNone;  // kContext is prefill's: none here
  std::span<const int> probe_layers;  // ascending, of 0 .. layers: whose hidden states are pooled
  size_t draft_rows = 8;              // a step of fewer rows is filled with drafts
  DecodeSlices slices;
  std::function<bool()> cancelled;                  // may be empty
  std::function<void(size_t stream)> stream_ended;  // may be empty
};

struct DecodedStream {
  std::vector<int32_t> tokens;     // the end token included, if it came
  bool ended = false;              // by an end token
  std::vector<AttentionRow> rows;  // of a stream with a span: last suffix token, then each
                                   // generated token but the last
  std::vector<float> logits;       // [tokens, vocab] if asked for
  std::vector<float> pooled;       // [probe_layers, hidden] as `pool` says
};

// Greedy; ties to the lower id. Positions go on from `context.tokens`, the uncompressed length.
//
// While a step has fewer rows than `draft_rows` it costs what reading the weights costs. There a
// stream's next tokens are guessed from its draft, as long as that has said the same so far: one
// step takes the token after each guess, and those up to the first wrong guess are the stream's
// own. In steps of more rows every wrong guess would cost a row, so none is made.
//
// Memory does not grow with the number of streams: they run in waves. `workspace` is the decoder's.
// Errors: Cancelled.
absl::StatusOr<std::vector<DecodedStream>> DecodeStreams(const Decoder& decoder,
                                                         const KvCache& context,
                                                         const StreamBatch& batch,
                                                         Workspace& workspace);

}  // namespace kvscope::inference
