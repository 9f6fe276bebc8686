#include "services/orchestrator/store/tag_sums.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

// Means over the answers that define the value: of an answer `a`, or of its keep set, which is the
// passage's (`p`) or the question's own (`c`). The order is that of Summaries.
constexpr const char* kValues[] = {"a.f1",
                                   "a.ger",
                                   "a.ger_layer_mean",
                                   "a.consensus_mean",
                                   "a.agreement_max",
                                   "coalesce(p.eviction_rate, c.eviction_rate)",
                                   "coalesce(p.evicted_share, c.evicted_share)",
                                   "coalesce(1.0 * p.kept_pairs / p.full_pairs,"
                                   " 1.0 * c.kept_pairs / c.full_pairs)"};

std::string Query(const std::vector<Tag>& tags) {
  std::string read, keys, columns, sums;
  for (size_t i = 0; i < tags.size(); ++i) {
    absl::StrAppend(&read, ", e.value ->> '$.", std::string(TagName(tags[i])), "' AS t", i);
    absl::StrAppend(&columns, ", coalesce(q.t", i, ", '')");
    absl::StrAppend(&keys, ", ", 3 + i);
  }
  for (const char* value : kValues) {
    absl::StrAppend(&sums, ", sum(", value, "), count(", value, ")");
  }
  return absl::StrCat(
      "WITH q AS MATERIALIZED (SELECT s.position - ?3 AS passage, e.key AS question", read,
      " FROM passages s, json_each(s.body, '$.questions') e WHERE s.dataset = ?2"
      " AND s.position >= ?3 AND s.position < ?3 + ?4)"
      " SELECT a.press, a.ratio",
      columns, ", count(*), sum(a.exact), sum(a.outcome = 3), sum(a.outcome = 4)", sums,
      " FROM answers a LEFT JOIN q ON q.passage = a.passage AND q.question = a.question"
      " LEFT JOIN cells p ON p.unit = a.unit AND p.passage = a.passage AND p.press = a.press"
      " AND p.ratio = a.ratio AND p.question = -1"
      " LEFT JOIN cells c ON p.unit IS NULL AND c.unit = a.unit AND c.passage = a.passage"
      " AND c.press = a.press AND c.ratio = a.ratio AND c.question = a.question"
      " WHERE a.unit = ?1 AND a.press * ?5 + a.ratio >= ?6 AND a.press * ?5 + a.ratio < ?7"
      " GROUP BY 1, 2",
      keys);
}

// -1, 0, 1: numbers by value and before texts, no tag last.
int Compare(const std::string& a, const std::string& b) {
  if (a == b) return 0;
  if (a.empty() || b.empty()) return a.empty() ? 1 : -1;
  int64_t x = 0, y = 0;
  const bool a_number = absl::SimpleAtoi(a, &x), b_number = absl::SimpleAtoi(b, &y);
  if (a_number && b_number && x != y) return x < y ? -1 : 1;
  if (a_number != b_number) return a_number ? -1 : 1;
  return a < b ? -1 : 1;
}

}  // namespace

std::optional<Tag> TagOf(std::string_view name) {
  const auto found = std::find(std::begin(kTagNames), std::end(kTagNames), name);
  if (found == std::end(kTagNames)) return std::nullopt;
  return static_cast<Tag>(found - std::begin(kTagNames));
}

TagSums::TagSums(std::vector<Tag> tags, const PointRange& points)
    : tags_(std::move(tags)), points_(points), sql_(Query(tags_)) {
  static_assert(std::size(kValues) == kMeans);
}

bool TagSums::Group::operator<(const Group& other) const {
  if (press != other.press) return press < other.press;
  if (ratio != other.ratio) return ratio < other.ratio;
  for (size_t i = 0; i < tags.size(); ++i) {
    if (const int order = Compare(tags[i], other.tags[i]); order != 0) return order < 0;
  }
  return false;
}

absl::Status TagSums::AddUnit(Database& db, int64_t unit, int64_t dataset, int64_t first_passage,
                              int64_t passage_count) {
  Statement select = db.Prepare(sql_);
  select.Bind(unit, dataset, first_passage, passage_count, points_.ratio_count, points_.first,
              points_.end);
  while (true) {
    KVSCOPE_ASSIGN_OR_RETURN(const bool more, select.Step());
    if (!more) return absl::OkStatus();
    Group group{static_cast<int>(select.Int(0)), static_cast<int>(select.Int(1)), {}};
    int column = 2;
    for (size_t i = 0; i < tags_.size(); ++i) group.tags.push_back(select.Text(column++));
    Sums& sums = groups_[std::move(group)];
    for (int64_t* number : {&sums.answers, &sums.exact, &sums.hallucinations, &sums.unknowns}) {
      *number += select.Int(column++);
    }
    for (size_t i = 0; i < kMeans; ++i) {
      sums.sum[i] += select.Real(column++);  // NULL reads as 0
      sums.count[i] += select.Int(column++);
    }
    if (groups_.size() > kMaxGroups) {
      return absl::ResourceExhaustedError(
          absl::StrCat("group_by: the tags part the answers into more than ", kMaxGroups,
                       " groups; ask for fewer tags"));
    }
  }
}

std::vector<CellSummary> TagSums::Summaries() const {
  std::vector<CellSummary> summaries;
  summaries.reserve(groups_.size());
  for (const auto& [group, sums] : groups_) {
    CellSummary& cell = summaries.emplace_back();
    cell.press = group.press;
    cell.ratio = group.ratio;
    cell.tags = group.tags;
    cell.answers = sums.answers;
    const auto answers = static_cast<double>(sums.answers);
    cell.exact = static_cast<double>(sums.exact) / answers;
    cell.hallucination_rate = static_cast<double>(sums.hallucinations) / answers;
    cell.unknown_rate = static_cast<double>(sums.unknowns) / answers;
    std::optional<double>* const means[kMeans] = {&cell.f1,
                                                  &cell.ger,
                                                  &cell.ger_layer_mean,
                                                  &cell.consensus_mean,
                                                  &cell.agreement_max,
                                                  &cell.eviction_rate,
                                                  &cell.evicted_share,
                                                  &cell.kept_ratio};
    for (size_t i = 0; i < kMeans; ++i) {
      if (sums.count[i] > 0) *means[i] = sums.sum[i] / static_cast<double>(sums.count[i]);
    }
    cell.ger_count = sums.count[1];
  }
  return summaries;
}

}  // namespace kvscope::orchestrator
