// Writes one unit's pooled hidden states. The file appears under its name when it is complete.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/metrics/probe/feature_file.h"

namespace kvscope::metrics {

// What a row belongs to.
struct FeatureRow {
  ProbeCell cell;
  std::string_view passage_id;
  int question_index = 0;
  std::string_view label;  // the gold answer's concept tag; empty: not tagged
};

// Partly written files end in this. Their writer holds a lock on them (flock).
inline constexpr std::string_view kPartSuffix = ".part";

class FeatureWriter {
 public:
  // Begins PATH.N.part beside `path`. Errors: InvalidArgument (the shape), Unavailable.
  static absl::StatusOr<std::unique_ptr<FeatureWriter>> Open(std::filesystem::path path,
                                                             FeatureShape shape);
  ~FeatureWriter();  // what was not committed leaves nothing
  FeatureWriter(const FeatureWriter&) = delete;
  FeatureWriter& operator=(const FeatureWriter&) = delete;

  // `features` is [layers, width]. Errors: InvalidArgument (another length, a negative index, more
  // than 2^32 - 1 rows), Unavailable (a full disk); after one, Commit() fails too.
  absl::Status Add(const FeatureRow& row, std::span<const float> features);

  // Completes the file, syncs it and renames it to its path, in place of one that was there.
  // Nothing may follow. Errors: Unavailable; FailedPrecondition after an error of Add().
  absl::Status Commit();

 private:
  // Texts in the order in which they first came.
  struct Names {
    std::map<std::string, uint32_t, std::less<>> index;
    std::vector<const std::string*> order;
    uint32_t Find(std::string_view name);
  };

  FeatureWriter(std::filesystem::path path, FeatureShape shape)
      : path_(std::move(path)), shape_(std::move(shape)) {}
  absl::Status OpenPart();
  absl::Status CheckRow(const FeatureRow& row, std::span<const float> features) const;
  void AppendHead();
  void AppendLists();
  absl::Status Flush();
  absl::Status Failed(const char* doing) const;

  std::filesystem::path path_;
  std::filesystem::path part_;
  FeatureShape shape_;
  int descriptor_ = -1;
  bool broken_ = false;
  std::string buffer_;
  std::map<ProbeCell, uint32_t> cells_;
  std::vector<ProbeCell> cell_order_;
  Names passages_;
  Names labels_;
  std::vector<FeatureIndex> rows_;
};

}  // namespace kvscope::metrics
