#include "services/inference/ops/rows_by_set.h"

#include <algorithm>
#include <numeric>

namespace kvscope::inference {

RowsBySet::RowsBySet(std::span<const int32_t> row_set) : rows_(row_set.size()) {
  const auto set_of = [&](int32_t row) { return row_set[static_cast<size_t>(row)]; };
  std::iota(rows_.begin(), rows_.end(), 0);
  std::stable_sort(rows_.begin(), rows_.end(),
                   [&](int32_t a, int32_t b) { return set_of(a) < set_of(b); });
  for (size_t i = 0; i < rows_.size(); ++i) {
    const int32_t set = set_of(rows_[i]);
    if (runs_.empty() || runs_.back().set != set) runs_.push_back({set, i, i});
    ++runs_.back().end;
  }
}

}  // namespace kvscope::inference
