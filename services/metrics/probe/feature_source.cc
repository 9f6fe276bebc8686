#include "services/metrics/probe/feature_source.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "services/status_macros.h"

namespace kvscope::metrics {

FeatureMatrix::FeatureMatrix(std::vector<float> values, int64_t width)
    : values_(std::move(values)), width_(width) {
  assert(width > 0 && static_cast<int64_t>(values_.size()) % width == 0);
}

absl::StatusOr<FeatureMatrix> FeatureMatrix::Load(const FeatureSource& source) {
  std::vector<float> values(static_cast<size_t>(source.rows() * source.width()));
  KVSCOPE_RETURN_IF_ERROR(source.Read(0, source.rows(), values.data()));
  return FeatureMatrix(std::move(values), source.width());
}

absl::Status FeatureMatrix::Read(int64_t first, int64_t count, float* out) const {
  std::copy_n(values_.data() + first * width_, count * width_, out);
  return absl::OkStatus();
}

absl::Status SelectedRows::Read(int64_t first, int64_t count, float* out) const {
  for (int64_t i = first; i < first + count;) {
    int64_t run = 1;  // neighbours in the source are read at once
    while (i + run < first + count && rows_[i + run] == rows_[i] + run) ++run;
    KVSCOPE_RETURN_IF_ERROR(source_.Read(rows_[i], run, out));
    out += run * width();
    i += run;
  }
  return absl::OkStatus();
}

}  // namespace kvscope::metrics
