// TagSums: a cell's answers, parted by their questions' tags and added up.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
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
// a unit costs is its own answers. Memory: one row a (press, ratio, tags).
class TagSums {
 public:
  TagSums(std::vector<Tag> tags, const PointRange& points);

  // Of the done unit `unit`, whose passages are [first_passage, first_passage + passage_count) of
  // the data set. ResourceExhausted beyond kMaxGroups rows.
  absl::Status AddUnit(Database& db, int64_t unit, int64_t dataset, int64_t first_passage,
                       int64_t passage_count);
  static constexpr size_t kMaxGroups = 400'000;

  // By press, ratio, then tags: numbers by value, texts by their bytes, no tag last.
  std::vector<CellSummary> Summaries() const;

 private:
  static constexpr size_t kMeans = 8;
  struct Group {
    int press = 0;
    int ratio = 0;
    std::vector<std::string> tags;  // as tags_

    bool operator<(const Group& other) const;
  };
  struct Sums {
    int64_t answers = 0, exact = 0, hallucinations = 0, unknowns = 0;
    std::array<double, kMeans> sum = {};
    std::array<int64_t, kMeans> count = {};
  };

  const std::vector<Tag> tags_;
  const PointRange points_;
  const std::string sql_;
  std::map<Group, Sums> groups_;
};

}  // namespace kvscope::orchestrator
