// The store's results: written once a unit, read in pages.
#include <cstring>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/store/cell_sums.h"
#include "services/orchestrator/store/store.h"
#include "services/orchestrator/store/unit_state.h"
#include "services/orchestrator/store/vector_sum.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

// Texts as one blob: each its length (uint32, little-endian), then its bytes.
std::string PackTexts(const std::vector<std::string>& texts) {
  std::string packed;
  for (const std::string& text : texts) {
    const uint32_t size = static_cast<uint32_t>(text.size());
    packed.append(reinterpret_cast<const char*>(&size), sizeof(size));
    packed.append(text);
  }
  return packed;
}

std::vector<std::string> UnpackTexts(const std::string& packed) {
  std::vector<std::string> texts;
  size_t at = 0;
  while (packed.size() - at >= sizeof(uint32_t)) {
    uint32_t size = 0;
    std::memcpy(&size, packed.data() + at, sizeof(size));
    at += sizeof(size);
    if (size > packed.size() - at) break;  // a damaged file
    texts.push_back(packed.substr(at, size));
    at += size;
  }
  return texts;
}

absl::Status WriteCells(Database& db, int64_t unit, const std::vector<CellRow>& rows) {
  Statement insert = db.Prepare(
      "INSERT INTO cells VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"
      " ?15)");
  for (const CellRow& row : rows) {
    insert.Reset();
    insert.Bind(unit, row.place.passage, row.place.press, row.place.ratio, row.place.question,
                row.context_tokens, row.kept_bytes, row.full_bytes, row.eviction_rate,
                row.evicted_share, row.kept_pairs, row.full_pairs, row.empty_heads,
                row.evicted_share_layer, row.eviction_rate_layer);
    KVSCOPE_RETURN_IF_ERROR(insert.Run());
  }
  return absl::OkStatus();
}

absl::Status WriteAnswers(Database& db, int64_t unit, const std::vector<AnswerRow>& rows) {
  Statement insert = db.Prepare(
      "INSERT INTO answers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"
      " ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)");
  for (const AnswerRow& row : rows) {
    insert.Reset();
    insert.Bind(unit, row.place.passage, row.place.press, row.place.ratio, row.place.question,
                row.answer, row.generated_tokens, row.ended, row.f1, row.exact, row.outcome,
                row.ger, row.ger_layer_mean, row.consensus_mean, row.agreement_max,
                row.generated_consensus_mean, row.generated_agreement_max, row.answer_mass_mean,
                row.ger_layer, row.consensus_layer, row.agreement_layer, row.routes);
    KVSCOPE_RETURN_IF_ERROR(insert.Run());
  }
  return absl::OkStatus();
}

absl::Status WriteHeatmaps(Database& db, int64_t unit, const std::vector<HeatmapRow>& rows) {
  for (const HeatmapRow& row : rows) {
    KVSCOPE_RETURN_IF_ERROR(db.Run(
        "INSERT INTO heatmaps (unit, passage, press, ratio, layers, kv_heads, keep_bits, tokens,"
        " answer_tokens, question) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        unit, row.place.passage, row.place.press, row.place.ratio, row.layers, row.kv_heads,
        row.keep_bits, PackTexts(row.tokens), row.answer_tokens, row.question));
  }
  return absl::OkStatus();
}

// SQLite's primary-key violation, seen as the caller's mistake.
absl::Status ExplainDuplicate(absl::Status status, const std::string& key) {
  const bool duplicate =
      absl::IsInternal(status) && std::string(status.message()).find("UNIQUE") != std::string::npos;
  if (!duplicate) return status;
  return absl::InvalidArgumentError(
      absl::StrCat("the result of unit ", key, " has two rows in the same place"));
}

AnswerRow ReadAnswer(const Statement& row) {
  AnswerRow answer;
  answer.place = {static_cast<int32_t>(row.Int(0)), static_cast<int32_t>(row.Int(1)),
                  static_cast<int32_t>(row.Int(2)), static_cast<int32_t>(row.Int(3))};
  answer.answer = row.Text(4);
  answer.generated_tokens = static_cast<int32_t>(row.Int(5));
  answer.ended = row.Int(6) != 0;
  answer.f1 = row.Real(7);
  answer.exact = row.Int(8) != 0;
  answer.outcome = static_cast<int32_t>(row.Int(9));
  answer.ger = row.OptionalReal(10);
  answer.ger_layer_mean = row.OptionalReal(11);
  answer.consensus_mean = row.OptionalReal(12);
  answer.agreement_max = row.OptionalReal(13);
  answer.generated_consensus_mean = row.OptionalReal(14);
  answer.generated_agreement_max = row.OptionalReal(15);
  answer.answer_mass_mean = row.OptionalReal(16);
  answer.ger_layer = row.Reals(17);
  answer.consensus_layer = row.Reals(18);
  answer.agreement_layer = row.Reals(19);
  return answer;
}

CellRow ReadCell(const Statement& row) {  // the columns after those of ReadAnswer
  CellRow cell;
  cell.place = {static_cast<int32_t>(row.Int(0)), static_cast<int32_t>(row.Int(1)),
                static_cast<int32_t>(row.Int(2)), static_cast<int32_t>(row.Int(20))};
  cell.context_tokens = static_cast<int32_t>(row.Int(21));
  cell.kept_bytes = row.Int(22);
  cell.full_bytes = row.Int(23);
  cell.eviction_rate = row.Real(24);
  cell.evicted_share = row.Real(25);
  cell.kept_pairs = row.Int(26);
  cell.full_pairs = row.Int(27);
  cell.empty_heads = row.Int(28);
  return cell;
}

// Each answer with its keep set: the passage's, else the question's own. (One join over both
// numbers would build their list anew for every row.)
constexpr char kAnswers[] =
    "SELECT a.passage, a.press, a.ratio, a.question, a.answer, a.generated_tokens, a.ended, a.f1,"
    " a.exact, a.outcome, a.ger, a.ger_layer_mean, a.consensus_mean, a.agreement_max,"
    " a.generated_consensus_mean, a.generated_agreement_max, a.answer_mass_mean, a.ger_layer,"
    " a.consensus_layer, a.agreement_layer, coalesce(p.question, q.question),"
    " coalesce(p.context_tokens, q.context_tokens), coalesce(p.kept_bytes, q.kept_bytes),"
    " coalesce(p.full_bytes, q.full_bytes), coalesce(p.eviction_rate, q.eviction_rate),"
    " coalesce(p.evicted_share, q.evicted_share), coalesce(p.kept_pairs, q.kept_pairs),"
    " coalesce(p.full_pairs, q.full_pairs), coalesce(p.empty_heads, q.empty_heads),"
    " a.routes"
    " FROM answers a LEFT JOIN cells p ON p.unit = a.unit AND p.passage = a.passage"
    " AND p.press = a.press AND p.ratio = a.ratio AND p.question = -1"
    " LEFT JOIN cells q ON p.unit IS NULL AND q.unit = a.unit AND q.passage = a.passage"
    " AND q.press = a.press AND q.ratio = a.ratio AND q.question = a.question"
    " WHERE a.unit = ?1 AND (a.passage, a.press, a.ratio, a.question) > (?2, ?3, ?4, ?5)"
    " ORDER BY a.passage, a.press, a.ratio, a.question LIMIT ?6";

// The first done unit of the sweep from `seq` on; 0 if there is none.
absl::StatusOr<int64_t> NextDone(Database& db, int64_t sweep_row, int64_t seq, SliceInfo& slice) {
  Statement select = db.Prepare(
      "SELECT su.unit, su.seq, su.dataset_ordinal, d.dataset, su.regime, su.first_passage,"
      " su.model_ordinal"
      " FROM sweep_units su JOIN units u ON u.id = su.unit JOIN sweep_datasets d"
      " ON d.sweep = su.sweep AND d.ordinal = su.dataset_ordinal"
      " WHERE su.sweep = ?1 AND su.seq >= ?2 AND u.state = 3 ORDER BY su.seq LIMIT 1");
  KVSCOPE_ASSIGN_OR_RETURN(const bool found, select.Bind(sweep_row, seq).Step());
  if (!found) return 0;
  slice = {.seq = select.Int(1),
           .dataset_ordinal = static_cast<int>(select.Int(2)),
           .dataset = select.Int(3),
           .regime = select.Text(4),
           .first_passage = select.Int(5),
           .model_ordinal = static_cast<int>(select.Int(6))};
  return select.Int(0);
}

absl::Status AppendAnswers(Database& db, int64_t unit, const SliceInfo& slice, int64_t limit,
                           RowCursor& cursor, std::vector<StoredAnswer>& answers) {
  Statement select = db.Prepare(kAnswers);
  const RowPlace& after = cursor.after;
  select.Bind(unit, after.passage, after.press, after.ratio, after.question, limit);
  while (true) {
    KVSCOPE_ASSIGN_OR_RETURN(const bool more, select.Step());
    if (!more) return absl::OkStatus();
    answers.push_back({slice, ReadAnswer(select), ReadCell(select)});
    answers.back().answer.routes = select.Text(29);
    cursor.after = answers.back().answer.place;
  }
}

}  // namespace

absl::StatusOr<bool> Store::CommitResult(const std::string& key, int64_t token,
                                         const UnitResult& result, int64_t now_ms) {
  bool accepted = false;
  KVSCOPE_RETURN_IF_ERROR(Write([&](Database& db) -> absl::Status {
    KVSCOPE_ASSIGN_OR_RETURN(
        const int64_t unit,
        db.Number("SELECT id FROM units WHERE key = ?1 AND token = ?2 AND state = 2", key, token));
    if (unit == 0) return absl::OkStatus();
    KVSCOPE_RETURN_IF_ERROR(ExplainDuplicate(WriteCells(db, unit, result.cells), key));
    KVSCOPE_RETURN_IF_ERROR(ExplainDuplicate(WriteAnswers(db, unit, result.answers), key));
    KVSCOPE_RETURN_IF_ERROR(WriteHeatmaps(db, unit, result.heatmaps));
    KVSCOPE_RETURN_IF_ERROR(WriteCellSums(db, unit, result));
    KVSCOPE_RETURN_IF_ERROR(ChangeState(db, unit, UnitState::kLeased, UnitState::kDone));
    KVSCOPE_RETURN_IF_ERROR(EndFinishedSweeps(db, unit, now_ms));
    accepted = true;
    return absl::OkStatus();
  }));
  return accepted;
}

absl::StatusOr<std::vector<StoredAnswer>> Store::ReadAnswers(int64_t sweep_row, int64_t limit,
                                                             RowCursor& cursor) {
  absl::MutexLock lock(&read_mutex_);
  std::vector<StoredAnswer> answers;
  while (static_cast<int64_t>(answers.size()) < limit) {
    SliceInfo slice;
    KVSCOPE_ASSIGN_OR_RETURN(const int64_t unit, NextDone(*reader_, sweep_row, cursor.seq, slice));
    if (unit == 0) break;
    if (slice.seq != cursor.seq) cursor = {.seq = slice.seq};
    const int64_t room = limit - static_cast<int64_t>(answers.size());
    KVSCOPE_RETURN_IF_ERROR(AppendAnswers(*reader_, unit, slice, room, cursor, answers));
    if (static_cast<int64_t>(answers.size()) < limit) cursor = {.seq = slice.seq + 1};
  }
  return answers;
}

absl::StatusOr<std::optional<StoredHeatmap>> Store::ReadHeatmap(int64_t sweep_row,
                                                                HeatmapCursor& cursor) {
  absl::MutexLock lock(&read_mutex_);
  while (true) {
    SliceInfo slice;
    KVSCOPE_ASSIGN_OR_RETURN(const int64_t unit, NextDone(*reader_, sweep_row, cursor.seq, slice));
    if (unit == 0) return std::nullopt;
    if (slice.seq != cursor.seq) cursor = {.seq = slice.seq};
    Statement select = reader_->Prepare(
        "SELECT id, passage, press, ratio, layers, kv_heads, keep_bits, tokens, answer_tokens,"
        " question FROM heatmaps WHERE unit = ?1 AND id > ?2 ORDER BY id LIMIT 1");
    KVSCOPE_ASSIGN_OR_RETURN(const bool found, select.Bind(unit, cursor.after).Step());
    if (!found) {
      cursor = {.seq = slice.seq + 1};
      continue;
    }
    cursor.after = select.Int(0);
    HeatmapRow row;
    row.place = {static_cast<int32_t>(select.Int(1)), static_cast<int32_t>(select.Int(2)),
                 static_cast<int32_t>(select.Int(3)), -1};
    row.layers = static_cast<int32_t>(select.Int(4));
    row.kv_heads = static_cast<int32_t>(select.Int(5));
    row.keep_bits = select.Text(6);
    row.tokens = UnpackTexts(select.Text(7));
    row.answer_tokens = select.Ints(8);
    row.question = select.Text(9);
    return StoredHeatmap{std::move(slice), std::move(row)};
  }
}

absl::StatusOr<std::vector<CellSummary>> Store::SummarizeCells(int64_t sweep_row,
                                                               const GridSlice& slice) {
  absl::MutexLock lock(&read_mutex_);
  Statement select = reader_->Prepare(
      "SELECT k.press, k.ratio, sum(answers), sum(f1) / sum(f1_count),"
      " 1.0 * sum(exact) / sum(answers), 1.0 * sum(hallucinations) / sum(answers),"
      " 1.0 * sum(unknowns) / sum(answers), sum(ger) / sum(ger_count),"
      " sum(ger_layer) / sum(ger_layer_count), sum(eviction) / sum(eviction_count),"
      " sum(evicted) / sum(evicted_count), sum(consensus) / sum(consensus_count),"
      " sum(agreement) / sum(agreement_count), sum(kept) / sum(kept_count), sum(ger_count),"
      " vector_sum_merge(consensus_layer), vector_sum_merge(agreement_layer),"
      " vector_sum_merge(ger_layer_values), vector_sum_merge(eviction_rate_layer),"
      " vector_sum_merge(evicted_share_layer) FROM sweep_units su JOIN units u ON u.id = su.unit"
      " JOIN cell_sums k ON k.unit = su.unit WHERE su.sweep = ?1 AND su.model_ordinal = ?2"
      " AND su.dataset_ordinal = ?3 AND su.regime = ?4 AND u.state = 3 GROUP BY k.press, k.ratio"
      " ORDER BY k.press, k.ratio");
  select.Bind(sweep_row, slice.model_ordinal, slice.dataset_ordinal, slice.regime);
  std::vector<CellSummary> cells;
  while (true) {
    KVSCOPE_ASSIGN_OR_RETURN(const bool more, select.Step());
    if (!more) return cells;
    CellSummary cell;
    cell.press = static_cast<int>(select.Int(0));
    cell.ratio = static_cast<int>(select.Int(1));
    cell.answers = select.Int(2);
    int column = 3;
    for (std::optional<double>* mean :
         {&cell.f1, &cell.exact, &cell.hallucination_rate, &cell.unknown_rate, &cell.ger,
          &cell.ger_layer_mean, &cell.eviction_rate, &cell.evicted_share, &cell.consensus_mean,
          &cell.agreement_max, &cell.kept_ratio}) {
      *mean = select.OptionalReal(column++);  // x / 0 is NULL
    }
    cell.ger_count = select.Int(14);
    column = 15;
    for (std::vector<double>* layers :
         {&cell.consensus_layer, &cell.agreement_layer, &cell.ger_layer, &cell.eviction_rate_layer,
          &cell.evicted_share_layer}) {
      *layers = MeansOfVectorSum(select.Reals(column++));
    }
    cells.push_back(std::move(cell));
  }
}

absl::StatusOr<std::vector<CellSummary>> Store::SummarizeTags(int64_t sweep_row,
                                                              const GridSlice& slice,
                                                              const std::vector<Tag>& tags,
                                                              const PointRange& points) {
  TagSums sums(tags, points);
  for (int64_t seq = -1;;) {
    absl::MutexLock lock(&read_mutex_);  // anew for every unit, so that other readers get through
    Statement select = reader_->Prepare(
        "SELECT su.unit, su.seq, d.dataset, su.first_passage, su.passage_count FROM sweep_units su"
        " JOIN units u ON u.id = su.unit JOIN sweep_datasets d ON d.sweep = su.sweep"
        " AND d.ordinal = su.dataset_ordinal WHERE su.sweep = ?1 AND su.seq > ?2"
        " AND su.model_ordinal = ?3 AND su.dataset_ordinal = ?4 AND su.regime = ?5 AND u.state = 3"
        " ORDER BY su.seq LIMIT 1");
    select.Bind(sweep_row, seq, slice.model_ordinal, slice.dataset_ordinal, slice.regime);
    KVSCOPE_ASSIGN_OR_RETURN(const bool found, select.Step());
    if (!found) return sums.Summaries();
    seq = select.Int(1);
    KVSCOPE_RETURN_IF_ERROR(
        sums.AddUnit(*reader_, select.Int(0), select.Int(2), select.Int(3), select.Int(4)));
  }
}

}  // namespace kvscope::orchestrator
