// How much memory the backend takes beside tensors, for plans that are made without a device.
#pragma once

#include <algorithm>
#include <cstdint>

namespace kvscope::inference::cuda {

// Grid cuts a context of so many tokens into splits of at least kSplitTokens, at most kMostSplits
// (by whole words of the keep sets).
constexpr int kSplitTokens = 512, kMostSplits = 16, kWordTokens = 64;
constexpr int SplitTokens(int words) {
  return std::max(kSplitTokens, (words + kMostSplits - 1) / kMostSplits * kWordTokens);
}
constexpr int64_t kPartBytes = 20;  // what a split keeps of a query beside its sums

// Queries over keep sets that keep most are multiplied kDenseQueries at a time, if a KV head has at
// least kLeastDenseQueries of them. Their scores take kScoresBytes, or more if one tile's do.
constexpr int kDenseQueries = 64, kLeastDenseQueries = 64;
constexpr int64_t kScoresBytes = 32 << 20;
constexpr int64_t ScoreStride(int64_t tokens) { return (tokens + 31) / 32 * 32; }
// Of queries with so many scores each.
constexpr int64_t DenseTilesAtATime(int64_t scores) {
  return std::max<int64_t>(kScoresBytes / (kDenseQueries * 4) / std::max<int64_t>(scores, 1), 1);
}

// The largest step of an evaluation.
struct LargestStep {
  int64_t rows = 0, tokens = 0, positions = 0;  // positions: tokens and suffixes
  int64_t q_heads = 0, kv_heads = 0, head_dim = 0;
  int64_t widest = 0;  // numbers of a row of a product's input
};

constexpr int64_t kBlasBytes = 32 << 20;  // what cuBLAS takes by itself on sm_90

// At least what the backend holds after such a step: memory that grows is taken with a quarter
// more.
constexpr int64_t BytesBesideTensors(const LargestStep& step) {
  const int split = SplitTokens(static_cast<int>((step.tokens + kWordTokens - 1) / kWordTokens));
  const int64_t parts = (step.tokens + split - 1) / split + 1;
  const int64_t queries = step.rows * step.q_heads;
  const int64_t tiles = queries / kDenseQueries + step.kv_heads;  // the last of each is not full
  const int64_t places = queries + step.kv_heads * kDenseQueries;
  const int64_t scores = (parts - 1) * ScoreStride(std::min<int64_t>(split, step.tokens));
  const int64_t scored = std::min(tiles, DenseTilesAtATime(scores));
  const int64_t grid = places * parts * (step.head_dim * 4 + kPartBytes) +
                       tiles * kDenseQueries * step.head_dim * 4 +
                       scored * kDenseQueries * scores * 4 + 6 * 8 * tiles * (parts - 1) + 6 * 256;
  const int64_t seen = 3 * 4 * queries, inputs = 2 * step.rows * step.widest;
  const int64_t rotations = step.positions * 3 / 2 * step.head_dim * 4;
  const int64_t rings = int64_t{6} << 20;
  return rings + (kBlasBytes + grid + seen + inputs + rotations) * 5 / 4;
}

}  // namespace kvscope::inference::cuda
