// How a grid's step is cut: every query is in one tile, and finds room that is its own.
#include "services/inference/ops/cuda/grid_plan.h"

#include <random>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "services/inference/ops/cuda/scratch.h"

namespace kvscope::inference::cuda {
namespace {

constexpr int64_t kTokens = 1000;

// Checks a plan query by query; returns how many queries it multiplies.
int CheckPlan(const std::vector<int32_t>& row_set, const std::vector<int32_t>& kept,
              const Heads& heads) {
  const GridPlan plan = PlanGrid(row_set, kept, kTokens, heads);
  const auto at = [&](int32_t row, int head) {
    return static_cast<size_t>(row) * static_cast<size_t>(heads.kv_heads) +
           static_cast<size_t>(head);
  };
  const auto keeps = [&](int32_t row, int head) {
    return kept[at(row_set[static_cast<size_t>(row)], head)];
  };
  std::vector<int> used(static_cast<size_t>(plan.places));  // by how many queries
  std::vector<int> seen(row_set.size() * static_cast<size_t>(heads.q_heads));
  const auto visit = [&](const GridTile& tile, int query) {
    const int32_t row = plan.rows[static_cast<size_t>(query / heads.group())];
    const int head = tile.kv_head * heads.group() + query % heads.group();
    ++seen[static_cast<size_t>(row) * static_cast<size_t>(heads.q_heads) +
           static_cast<size_t>(head)];
    const int place = plan.place[at(row, tile.kv_head)] + query % heads.group();
    ++used[static_cast<size_t>(place)];
    return std::pair(row, place);
  };
  int multiplied = 0;
  for (size_t i = 0; i < plan.dense.size(); ++i) {
    const GridTile& tile = plan.dense[i];
    EXPECT_LE(tile.end - tile.begin, kDenseQueries);
    for (int query = tile.begin; query < tile.end; ++query) {
      const auto [row, place] = visit(tile, query);
      EXPECT_EQ(place, static_cast<int>(i) * kDenseQueries + query - tile.begin);
      EXPECT_GT(2 * keeps(row, tile.kv_head), kTokens);
      ++multiplied;
    }
  }
  for (const GridTile& tile : plan.gathered) {
    EXPECT_LE(tile.end - tile.begin, kGridTileQueries);
    const int32_t first = plan.rows[static_cast<size_t>(tile.begin / heads.group())];
    for (int query = tile.begin; query < tile.end; ++query) {
      const auto [row, place] = visit(tile, query);
      EXPECT_EQ(row_set[static_cast<size_t>(row)], row_set[static_cast<size_t>(first)]);
    }
  }
  for (const int count : seen) EXPECT_EQ(count, 1);
  for (const int count : used) EXPECT_LE(count, 1);
  return multiplied;
}

TEST(GridPlan, EachQueryHasItsTileAndItsPlace) {
  std::mt19937 random(3);
  for (const Heads& heads :
       {Heads{4, 4, 8}, Heads{24, 8, 128}, Heads{40, 1, 6}, Heads{14, 2, 64}}) {
    for (const int rows : {1, 7, 64, 200}) {
      constexpr int kSets = 6;
      std::vector<int32_t> row_set, kept;
      for (int r = 0; r < rows; ++r) row_set.push_back(static_cast<int32_t>(random() % kSets));
      for (int i = 0; i < kSets * heads.kv_heads; ++i) {
        kept.push_back(static_cast<int32_t>(random() % (kTokens + 1)));
      }
      CheckPlan(row_set, kept, heads);
    }
  }
}

TEST(GridPlan, WhatIsMultiplied) {
  const Heads heads = {8, 2, 16};  // 4 queries of a row and KV head
  const auto multiplied = [&](size_t rows, std::vector<int32_t> kept) {
    return CheckPlan(std::vector<int32_t>(rows, 0), kept, heads);
  };
  EXPECT_EQ(multiplied(16, {501, 501}), 16 * 8);
  EXPECT_EQ(multiplied(16, {501, 500}), 16 * 4) << "half is not most";
  EXPECT_EQ(multiplied(15, {1000, 1000}), 0) << "too few queries for a product";
  EXPECT_EQ(multiplied(100, {0, 1000}), 100 * 4);
  EXPECT_EQ(CheckPlan({}, {1000, 1000}, heads), 0);
}

// Plans that are made without a device count on it.
TEST(GridPlan, ScratchMemoryIsPlannedFor) {
  for (const Heads& heads :
       {Heads{4, 4, 8}, Heads{24, 8, 128}, Heads{40, 1, 6}, Heads{32, 8, 256}}) {
    for (const size_t rows : {1u, 16u, 100u, 512u}) {
      for (const int tokens : {1, 511, 2000, 9000, 100000}) {
        for (const int kept : {tokens, tokens / 2}) {
          const std::vector<int32_t> row_set(rows, 0);
          const std::vector<int32_t> lists(static_cast<size_t>(heads.kv_heads), kept);
          const GridPlan plan = PlanGrid(row_set, lists, tokens, heads);
          GridStep step = {};
          step.heads = heads;
          step.rows_count = static_cast<int>(rows);
          step.tokens = tokens;
          step.words = (tokens + kWordTokens - 1) / kWordTokens;
          step.places = plan.places;
          step.dense_count = static_cast<int>(plan.dense.size());
          const LargestStep largest = {.rows = step.rows_count,
                                       .tokens = tokens,
                                       .q_heads = heads.q_heads,
                                       .kv_heads = heads.kv_heads,
                                       .head_dim = heads.dim};
          const int64_t beside = BytesBesideTensors({}) + 3 * 4 * step.rows_count * heads.q_heads;
          EXPECT_LE(static_cast<int64_t>(GridScratchBytes(step)),
                    BytesBesideTensors(largest) - beside)
              << rows << " rows, " << tokens << " tokens, " << kept << " kept";
        }
      }
    }
  }
}

}  // namespace
}  // namespace kvscope::inference::cuda
