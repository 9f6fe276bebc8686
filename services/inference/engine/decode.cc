#include "services/inference/engine/decode.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "services/inference/engine/shared_prefix.h"
#include "services/inference/engine/step_states.h"
#include "services/inference/tensor/check.h"
#include "services/status_macros.h"

namespace kvscope::inference {
namespace {

constexpr int64_t kLeastSuffixBytes = int64_t{8} << 20;
constexpr size_t kLeastRows = 32;

// The keep sets of a layer, as Grid reads them.
struct LayerKeep {
  Tensor bits;                // u64 [sets, kv_heads, words]
  std::vector<int32_t> kept;  // [sets, kv_heads]
};

std::vector<LayerKeep> UploadKeepSets(Ops& ops, std::span<const KeepSet> sets) {
  const KeepSet& first = sets.front();
  std::vector<uint64_t> words;
  std::vector<LayerKeep> layers(static_cast<size_t>(first.layers()));
  for (int layer = 0; layer < first.layers(); ++layer) {
    LayerKeep& keep = layers[static_cast<size_t>(layer)];
    words.clear();
    for (const KeepSet& set : sets) {
      const std::span<const uint64_t> rows = set.layer(layer);
      words.insert(words.end(), rows.begin(), rows.end());
      for (int head = 0; head < first.kv_heads(); ++head) {
        keep.kept.push_back(static_cast<int32_t>(set.kept_count(layer, head)));
      }
    }
    keep.bits = ops.Allocate(DType::kUInt64, {static_cast<int64_t>(sets.size()), first.kv_heads(),
                                              static_cast<int64_t>(first.words())});
    ops.ToDevice(words.data(), keep.bits);
  }
  return layers;
}

// Streams that decode together, each in a suffix slot of its own.
class Wave {
 public:
  // The wave is streams [first, first + count) of the batch; `decoded` is the whole batch's.
  // `keep`: of each layer.
  Wave(const Decoder& decoder, const KvCache& context, std::span<const LayerKeep> keep,
       const StreamBatch& batch, size_t first, size_t count, std::span<DecodedStream> decoded,
       KvCache& suffixes, Workspace& workspace)
      : decoder_(decoder),
        ops_(decoder.ops()),
        context_(context),
        keep_(keep),
        batch_(batch),
        first_(first),
        streams_(batch.streams.subspan(first, count)),
        all_decoded_(decoded),
        decoded_(decoded.subspan(first, count)),
        suffixes_(suffixes),
        ws_(workspace),
        shared_(FindSharedPrefixes(streams_)),
        states_(decoder, batch.probe_layers, workspace) {}

  absl::Status Run() {
    for (size_t slot = 0; slot < streams_.size(); ++slot) {
      const std::span<const int32_t> suffix = streams_[slot].suffix;
      for (size_t i = shared_.own_begin[slot]; i < suffix.size(); ++i) {
        KVSCOPE_RETURN_IF_ERROR(Feed(slot, suffix[i], i, /*chooses=*/i + 1 == suffix.size()));
      }
    }
    KVSCOPE_RETURN_IF_ERROR(Step());
    pools_ = batch_.pool == ProbePool::kMean;
    while (!going_.empty()) {
      const size_t rows = std::min(batch_.draft_rows, batch_.slices.max_rows);
      const size_t guesses = std::max(rows / going_.size(), size_t{1}) - 1;  // a stream
      for (const size_t slot : std::exchange(going_, {})) {
        const std::vector<int32_t>& tokens = decoded_[slot].tokens;
        const size_t position = streams_[slot].suffix.size() + tokens.size() - 1;
        KVSCOPE_RETURN_IF_ERROR(Feed(slot, tokens.back(), position, /*chooses=*/true));
        const std::span<const int32_t> draft = Draft(slot);
        for (size_t i = 0; i < std::min(guesses, draft.size()); ++i) {
          KVSCOPE_RETURN_IF_ERROR(Feed(slot, draft[i], position + 1 + i, /*chooses=*/true));
        }
      }
      KVSCOPE_RETURN_IF_ERROR(Step());
    }
    return absl::OkStatus();
  }

 private:
  // Tokens that are likely to follow those of a stream, none if its draft says otherwise so far or
  // is not finished. After the draft's last token comes nothing, so that is no guess.
  std::span<const int32_t> Draft(size_t slot) const {
    if (streams_[slot].draft < 0) return {};
    const DecodedStream& draft = all_decoded_[static_cast<size_t>(streams_[slot].draft)];
    const std::vector<int32_t>& said = decoded_[slot].tokens;
    if (!Finished(draft) || draft.tokens.size() <= said.size() ||
        !std::equal(said.begin(), said.end(), draft.tokens.begin())) {
      return {};
    }
    return std::span(draft.tokens).subspan(said.size(), draft.tokens.size() - said.size() - 1);
  }

  bool Finished(const DecodedStream& decoded) const {
    return decoded.ended || decoded.tokens.size() == static_cast<size_t>(batch_.max_new_tokens);
  }

  // Adds a row: the token at `position` of a stream's suffix. After a row that `chooses`, the
  // stream's next token is taken.
  absl::Status Feed(size_t slot, int32_t token, size_t position, bool chooses) {
    if (ids_.size() == batch_.slices.max_rows) KVSCOPE_RETURN_IF_ERROR(Step());
    if (chooses) {
      choosing_rows_.push_back(static_cast<int32_t>(ids_.size()));
      choosing_slots_.push_back(slot);
    }
    AddStore(slot, position);
    for (const SharedPart& part : shared_.followers[slot]) {
      if (part.begin <= position && position < part.end) AddStore(part.stream, position);
    }
    ids_.push_back(token);
    positions_.push_back(static_cast<int32_t>(context_.tokens + static_cast<int64_t>(position)));
    row_set_.push_back(static_cast<int32_t>(streams_[slot].set));
    row_slot_.push_back(static_cast<int32_t>(slot));
    row_length_.push_back(static_cast<int32_t>(position) + 1);
    row_capture_.push_back(chooses ? streams_[slot].span : -1);
    return absl::OkStatus();
  }

  // The row being added is stored at `position` of a slot.
  void AddStore(size_t slot, size_t position) {
    store_rows_.push_back(static_cast<int32_t>(ids_.size()));
    store_slots_.push_back(static_cast<int32_t>(slot));
    store_positions_.push_back(static_cast<int32_t>(position));
  }

  // Runs the rows added so far through all layers and takes the next token of those that choose.
  absl::Status Step() {
    if (ids_.empty()) return absl::OkStatus();
    if (batch_.cancelled && batch_.cancelled()) return absl::CancelledError("decoding cancelled");
    const int layers = decoder_.config().layers;
    seen_.resize(static_cast<size_t>(layers));
    ops_.BeginStep();
    ws_.Resize(static_cast<int64_t>(ids_.size()));
    decoder_.Embed(ids_, ws_.x);
    TakeStates(0);
    for (int layer = 0; layer < layers; ++layer) {
      decoder_.Qkv(layer, positions_, ws_);
      Store(ws_.k, suffixes_.keys(layer));
      Store(ws_.v, suffixes_.values(layer));
      if (layer + 1 == layers) SelectChoosing();
      if (ids_.empty()) break;
      Attend(layer);
      decoder_.Finish(layer, ws_);
      TakeStates(layer + 1);
    }
    if (!choosing_rows_.empty()) TakeTokens();
    for (std::vector<int32_t>* rows :
         {&ids_, &positions_, &row_set_, &row_slot_, &row_length_, &row_capture_, &store_rows_,
          &store_slots_, &store_positions_, &choosing_rows_}) {
      rows->clear();
    }
    choosing_slots_.clear();
    return absl::OkStatus();
  }

  void TakeStates(int index) {
    if (pools_ && !choosing_rows_.empty()) states_.Take(index, choosing_rows_);
  }

  // Keys or values of the step's rows go to the slots of all streams that share them.
  void Store(const Tensor& x, const Tensor& cache) {
    if (store_rows_.size() == ids_.size()) {
      ops_.StoreKv(x, store_slots_, store_positions_, cache);
      return;
    }
    const Tensor shared = ws_.SharedKv(static_cast<int64_t>(store_rows_.size()));
    const int64_t width = x.dim(1) * x.dim(2);
    ops_.Rows(x.Reshaped({x.dim(0), width}), store_rows_, shared.Reshaped({shared.dim(0), width}));
    ops_.StoreKv(shared, store_slots_, store_positions_, cache);
  }

  // Once the last layer's keys and values are stored, only the rows that choose are of use.
  void SelectChoosing() {
    if (choosing_rows_.size() == ids_.size()) return;
    if (!choosing_rows_.empty()) ws_.Select(choosing_rows_);
    for (std::vector<int32_t>* rows : {&ids_, &row_set_, &row_slot_, &row_length_, &row_capture_}) {
      for (size_t i = 0; i < choosing_rows_.size(); ++i) {
        (*rows)[i] = (*rows)[static_cast<size_t>(choosing_rows_[i])];
      }
      rows->resize(choosing_rows_.size());
    }
    std::iota(choosing_rows_.begin(), choosing_rows_.end(), 0);
  }

  void Attend(int layer) {
    const size_t width = ids_.size() * static_cast<size_t>(decoder_.config().q_heads);
    const LayerKeep& keep = keep_[static_cast<size_t>(layer)];
    Seen& seen = seen_[static_cast<size_t>(layer)];
    seen.rows = choosing_rows_;
    seen.top_tokens.resize(width);
    seen.top_weights.resize(width);
    seen.answer_mass.resize(width);
    ops_.Grid({.q = ws_.q,
               .k = context_.keys(layer),
               .v = context_.values(layer),
               .tokens = context_.tokens,
               .keep = keep.bits,
               .kept = keep.kept,
               .row_set = row_set_,
               .suffix_k = suffixes_.keys(layer),
               .suffix_v = suffixes_.values(layer),
               .row_slot = row_slot_,
               .row_suffix_length = row_length_,
               .row_capture = row_capture_,
               .spans = batch_.spans},
              ws_.attention,
              {.top_token = seen.top_tokens,
               .top_weight = seen.top_weights,
               .answer_mass = seen.answer_mass});
  }

  // What all layers saw at the i-th row that chooses. Grid has given it once a token is taken.
  AttentionRow WatchedRow(size_t i) const {
    const auto heads = static_cast<size_t>(decoder_.config().q_heads);
    AttentionRow watched;
    for (const Seen& seen : seen_) {
      const auto append = [&, row = static_cast<size_t>(seen.rows[i])](const auto& from, auto& to) {
        const auto begin = from.begin() + static_cast<ptrdiff_t>(row * heads);
        to.insert(to.end(), begin, begin + static_cast<ptrdiff_t>(heads));
      };
      append(seen.top_tokens, watched.top_tokens);
      append(seen.top_weights, watched.top_weights);
      append(seen.answer_mass, watched.answer_mass);
    }
    return watched;
  }

  void TakeTokens() {
    const auto vocab = static_cast<size_t>(decoder_.config().vocab_size);
    std::vector<int32_t> chosen(choosing_rows_.size());
    std::vector<float> host(batch_.with_logits ? chosen.size() * vocab : 0);
    for (size_t begin = 0; begin < chosen.size(); begin += kDecodeLogitRows) {
      const size_t count = std::min(kDecodeLogitRows, chosen.size() - begin);
      const Tensor logits =
          decoder_.Logits(ws_.x, std::span(choosing_rows_).subspan(begin, count), ws_);
      ops_.Argmax(logits, std::span(chosen).subspan(begin, count));
      if (batch_.with_logits) ops_.ToHost(logits, host.data() + begin * vocab);
    }
    for (size_t i = 0; i < chosen.size(); ++i) {
      const size_t slot = choosing_slots_[i];
      DecodedStream& decoded = decoded_[slot];
      // Rows of a stream are one after the other. One that fed a wrong guess tells nothing.
      const bool next_guessed = i + 1 < chosen.size() && choosing_slots_[i + 1] == slot;
      const bool right = next_guessed && ids_[i + 1] == chosen[i];
      decoded.tokens.push_back(chosen[i]);
      if (pools_) states_.AddTo(i, decoded.pooled);
      if (streams_[slot].span >= 0) decoded.rows.push_back(WatchedRow(i));
      if (batch_.with_logits) {
        const float* row = host.data() + i * vocab;
        decoded.logits.insert(decoded.logits.end(), row, row + vocab);
      }
      decoded.ended =
          std::binary_search(batch_.end_tokens.begin(), batch_.end_tokens.end(), chosen[i]);
      if (right) continue;
      while (i + 1 < chosen.size() && choosing_slots_[i + 1] == slot) ++i;
      if (!Finished(decoded)) {
        going_.push_back(slot);
      } else if (batch_.stream_ended) {
        batch_.stream_ended(first_ + slot);
      }
    }
  }

  const Decoder& decoder_;
  Ops& ops_;
  const KvCache& context_;
  const std::span<const LayerKeep> keep_;
  const StreamBatch& batch_;
  const size_t first_;  // index of streams_[0] in the batch
  const std::span<const Stream> streams_;
  const std::span<DecodedStream> all_decoded_, decoded_;  // the batch's, the wave's
  KvCache& suffixes_;
  Workspace& ws_;
  const SharedPrefixes shared_;
  std::vector<size_t> going_;  // slots that go on
  StepStates states_;
  bool pools_ = batch_.pool == ProbePool::kLast || batch_.pool == ProbePool::kMean;  // at this step

  // The step being put together, [rows] ...
  std::vector<int32_t> ids_, positions_, row_set_, row_slot_, row_length_, row_capture_;
  std::vector<int32_t> store_rows_, store_slots_, store_positions_;  // ... where they are stored
  std::vector<int32_t> choosing_rows_;  // rows after which a token is taken ...
  std::vector<size_t> choosing_slots_;  // ... and whose

  // What Grid saw in one layer, [rows, q_heads], and which of them choose.
  struct Seen {
    std::vector<int32_t> rows;
    std::vector<int32_t> top_tokens;
    std::vector<float> top_weights, answer_mass;
  };
  std::vector<Seen> seen_;  // of each layer
};

}  // namespace

bool DecodeSlices::Halve() {
  if (max_rows / 2 < kLeastRows) return false;
  max_rows /= 2;
  max_suffix_bytes = std::max(max_suffix_bytes / 2, kLeastSuffixBytes);
  return true;
}

absl::StatusOr<std::vector<DecodedStream>> DecodeStreams(const Decoder& decoder,
                                                         const KvCache& context,
                                                         const StreamBatch& batch,
                                                         Workspace& workspace) {
  std::vector<DecodedStream> decoded(batch.streams.size());
  if (batch.streams.empty()) return decoded;
  const ModelConfig& config = decoder.config();
  size_t longest = 0;
  for (const Stream& stream : batch.streams) {
    KVSCOPE_CHECK(!stream.suffix.empty(), "a stream needs a token to start with");
    KVSCOPE_CHECK(stream.draft < &stream - batch.streams.data(), "a draft is an earlier stream");
    longest = std::max(longest, stream.suffix.size());
  }
  const int64_t capacity = static_cast<int64_t>(longest) + batch.max_new_tokens - 1;
  const int64_t slot_bytes =
      capacity * KvBytesPerToken(config.layers, config.kv_heads, config.head_dim);
  const auto slots = static_cast<size_t>(std::clamp<int64_t>(
      batch.slices.max_suffix_bytes / slot_bytes, 1, static_cast<int64_t>(batch.streams.size())));

  Ops& ops = decoder.ops();
  const std::vector<LayerKeep> keep = UploadKeepSets(ops, batch.sets);
  KvCache suffixes = KvCache::Suffixes(ops, config.layers, static_cast<int64_t>(slots),
                                       config.kv_heads, capacity, config.head_dim);
  for (size_t first = 0; first < batch.streams.size(); first += slots) {
    const size_t count = std::min(slots, batch.streams.size() - first);
    Wave wave(decoder, context, keep, batch, first, count, decoded, suffixes, workspace);
    KVSCOPE_RETURN_IF_ERROR(wave.Run());
  }
  if (batch.pool == ProbePool::kMean) {
    for (DecodedStream& stream : decoded) {
      for (float& value : stream.pooled) value /= static_cast<float>(stream.tokens.size());
    }
  }
  return decoded;
}

}  // namespace kvscope::inference
