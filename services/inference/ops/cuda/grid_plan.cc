#include "services/inference/ops/cuda/grid_plan.h"

#include <algorithm>
#include <utility>

#include "services/inference/ops/cuda/scratch.h"
#include "services/inference/ops/rows_by_set.h"

namespace kvscope::inference::cuda {
namespace {

class Planner {
 public:
  Planner(std::span<const int32_t> row_set, std::span<const int32_t> kept, int64_t tokens,
          const Heads& heads)
      : kept_(kept), tokens_(tokens), heads_(heads), by_set_(row_set) {
    plan_.rows = by_set_.rows();
    plan_.place.resize(row_set.size() * static_cast<size_t>(heads_.kv_heads));
  }

  GridPlan Plan() {
    std::vector<bool> multiplies(static_cast<size_t>(heads_.kv_heads));  // its dense rows
    for (int head = 0; head < heads_.kv_heads; ++head) {
      multiplies[static_cast<size_t>(head)] = AddDense(head);
    }
    for (int head = 0; head < heads_.kv_heads; ++head) {
      for (const SetRun& run : by_set_.runs()) {
        if (multiplies[static_cast<size_t>(head)] && KeepsMost(run, head)) continue;
        AddGathered(run, head);
      }
    }
    return std::move(plan_);
  }

 private:
  size_t At(int32_t row_or_set, int head) const {
    return static_cast<size_t>(row_or_set) * static_cast<size_t>(heads_.kv_heads) +
           static_cast<size_t>(head);
  }
  bool KeepsMost(const SetRun& run, int head) const {
    return 2 * int64_t{kept_[At(run.set, head)]} > tokens_;
  }
  // Gives the rows' queries places one after the other, from `place` on.
  int Place(std::span<const int32_t> rows, int head, int place) {
    for (const int32_t row : rows) {
      plan_.place[At(row, head)] = place;
      place += heads_.group();
    }
    return place;
  }
  // Cuts queries [begin, end) of `plan_.rows` into tiles.
  void Cut(int head, int begin, int end, int most, std::vector<GridTile>& tiles) {
    for (; begin < end; begin += most) {
      tiles.push_back({head, begin, std::min(begin + most, end)});
    }
  }

  // Nothing if there are too few of them.
  bool AddDense(int head) {
    std::vector<int32_t> rows;
    for (const SetRun& run : by_set_.runs()) {
      if (!KeepsMost(run, head)) continue;
      const std::span<const int32_t> more = by_set_.rows(run);
      rows.insert(rows.end(), more.begin(), more.end());
    }
    const int queries = static_cast<int>(rows.size()) * heads_.group();
    if (queries < kLeastDenseQueries) return false;
    const int begin = static_cast<int>(plan_.rows.size()) * heads_.group();
    plan_.rows.insert(plan_.rows.end(), rows.begin(), rows.end());
    Place(rows, head, plan_.places);
    Cut(head, begin, begin + queries, kDenseQueries, plan_.dense);
    plan_.places = static_cast<int>(plan_.dense.size()) * kDenseQueries;
    return true;
  }

  void AddGathered(const SetRun& run, int head) {
    const int group = heads_.group();
    plan_.places = Place(by_set_.rows(run), head, plan_.places);
    Cut(head, static_cast<int>(run.begin) * group, static_cast<int>(run.end) * group,
        kGridTileQueries, plan_.gathered);
  }

  const std::span<const int32_t> kept_;
  const int64_t tokens_;
  const Heads heads_;
  const RowsBySet by_set_;
  GridPlan plan_;
};

}  // namespace

GridPlan PlanGrid(std::span<const int32_t> row_set, std::span<const int32_t> kept, int64_t tokens,
                  const Heads& heads) {
  return Planner(row_set, kept, tokens, heads).Plan();
}

}  // namespace kvscope::inference::cuda
