// One unit's pooled hidden states in a file: written row by row, read without loading it.
//
// Layout, little-endian:
//   magic "KVSPROB1"; u32 width, layers; u32 layer[layers]; zeros up to a multiple of 64
//   float32 features [rows, layers, width]
//   u32 cells;    per cell u32 press_index, ratio_index
//   u32 passages; per passage u32 bytes and its id
//   u32 labels;   per label u32 bytes and its text
//   per row u32 cell, passage (of the lists above), question_index, label
//   u64 offset of what follows the features; u64 rows; magic "KVSPEND1"
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kvscope::metrics {

inline constexpr int kMaxProbeWidth = 1 << 20;
inline constexpr int kMaxProbeLayers = 1 << 12;

// A press and a ratio, as positions in the unit's lists.
struct ProbeCell {
  int press_index = 0;
  int ratio_index = 0;
  auto operator<=>(const ProbeCell&) const = default;
};

// What every row of a unit has in common.
struct FeatureShape {
  int width = 0;            // hidden size, in [1, kMaxProbeWidth]
  std::vector<int> layers;  // the probed ones, ascending, at least 0; at most kMaxProbeLayers

  bool operator==(const FeatureShape&) const = default;
  int64_t row_floats() const { return static_cast<int64_t>(layers.size()) * width; }
};

// Errors: InvalidArgument, naming what is out of its range.
absl::Status CheckShape(const FeatureShape& shape);

// A row's position in UnitFeatures' lists.
struct FeatureIndex {
  uint32_t cell = 0;
  uint32_t passage = 0;
  uint32_t question_index = 0;
  uint32_t label = 0;
};

// A unit's rows as stored. The lists are in memory, the features stay in the file, which is open as
// long as this lives, even if it is replaced or removed.
class UnitFeatures {
 public:
  // Any bytes are safe. Errors: NotFound; InvalidArgument naming the file and what is wrong in it;
  // Unavailable with the system's reason.
  static absl::StatusOr<std::shared_ptr<const UnitFeatures>> Open(
      const std::filesystem::path& path);
  ~UnitFeatures();
  UnitFeatures(const UnitFeatures&) = delete;
  UnitFeatures& operator=(const UnitFeatures&) = delete;

  const std::filesystem::path& path() const { return path_; }
  const FeatureShape& shape() const { return shape_; }
  std::span<const ProbeCell> cells() const { return cells_; }
  std::span<const std::string> passages() const { return passages_; }
  // The gold answer's concept tag; empty: not tagged.
  std::span<const std::string> labels() const { return labels_; }
  std::span<const FeatureIndex> rows() const { return rows_; }

  // Copies `layer_count` layers of a row, from position `first_layer` of shape().layers on, to
  // `out`, [layer_count, width]. Any thread. Errors: Unavailable.
  absl::Status Read(int64_t row, int first_layer, int layer_count, float* out) const;

 private:
  friend class FeatureFileReader;
  UnitFeatures() = default;

  std::filesystem::path path_;
  int descriptor_ = -1;
  int64_t features_offset_ = 0;
  FeatureShape shape_;
  std::vector<ProbeCell> cells_;
  std::vector<std::string> passages_;
  std::vector<std::string> labels_;
  std::vector<FeatureIndex> rows_;
};

}  // namespace kvscope::metrics
