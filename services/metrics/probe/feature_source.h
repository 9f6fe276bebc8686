// Where a probe's features come from: rows of float32 that are read block by block, so that they
// need not fit in memory.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kvscope::metrics {

class FeatureSource {
 public:
  virtual ~FeatureSource() = default;
  virtual int64_t rows() const = 0;
  virtual int64_t width() const = 0;  // features a row
  // Copies rows [first, first + count) to `out`, [count, width]. May be called by several threads
  // at once. Errors: Unavailable, with the file and the reason. Rows that are not there are a bug.
  virtual absl::Status Read(int64_t first, int64_t count, float* out) const = 0;
};

// Features in memory, [rows, width].
class FeatureMatrix final : public FeatureSource {
 public:
  // `values` has a multiple of `width` numbers; anything else is a bug (CHECK).
  FeatureMatrix(std::vector<float> values, int64_t width);
  // Reads all of `source`.
  static absl::StatusOr<FeatureMatrix> Load(const FeatureSource& source);

  int64_t rows() const override { return static_cast<int64_t>(values_.size()) / width_; }
  int64_t width() const override { return width_; }
  absl::Status Read(int64_t first, int64_t count, float* out) const override;

 private:
  std::vector<float> values_;
  int64_t width_;
};

// Some rows of another source, in the order of `rows`. Does not own the source or the list.
class SelectedRows final : public FeatureSource {
 public:
  SelectedRows(const FeatureSource& source, std::span<const int64_t> rows)
      : source_(source), rows_(rows) {}

  int64_t rows() const override { return static_cast<int64_t>(rows_.size()); }
  int64_t width() const override { return source_.width(); }
  absl::Status Read(int64_t first, int64_t count, float* out) const override;

 private:
  const FeatureSource& source_;
  std::span<const int64_t> rows_;
};

}  // namespace kvscope::metrics
