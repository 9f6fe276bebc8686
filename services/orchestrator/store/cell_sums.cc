#include "services/orchestrator/store/cell_sums.h"

#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "services/orchestrator/store/vector_sum.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

class Sum {
 public:
  void Add(double value) {
    if (std::isnan(value)) return;
    sum_ += value;
    ++count_;
  }
  void Add(const std::optional<double>& value) {
    if (value) Add(*value);
  }
  std::optional<double> sum() const { return count_ > 0 ? std::optional(sum_) : std::nullopt; }
  int64_t count() const { return count_; }

 private:
  double sum_ = 0;
  int64_t count_ = 0;
};

struct Sums {
  int64_t answers = 0, exact = 0, hallucinations = 0, unknowns = 0;
  Sum f1, ger, ger_layer, eviction, evicted, consensus, agreement, kept;
  VectorSum consensus_layer, agreement_layer, ger_layers, eviction_rate_layer, evicted_share_layer;
};

using Place = std::array<int32_t, 4>;
using CellsByPlace = absl::flat_hash_map<Place, const CellRow*>;

const CellRow* CellOf(const CellsByPlace& cells, const RowPlace& answer) {
  for (const int32_t question : {-1, answer.question}) {
    const auto found = cells.find({answer.passage, answer.press, answer.ratio, question});
    if (found != cells.end()) return found->second;
  }
  return nullptr;
}

void AddAnswer(const AnswerRow& answer, const CellRow* cell, Sums& sums) {
  ++sums.answers;
  sums.exact += answer.exact;
  sums.hallucinations += answer.outcome == 3;
  sums.unknowns += answer.outcome == 4;
  sums.f1.Add(answer.f1);
  sums.ger.Add(answer.ger);
  sums.ger_layer.Add(answer.ger_layer_mean);
  sums.consensus.Add(answer.consensus_mean);
  sums.agreement.Add(answer.agreement_max);
  sums.consensus_layer.Add(answer.consensus_layer);
  sums.agreement_layer.Add(answer.agreement_layer);
  sums.ger_layers.Add(answer.ger_layer);
  if (cell == nullptr) return;
  sums.eviction.Add(cell->eviction_rate);
  sums.evicted.Add(cell->evicted_share);
  sums.eviction_rate_layer.Add(cell->eviction_rate_layer);
  sums.evicted_share_layer.Add(cell->evicted_share_layer);
  if (cell->full_pairs == 0) return;
  sums.kept.Add(static_cast<double>(cell->kept_pairs) / static_cast<double>(cell->full_pairs));
}

}  // namespace

absl::Status WriteCellSums(Database& db, int64_t unit, const UnitResult& result) {
  CellsByPlace cells;
  for (const CellRow& cell : result.cells) {
    const RowPlace& at = cell.place;
    cells[{at.passage, at.press, at.ratio, at.question}] = &cell;
  }
  std::map<std::pair<int32_t, int32_t>, Sums> sums;
  for (const AnswerRow& answer : result.answers) {
    AddAnswer(answer, CellOf(cells, answer.place), sums[{answer.place.press, answer.place.ratio}]);
  }
  Statement insert = db.Prepare(
      "INSERT INTO cell_sums VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"
      " ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27,"
      " ?28)");
  for (const auto& [point, s] : sums) {
    insert.Reset();
    insert.Bind(unit, point.first, point.second, s.answers, s.f1.sum(), s.f1.count(), s.exact,
                s.hallucinations, s.unknowns, s.ger.sum(), s.ger.count(), s.ger_layer.sum(),
                s.ger_layer.count(), s.eviction.sum(), s.eviction.count(), s.evicted.sum(),
                s.evicted.count(), s.consensus.sum(), s.consensus.count(), s.agreement.sum(),
                s.agreement.count(), s.kept.sum(), s.kept.count(), s.consensus_layer.totals(),
                s.agreement_layer.totals(), s.ger_layers.totals(), s.eviction_rate_layer.totals(),
                s.evicted_share_layer.totals());
    KVSCOPE_RETURN_IF_ERROR(insert.Run());
  }
  return absl::OkStatus();
}

}  // namespace kvscope::orchestrator
