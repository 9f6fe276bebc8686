// TagSums: a cell's answers, parted by their questions' tags and added up.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/orchestrator/store/database.h"
#include "services/orchestrator/store/records.h"

namespace kvscope::orchestrator {

// Calls for a slice's points in turns, for there may be many: press * ratio_count + ratio in
// [first, end).
struct PointRange {
  int ratio_count = 1;
  int64_t first = 0;
  int64_t end = 0;
};

// Adds up unit by unit and reads the tags out of the passages' JSON: tags need no column, and what
// a unit costs is its own answers, each read once. Memory: the sums of the points asked for, for
// each combination of tags that occurs, and one unit's tags.
class TagSums {
 public:
  TagSums(std::vector<Tag> tags, const PointRange& points);

  // Of the done unit `unit`, whose passages are [first_passage, first_passage + passage_count) of
  // the data set. ResourceExhausted where points times combinations are more than kMaxGroups.
  absl::Status AddUnit(Database& db, int64_t unit, int64_t dataset, int64_t first_passage,
                       int64_t passage_count);
  static constexpr size_t kMaxGroups = 400'000;

  // By press, ratio, then tags: numbers by value, texts by their bytes, no tag last.
  std::vector<CellSummary> Summaries() const;

 private:
  static constexpr size_t kMeans = 8;
  struct Sums {
    int64_t answers = 0, exact = 0, hallucinations = 0, unknowns = 0;
    std::array<double, kMeans> sum = {};
    std::array<int64_t, kMeans> count = {};

    void Add(size_t mean, const std::optional<double>& value);
  };
  struct TagOrder {
    bool operator()(const std::vector<std::string>& a, const std::vector<std::string>& b) const;
  };
  using OfPoints = std::vector<Sums>;  // [points_.end - points_.first]

  absl::Status ReadTags(Database& db, int64_t dataset, int64_t first_passage,
                        int64_t passage_count);
  absl::StatusOr<OfPoints*> SumsOf(const std::vector<std::string>& tags);
  absl::StatusOr<OfPoints*> SumsOf(int64_t passage, int64_t question);

  const std::vector<Tag> tags_;
  const PointRange points_;
  std::map<std::vector<std::string>, OfPoints, TagOrder> groups_;
  std::vector<std::vector<OfPoints*>> of_question_;  // of the unit: [passage][question]
};

}  // namespace kvscope::orchestrator
