// How a grid's step is cut for the device, by the host: which rows are multiplied in batches and
// which are gathered, and where each finds room for its parts.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "services/inference/ops/cuda/kernels.h"

namespace kvscope::inference::cuda {

// A row and KV head whose keep set keeps more than half of `tokens` is dense, if that makes enough
// queries for a product; every other one is gathered.
struct GridPlan {
  std::vector<int32_t> rows;       // which the tiles name
  std::vector<GridTile> dense;     // of kDenseQueries queries, fewer in the last of a KV head
  std::vector<GridTile> gathered;  // of at most kGridTileQueries queries that share a keep set
  // [rows, kv_heads]: the first place of the row's queries. Slot s of dense tile i has place i ·
  // kDenseQueries + s; gathered queries have the places after those.
  std::vector<int32_t> place;
  int places = 0;
};

// row_set: [rows]; kept: [sets, kv_heads].
GridPlan PlanGrid(std::span<const int32_t> row_set, std::span<const int32_t> kept, int64_t tokens,
                  const Heads& heads);

}  // namespace kvscope::inference::cuda
