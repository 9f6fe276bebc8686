// What every backend CHECKs before it reads a tensor: the shapes that ops.h promises.
#pragma once

#include "services/inference/ops/ops.h"

namespace kvscope::inference {

void CheckPack(const Tensor& weight, const Tensor& bias, DType compute);
void CheckLinear(const PackedLinear& linear, const Tensor& x, const Tensor& y);
void CheckEmbed(const Tensor& table, std::span<const int32_t> ids, const Tensor& y);
void CheckRmsNorm(const Tensor& x, const Tensor& weight, const Tensor& y);
void CheckRope(const Tensor& x, std::span<const int32_t> positions,
               std::span<const float> inv_freq);
void CheckSwiGlu(const Tensor& x, const Tensor& y);
void CheckAdd(const Tensor& x, const Tensor& y);
void CheckColumns(const Tensor& x, int64_t begin, const Tensor& y);
void CheckRows(const Tensor& x, std::span<const int32_t> rows, const Tensor& y);
void CheckStoreKv(const Tensor& x, std::span<const int32_t> slots,
                  std::span<const int32_t> positions, const Tensor& cache);
void CheckCausalAttention(const Tensor& q, const Tensor& k, const Tensor& v, int64_t first,
                          const Tensor& out, const Tensor& weights);
void CheckGrid(const GridAttention& args, const Tensor& out, const GridCapture& capture);
void CheckArgmax(const Tensor& logits, std::span<int32_t> ids);

// Elements of all dimensions but the first.
int64_t RowWidth(const Tensor& x);

}  // namespace kvscope::inference
