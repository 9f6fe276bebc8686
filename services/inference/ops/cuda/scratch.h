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

// The largest step of an evaluation.
struct LargestStep {
  int64_t rows = 0, sets = 0, tokens = 0, positions = 0;  // positions: tokens and suffixes
  int64_t q_heads = 0, kv_heads = 0, head_dim = 0;
  int64_t widest = 0;  // numbers of a row of a product's input
};

constexpr int64_t kBlasBytes = 32 << 20;  // what cuBLAS takes by itself on sm_90

// At least what cuda_ops.cc holds after such a step: memory that grows is taken with a quarter
// more.
constexpr int64_t BytesBesideTensors(const LargestStep& step) {
  const int split = SplitTokens(static_cast<int>((step.tokens + kWordTokens - 1) / kWordTokens));
  const int64_t parts = (step.tokens + split - 1) / split + 1;
  const int64_t queries = step.rows * step.q_heads;
  const int64_t grid = queries * parts * (step.head_dim * 4 + kPartBytes) +
                       4 * step.kv_heads * (step.sets + step.rows + 1) + 80;
  const int64_t seen = 3 * 4 * queries, inputs = 2 * step.rows * step.widest;
  const int64_t rotations = step.positions * 3 / 2 * step.head_dim * 4;
  const int64_t rings = int64_t{4} << 20;
  return rings + (kBlasBytes + grid + seen + inputs + rotations) * 5 / 4;
}

}  // namespace kvscope::inference::cuda
