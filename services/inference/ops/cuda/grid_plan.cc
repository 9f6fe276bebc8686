#include "services/inference/ops/cuda/grid_plan.h"

#include <algorithm>
#include <numeric>

#include "services/inference/ops/cuda/scratch.h"

namespace kvscope::inference::cuda {
namespace {

class Planner {
 public:
  Planner(std::span<const int32_t> row_set, std::span<const int32_t> kept, int64_t tokens,
          const Heads& heads)
      : row_set_(row_set), kept_(kept), tokens_(tokens), heads_(heads), by_set_(row_set.size()) {
    std::iota(by_set_.begin(), by_set_.end(), 0);
    std::stable_sort(by_set_.begin(), by_set_.end(),
                     [&](int32_t a, int32_t b) { return Set(a) < Set(b); });
  }

  GridPlan Plan() {
    plan_.rows = by_set_;
    plan_.place.resize(row_set_.size() * static_cast<size_t>(heads_.kv_heads));
    std::vector<bool> multiplies(static_cast<size_t>(heads_.kv_heads));  // it has dense rows
    for (int head = 0; head < heads_.kv_heads; ++head) {
      multiplies[static_cast<size_t>(head)] = AddDense(head);
    }
    for (int head = 0; head < heads_.kv_heads; ++head) {
      AddGathered(head, multiplies[static_cast<size_t>(head)]);
    }
    return std::move(plan_);
  }

 private:
  int32_t Set(int32_t row) const { return row_set_[static_cast<size_t>(row)]; }
  bool KeepsMost(int32_t row, int head) const {
    const auto list = static_cast<size_t>(Set(row)) * static_cast<size_t>(heads_.kv_heads) +
                      static_cast<size_t>(head);
    return 2 * int64_t{kept_[list]} > tokens_;
  }
  void Place(int32_t row, int head, int place) {
    plan_.place[static_cast<size_t>(row) * static_cast<size_t>(heads_.kv_heads) +
                static_cast<size_t>(head)] = place;
  }

  bool AddDense(int head) {
    const auto count = std::count_if(by_set_.begin(), by_set_.end(),
                                     [&](int32_t row) { return KeepsMost(row, head); });
    const int queries = static_cast<int>(count) * heads_.group();
    if (queries < kLeastDenseQueries) return false;
    const int begin = static_cast<int>(plan_.rows.size()) * heads_.group();
    int place = plan_.places;
    for (const int32_t row : by_set_) {
      if (!KeepsMost(row, head)) continue;
      plan_.rows.push_back(row);
      Place(row, head, place);
      place += heads_.group();
    }
    for (int query = 0; query < queries; query += kDenseQueries) {
      const int end = std::min(query + kDenseQueries, queries);
      plan_.dense.push_back({head, begin + query, begin + end});
      plan_.places += kDenseQueries;
    }
    return true;
  }

  // Rows in the order of their keep set, cut where it changes.
  void AddGathered(int head, bool multiplies) {
    const int group = heads_.group(), rows = static_cast<int>(by_set_.size());
    const auto row_at = [&](int i) { return by_set_[static_cast<size_t>(i)]; };
    for (int begin = 0, end = 0; begin < rows; begin = end) {
      const int32_t first = row_at(begin);
      while (end < rows && Set(row_at(end)) == Set(first)) ++end;
      if (multiplies && KeepsMost(first, head)) continue;
      for (int i = begin; i < end; ++i) {
        Place(row_at(i), head, plan_.places);
        plan_.places += group;
      }
      for (int query = begin * group; query < end * group; query += kGridTileQueries) {
        plan_.gathered.push_back({head, query, std::min(query + kGridTileQueries, end * group)});
      }
    }
  }

  const std::span<const int32_t> row_set_, kept_;
  const int64_t tokens_;
  const Heads heads_;
  std::vector<int32_t> by_set_;
  GridPlan plan_;
};

}  // namespace

GridPlan PlanGrid(std::span<const int32_t> row_set, std::span<const int32_t> kept, int64_t tokens,
                  const Heads& heads) {
  return Planner(row_set, kept, tokens, heads).Plan();
}

}  // namespace kvscope::inference::cuda
