#include "services/inference/engine/keep.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inference/presses/apply.h"

namespace kvscope::inference {

absl::StatusOr<GridKeepSets> CutKeepSets(std::span<const Press> presses,
                                         std::span<const double> ratios, const GridScores& scores) {
  GridKeepSets sets;
  sets.set_of_cell.reserve(presses.size() * ratios.size());
  for (size_t p = 0; p < presses.size(); ++p) {
    for (const double ratio : ratios) {
      KeepSet kept = Keep(presses[p], scores.of(p), ratio);
      if (kept.kept_count() == 0) {
        return absl::InternalError(absl::StrCat("press `", presses[p].expression, "` at ratio ",
                                                ratio, " left the cache empty"));
      }
      const auto known = std::find(sets.distinct.begin(), sets.distinct.end(), kept);
      sets.set_of_cell.push_back(static_cast<size_t>(known - sets.distinct.begin()));
      if (known == sets.distinct.end()) sets.distinct.push_back(std::move(kept));
    }
  }
  return sets;
}

}  // namespace kvscope::inference
