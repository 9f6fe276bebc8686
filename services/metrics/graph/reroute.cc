#include "services/metrics/graph/reroute.h"

#include <algorithm>
#include <span>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace kvscope::metrics {
namespace {

absl::Status Check(const TopTokens& top, const KeepBits& keep) {
  if (top.steps != 1 || top.layers != keep.layers() || top.q_heads < 1 ||
      top.q_heads % keep.kv_heads() != 0 || top.ids.size() % top.layers != 0 ||
      top.ids.size() / top.layers != static_cast<size_t>(top.q_heads)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "top tokens [steps ", top.steps, ", layers ", top.layers, ", q_heads ", top.q_heads,
        "] of ", top.ids.size(), " ids were found, but one row is wanted that fits ", keep.layers(),
        " layers of ", keep.kv_heads(), " KV heads"));
  }
  for (const int32_t id : top.ids) {
    if (id < -1 || id >= keep.tokens()) {
      return absl::InvalidArgumentError(absl::StrCat("top tokens: id ", id, " was found, but [-1, ",
                                                     keep.tokens() - 1, "] is allowed"));
    }
  }
  return absl::OkStatus();
}

// The id that most of `ids` are; of equally many the smallest. -1 if all are -1.
int32_t MostCommon(std::span<const int32_t> ids, std::vector<int32_t>& sorted) {
  sorted.assign(ids.begin(), ids.end());
  std::sort(sorted.begin(), sorted.end());
  int32_t best = -1;
  std::ptrdiff_t best_count = 0;
  for (auto at = std::upper_bound(sorted.begin(), sorted.end(), -1); at != sorted.end();) {
    const auto next = std::upper_bound(at, sorted.end(), *at);
    if (next - at > best_count) {
      best = *at;
      best_count = next - at;
    }
    at = next;
  }
  return best;
}

}  // namespace

absl::StatusOr<std::vector<std::optional<LayerReroute>>> MeasureReroute(const TopTokens& top,
                                                                        const KeepBits& keep) {
  std::vector<std::optional<LayerReroute>> layers;
  if (top.steps == 0 && top.ids.empty()) return layers;
  if (absl::Status status = Check(top, keep); !status.ok()) return status;
  const int group = top.q_heads / keep.kv_heads();
  std::vector<int32_t> sorted;
  for (int layer = 0; layer < top.layers; ++layer) {
    const auto ids = top.ids.subspan(static_cast<size_t>(layer) * top.q_heads, top.q_heads);
    const int32_t token = MostCommon(ids, sorted);
    if (token < 0) {
      layers.emplace_back(std::nullopt);
      continue;
    }
    int agree = 0, agree_lost = 0, lost = 0;
    for (int head = 0; head < top.q_heads; ++head) {
      if (ids[head] < 0) continue;
      const bool gone = !keep.kept(layer, head / group, ids[head]);
      lost += gone;
      agree += ids[head] == token;
      agree_lost += gone && ids[head] == token;
    }
    const double heads = top.q_heads;
    layers.push_back(LayerReroute{.consensus_token = token,
                                  .rho = agree / heads,
                                  .must_reroute = agree_lost / heads,
                                  .lost_top = lost / heads});
  }
  return layers;
}

}  // namespace kvscope::metrics
