#include "services/inference/ops/shapes.h"

#include "services/inference/tensor/check.h"

namespace kvscope::inference {
namespace {

bool IsFloat32(const Tensor& t) { return t.dtype() == DType::kFloat32 && !t.empty(); }
bool IsStored(const Tensor& t) {
  return t.dtype() == DType::kFloat32 || t.dtype() == DType::kBFloat16 ||
         t.dtype() == DType::kFloat16;
}
size_t Rank(const Tensor& t) { return t.shape().size(); }
int64_t RowCount(const Tensor& t) { return t.dim(0); }

}  // namespace

Tensor Ops::Upload(const Tensor& host) {
  if (uses_host_memory()) return host;
  Tensor device = Allocate(host.dtype(), host.shape());
  ToDevice(host.data(), device);
  return device;
}

int64_t RowWidth(const Tensor& x) {
  int64_t width = 1;
  for (size_t i = 1; i < x.shape().size(); ++i) width *= x.dim(static_cast<int>(i));
  return width;
}

void CheckPack(const Tensor& weight, const Tensor& bias, DType compute) {
  KVSCOPE_CHECK(compute == DType::kFloat32 || compute == DType::kBFloat16, "compute dtype");
  KVSCOPE_CHECK(Rank(weight) == 2 && !weight.empty() && IsStored(weight), "weight [out, in]");
  KVSCOPE_CHECK(weight.dim(0) > 0 && weight.dim(1) > 0, "weight is empty");
  KVSCOPE_CHECK(bias.empty() || (Rank(bias) == 1 && IsStored(bias) && bias.dim(0) == weight.dim(0)),
                "bias [out]");
}

void CheckLinear(const PackedLinear& linear, const Tensor& x, const Tensor& y) {
  KVSCOPE_CHECK(IsFloat32(x) && IsFloat32(y), "float32 activations");
  KVSCOPE_CHECK(RowCount(x) == RowCount(y), "as many rows out as in");
  KVSCOPE_CHECK(RowWidth(x) == linear.in_features, "x [rows, in]");
  KVSCOPE_CHECK(RowWidth(y) == linear.out_features, "y [rows, out]");
}

void CheckEmbed(const Tensor& table, std::span<const int32_t> ids, const Tensor& y) {
  KVSCOPE_CHECK(Rank(table) == 2 && !table.empty() && IsStored(table), "table [vocab, hidden]");
  KVSCOPE_CHECK(IsFloat32(y) && RowCount(y) == static_cast<int64_t>(ids.size()), "y [rows, ...]");
  KVSCOPE_CHECK(RowWidth(y) == table.dim(1), "y [rows, hidden]");
  for (const int32_t id : ids) KVSCOPE_CHECK(id >= 0 && id < table.dim(0), "id below vocab");
}

void CheckRmsNorm(const Tensor& x, const Tensor& weight, const Tensor& y) {
  KVSCOPE_CHECK(IsFloat32(x) && IsFloat32(weight) && IsFloat32(y), "float32");
  KVSCOPE_CHECK(x.size() == y.size() && Rank(weight) == 1, "x and y [rows, width]");
  KVSCOPE_CHECK(x.shape().back() == weight.dim(0), "weight [width]");
}

void CheckRope(const Tensor& x, std::span<const int32_t> positions,
               std::span<const float> inv_freq) {
  KVSCOPE_CHECK(IsFloat32(x) && Rank(x) == 3, "x [rows, heads, head_dim]");
  KVSCOPE_CHECK(RowCount(x) == static_cast<int64_t>(positions.size()), "a position a row");
  KVSCOPE_CHECK(x.dim(2) == 2 * static_cast<int64_t>(inv_freq.size()), "inv_freq [head_dim / 2]");
  for (const int32_t position : positions) KVSCOPE_CHECK(position >= 0, "negative position");
}

void CheckSwiGlu(const Tensor& x, const Tensor& y) {
  KVSCOPE_CHECK(IsFloat32(x) && IsFloat32(y) && RowCount(x) == RowCount(y), "rows");
  KVSCOPE_CHECK(RowWidth(x) == 2 * RowWidth(y), "x [rows, 2 width], y [rows, width]");
}

void CheckAdd(const Tensor& x, const Tensor& y) {
  KVSCOPE_CHECK(IsFloat32(x) && IsFloat32(y) && x.size() == y.size(), "equal sizes");
}

void CheckColumns(const Tensor& x, int64_t begin, const Tensor& y) {
  KVSCOPE_CHECK(IsFloat32(x) && IsFloat32(y) && RowCount(x) == RowCount(y), "rows");
  KVSCOPE_CHECK(begin >= 0 && begin + RowWidth(y) <= RowWidth(x), "columns inside x");
}

void CheckRows(const Tensor& x, std::span<const int32_t> rows, const Tensor& y) {
  KVSCOPE_CHECK(IsFloat32(x) && IsFloat32(y) && RowWidth(x) == RowWidth(y), "width");
  KVSCOPE_CHECK(RowCount(y) == static_cast<int64_t>(rows.size()), "a row of y for each index");
  for (const int32_t row : rows) KVSCOPE_CHECK(row >= 0 && row < RowCount(x), "row inside x");
}

void CheckStoreKv(const Tensor& x, std::span<const int32_t> slots,
                  std::span<const int32_t> positions, const Tensor& cache) {
  KVSCOPE_CHECK(IsFloat32(x) && Rank(x) == 3, "x [rows, kv_heads, head_dim]");
  KVSCOPE_CHECK(IsFloat32(cache) && (Rank(cache) == 3 || Rank(cache) == 4), "cache");
  const int64_t slot_count = Rank(cache) == 4 ? cache.dim(0) : 1;
  const int first = Rank(cache) == 4 ? 1 : 0;
  KVSCOPE_CHECK(x.dim(1) == cache.dim(first) && x.dim(2) == cache.dim(first + 2), "heads");
  const auto rows = static_cast<size_t>(RowCount(x));
  KVSCOPE_CHECK(slots.size() == rows && positions.size() == rows, "a slot and position a row");
  for (size_t r = 0; r < rows; ++r) {
    KVSCOPE_CHECK(slots[r] >= 0 && slots[r] < slot_count, "slot inside the cache");
    KVSCOPE_CHECK(positions[r] >= 0 && positions[r] < cache.dim(first + 1), "position in capacity");
  }
}

void CheckCausalAttention(const Tensor& q, const Tensor& k, const Tensor& v, int64_t first,
                          const Tensor& out, const Tensor& weights) {
  KVSCOPE_CHECK(IsFloat32(q) && Rank(q) == 3, "q [rows, q_heads, head_dim]");
  KVSCOPE_CHECK(IsFloat32(k) && IsFloat32(v) && Rank(k) == 3 && k.shape() == v.shape(), "k, v");
  KVSCOPE_CHECK(k.dim(0) > 0 && q.dim(1) % k.dim(0) == 0 && q.dim(2) == k.dim(2), "heads");
  const int64_t seen = first + RowCount(q);
  KVSCOPE_CHECK(first >= 0 && k.dim(1) >= seen, "as many cached positions as rows see");
  KVSCOPE_CHECK(IsFloat32(out) && out.size() == q.size(), "out like q");
  KVSCOPE_CHECK(weights.empty() || weights.size() == q.dim(1) * RowCount(q) * seen,
                "weights [q_heads, rows, first + rows]");
}

void CheckGrid(const GridAttention& args, const Tensor& out, const GridCapture& capture) {
  const Tensor &q = args.q, &k = args.k, &keep = args.keep, &suffix = args.suffix_k;
  KVSCOPE_CHECK(IsFloat32(q) && Rank(q) == 3, "q [rows, q_heads, head_dim]");
  KVSCOPE_CHECK(IsFloat32(k) && IsFloat32(args.v) && Rank(k) == 3, "k [kv_heads, tokens, dim]");
  KVSCOPE_CHECK(k.shape() == args.v.shape() && k.dim(0) > 0, "v like k");
  KVSCOPE_CHECK(q.dim(1) % k.dim(0) == 0 && q.dim(2) == k.dim(2), "heads");
  KVSCOPE_CHECK(args.tokens >= 0 && args.tokens <= k.dim(1), "tokens in capacity");
  const int64_t words = (args.tokens + 63) / 64;
  KVSCOPE_CHECK(keep.dtype() == DType::kUInt64 && Rank(keep) == 3 && !keep.empty(), "keep u64");
  KVSCOPE_CHECK(keep.dim(1) == k.dim(0) && keep.dim(2) == words, "keep [sets, kv_heads, words]");
  KVSCOPE_CHECK(static_cast<int64_t>(args.kept.size()) == keep.dim(0) * keep.dim(1),
                "kept [sets, kv_heads]");
  KVSCOPE_CHECK(IsFloat32(suffix) && Rank(suffix) == 4 && IsFloat32(args.suffix_v), "suffix");
  KVSCOPE_CHECK(suffix.shape() == args.suffix_v.shape(), "suffix_v like suffix_k");
  KVSCOPE_CHECK(suffix.dim(1) == k.dim(0) && suffix.dim(3) == k.dim(2), "suffix heads");
  KVSCOPE_CHECK(IsFloat32(out) && out.size() == q.size(), "out like q");
  const auto rows = static_cast<size_t>(RowCount(q));
  KVSCOPE_CHECK(args.row_set.size() == rows && args.row_slot.size() == rows &&
                    args.row_suffix_length.size() == rows,
                "a set, slot and suffix length a row");
  for (size_t r = 0; r < rows; ++r) {
    KVSCOPE_CHECK(args.row_set[r] >= 0 && args.row_set[r] < keep.dim(0), "set of a row");
    KVSCOPE_CHECK(args.row_slot[r] >= 0 && args.row_slot[r] < suffix.dim(0), "slot of a row");
    KVSCOPE_CHECK(args.row_suffix_length[r] >= 1 && args.row_suffix_length[r] <= suffix.dim(2),
                  "suffix length of a row");
  }
  if (args.row_capture.empty()) return;
  KVSCOPE_CHECK(args.row_capture.size() == rows, "a capture a row, or none");
  const auto captured = static_cast<size_t>(q.dim(0) * q.dim(1));
  KVSCOPE_CHECK(capture.top_token.size() == captured && capture.top_weight.size() == captured &&
                    capture.answer_mass.size() == captured,
                "capture [rows, q_heads]");
  for (const int32_t span : args.row_capture) {
    KVSCOPE_CHECK(span < 0 || static_cast<size_t>((span + 1) * words) <= args.spans.size(),
                  "answer span of a row");
  }
}

void CheckArgmax(const Tensor& logits, std::span<int32_t> ids) {
  KVSCOPE_CHECK(IsFloat32(logits) && RowWidth(logits) > 0, "logits [rows, vocab]");
  KVSCOPE_CHECK(RowCount(logits) == static_cast<int64_t>(ids.size()), "an id a row");
}

}  // namespace kvscope::inference
