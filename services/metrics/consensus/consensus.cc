#include "services/metrics/consensus/consensus.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace kvscope::metrics {
namespace {

// A mean that is null until something was added.
class Mean {
 public:
  void Add(double value) {
    sum_ += value;
    ++count_;
  }
  std::optional<double> value() const {
    if (count_ == 0) return std::nullopt;
    return sum_ / static_cast<double>(count_);
  }

 private:
  double sum_ = 0;
  int64_t count_ = 0;
};

struct RowCounts {
  int distinct = 0;
  int largest = 0;  // heads that share the most popular token
};

// Sorts `ids` in place.
RowCounts Count(std::span<int32_t> ids) {
  std::sort(ids.begin(), ids.end());
  RowCounts counts;
  for (size_t begin = 0; begin < ids.size();) {
    size_t end = begin + 1;
    while (end < ids.size() && ids[end] == ids[begin]) ++end;
    if (ids[begin] >= 0) {
      ++counts.distinct;
      counts.largest = std::max(counts.largest, static_cast<int>(end - begin));
    }
    begin = end;
  }
  return counts;
}

absl::Status Check(const TopTokens& top) {
  const auto wrong = [&top](std::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("top tokens [steps ", top.steps, ", layers ",
                                                   top.layers, ", q_heads ", top.q_heads, "] ",
                                                   absl::string_view(what.data(), what.size())));
  };
  if (top.steps < 0 || top.layers < 0 || top.q_heads < 0) return wrong("has a negative dimension");
  if (top.steps > 0 && (top.layers == 0 || top.q_heads == 0)) return wrong("has an empty step");
  // Bounded by the ids that are there before it is multiplied out.
  const auto size = static_cast<int64_t>(top.ids.size());
  const int64_t row = int64_t{top.layers} * top.q_heads;
  const bool fits = top.steps == 0 ? size == 0 : size % row == 0 && size / row == top.steps;
  if (!fits) return wrong(absl::StrCat("does not match its ", size, " ids"));
  for (const int32_t id : top.ids) {
    if (id < -1) return wrong(absl::StrCat("has the id ", id, "; ids start at 0, -1 means none"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ConsensusMetrics> MeasureConsensus(const TopTokens& top) {
  if (absl::Status status = Check(top); !status.ok()) return status;
  if (top.steps == 0) return ConsensusMetrics();

  std::vector<Mean> consensus_layer(top.layers), agreement_layer(top.layers);
  Mean consensus_mean, agreement_max;
  std::vector<int32_t> row(top.q_heads);
  for (int step = 0; step < top.steps; ++step) {
    Mean step_consensus;
    double step_agreement = 0;
    for (int layer = 0; layer < top.layers; ++layer) {
      const auto ids = top.ids.subspan(
          (static_cast<size_t>(step) * top.layers + layer) * top.q_heads, top.q_heads);
      std::copy(ids.begin(), ids.end(), row.begin());
      const RowCounts counts = Count(row);
      if (counts.distinct == 0) continue;
      const double consensus = static_cast<double>(counts.distinct) / top.q_heads;
      const double agreement = static_cast<double>(counts.largest) / top.q_heads;
      consensus_layer[layer].Add(consensus);
      agreement_layer[layer].Add(agreement);
      step_consensus.Add(consensus);
      step_agreement = std::max(step_agreement, agreement);
    }
    if (const std::optional<double> mean = step_consensus.value()) {
      consensus_mean.Add(*mean);
      agreement_max.Add(step_agreement);
    }
  }

  ConsensusMetrics metrics;
  for (int layer = 0; layer < top.layers; ++layer) {
    metrics.consensus_layer.push_back(consensus_layer[layer].value());
    metrics.agreement_layer.push_back(agreement_layer[layer].value());
  }
  metrics.consensus_mean = consensus_mean.value();
  metrics.agreement_max = agreement_max.value();
  return metrics;
}

}  // namespace kvscope::metrics
