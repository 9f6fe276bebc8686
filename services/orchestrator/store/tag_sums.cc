#include "services/orchestrator/store/tag_sums.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

// Where the means of an answer's keep set begin, after those of the answer itself.
constexpr size_t kCellMeans = 5;

// The cells of a unit, read alongside its answers: both come by passage, press and ratio.
class CellReader {
 public:
  CellReader(Database& db, int64_t unit)
      : select_(db.Prepare("SELECT passage, press, ratio, question, eviction_rate, evicted_share,"
                           " kept_pairs, full_pairs FROM cells WHERE unit = ?1"
                           " ORDER BY passage, press, ratio, question")) {
    select_.Bind(unit);
  }

  struct Cell {
    RowPlace place;
    std::optional<double> eviction_rate, evicted_share, kept_ratio;
  };

  // The keep set that the answer was given through: the passage's, else the question's own; null
  // if there is none. Answers must come in order.
  absl::StatusOr<const Cell*> Of(const RowPlace& answer) {
    if (Point(answer) != point_) KVSCOPE_RETURN_IF_ERROR(MoveTo(Point(answer)));
    for (const Cell& cell : cells_) {
      if (cell.place.question == -1 || cell.place.question == answer.question) return &cell;
    }
    return nullptr;
  }

 private:
  using PointKey = std::array<int32_t, 3>;
  static PointKey Point(const RowPlace& place) { return {place.passage, place.press, place.ratio}; }

  absl::Status MoveTo(const PointKey& point) {
    point_ = point;
    cells_.clear();
    while (true) {
      if (!ready_) {
        if (ended_) return absl::OkStatus();
        KVSCOPE_ASSIGN_OR_RETURN(ready_, select_.Step());
        ended_ = !ready_;
        continue;
      }
      const RowPlace place = {
          static_cast<int32_t>(select_.Int(0)), static_cast<int32_t>(select_.Int(1)),
          static_cast<int32_t>(select_.Int(2)), static_cast<int32_t>(select_.Int(3))};
      if (Point(place) > point) return absl::OkStatus();  // the next one's
      if (Point(place) == point) Keep(place);
      ready_ = false;
    }
  }

  void Keep(const RowPlace& place) {
    Cell& cell = cells_.emplace_back();
    cell = {place, select_.OptionalReal(4), select_.OptionalReal(5), std::nullopt};
    if (const int64_t pairs = select_.Int(7); pairs > 0) {
      cell.kept_ratio = static_cast<double>(select_.Int(6)) / static_cast<double>(pairs);
    }
  }

  Statement select_;
  bool ready_ = false;  // a row was stepped to that is not taken yet
  bool ended_ = false;
  PointKey point_ = {-1, -1, -1};
  std::vector<Cell> cells_;  // of point_
};

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
    : tags_(std::move(tags)), points_(points) {}

bool TagSums::TagOrder::operator()(const std::vector<std::string>& a,
                                   const std::vector<std::string>& b) const {
  for (size_t i = 0; i < a.size(); ++i) {
    if (const int order = Compare(a[i], b[i]); order != 0) return order < 0;
  }
  return false;
}

void TagSums::Sums::Add(size_t mean, const std::optional<double>& value) {
  if (!value) return;
  sum[mean] += *value;
  ++count[mean];
}

absl::StatusOr<TagSums::OfPoints*> TagSums::SumsOf(const std::vector<std::string>& tags) {
  const auto points = static_cast<size_t>(points_.end - points_.first);
  OfPoints& sums = groups_[tags];
  sums.resize(points);
  if (groups_.size() * points <= kMaxGroups) return &sums;
  return absl::ResourceExhaustedError(
      absl::StrCat("group_by: ", groups_.size(), " different tags at ", points,
                   " points are more than ", kMaxGroups, " groups; ask for fewer tags"));
}

// A question that the passage's JSON lacks has no tags.
absl::StatusOr<TagSums::OfPoints*> TagSums::SumsOf(int64_t passage, int64_t question) {
  if (passage < static_cast<int64_t>(of_question_.size())) {
    const std::vector<OfPoints*>& of_passage = of_question_[static_cast<size_t>(passage)];
    if (question < static_cast<int64_t>(of_passage.size())) {
      return of_passage[static_cast<size_t>(question)];
    }
  }
  return SumsOf(std::vector<std::string>(tags_.size()));
}

absl::Status TagSums::ReadTags(Database& db, int64_t dataset, int64_t first_passage,
                               int64_t passage_count) {
  std::string columns;
  for (const Tag tag : tags_) {
    absl::StrAppend(&columns, ", coalesce(e.value ->> '$.", std::string(TagName(tag)), "', '')");
  }
  Statement select = db.Prepare(
      absl::StrCat("SELECT s.position - ?2", columns,
                   " FROM passages s, json_each(s.body, '$.questions') e WHERE s.dataset = ?1"
                   " AND s.position >= ?2 AND s.position < ?2 + ?3 ORDER BY s.position, e.key"));
  select.Bind(dataset, first_passage, passage_count);
  of_question_.assign(static_cast<size_t>(passage_count), {});
  std::vector<std::string> tags(tags_.size());
  while (true) {
    KVSCOPE_ASSIGN_OR_RETURN(const bool more, select.Step());
    if (!more) return absl::OkStatus();
    for (size_t i = 0; i < tags.size(); ++i) tags[i] = select.Text(static_cast<int>(i) + 1);
    KVSCOPE_ASSIGN_OR_RETURN(OfPoints* const sums, SumsOf(tags));
    of_question_[static_cast<size_t>(select.Int(0))].push_back(sums);
  }
}

absl::Status TagSums::AddUnit(Database& db, int64_t unit, int64_t dataset, int64_t first_passage,
                              int64_t passage_count) {
  KVSCOPE_RETURN_IF_ERROR(ReadTags(db, dataset, first_passage, passage_count));
  CellReader cells(db, unit);
  Statement select = db.Prepare(
      "SELECT passage, press, ratio, question, exact, outcome, f1, ger, ger_layer_mean,"
      " consensus_mean, agreement_max FROM answers WHERE unit = ?1"
      " ORDER BY passage, press, ratio, question");
  select.Bind(unit);
  while (true) {
    KVSCOPE_ASSIGN_OR_RETURN(const bool more, select.Step());
    if (!more) return absl::OkStatus();
    const int64_t point = select.Int(1) * points_.ratio_count + select.Int(2);
    if (point < points_.first || point >= points_.end) continue;
    const RowPlace place = {
        static_cast<int32_t>(select.Int(0)), static_cast<int32_t>(select.Int(1)),
        static_cast<int32_t>(select.Int(2)), static_cast<int32_t>(select.Int(3))};
    KVSCOPE_ASSIGN_OR_RETURN(OfPoints* const of_points, SumsOf(place.passage, place.question));
    Sums& sums = (*of_points)[static_cast<size_t>(point - points_.first)];
    ++sums.answers;
    sums.exact += select.Int(4);
    sums.hallucinations += select.Int(5) == 3;
    sums.unknowns += select.Int(5) == 4;
    for (size_t i = 0; i < kCellMeans; ++i) {
      sums.Add(i, select.OptionalReal(6 + static_cast<int>(i)));
    }
    KVSCOPE_ASSIGN_OR_RETURN(const CellReader::Cell* const cell, cells.Of(place));
    if (cell == nullptr) continue;
    sums.Add(kCellMeans, cell->eviction_rate);
    sums.Add(kCellMeans + 1, cell->evicted_share);
    sums.Add(kCellMeans + 2, cell->kept_ratio);
  }
}

std::vector<CellSummary> TagSums::Summaries() const {
  std::vector<CellSummary> summaries;
  for (int64_t point = points_.first; point < points_.end; ++point) {
    for (const auto& [tags, of_points] : groups_) {
      const Sums& sums = of_points[static_cast<size_t>(point - points_.first)];
      if (sums.answers == 0) continue;
      CellSummary& cell = summaries.emplace_back();
      cell.press = static_cast<int>(point / points_.ratio_count);
      cell.ratio = static_cast<int>(point % points_.ratio_count);
      cell.tags = tags;
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
  }
  return summaries;
}

}  // namespace kvscope::orchestrator
