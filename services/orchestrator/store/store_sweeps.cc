// The store's sweeps: creating, planning, ending, deleting and listing them.
#include "absl/strings/str_cat.h"
#include "services/orchestrator/store/store.h"
#include "services/orchestrator/store/unit_state.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

constexpr char kColumns[] =
    "SELECT s.id, s.sweep_id, s.name, s.spec, s.state, s.error, s.model, s.device, s.unit_device,"
    " s.code_version, s.create_time_ms, s.end_time_ms, s.units_total, s.units_done,"
    " s.units_failed, s.units_reused, s.streams_total, s.streams_done,"
    " (SELECT count(*) FROM units u INDEXED BY units_leased JOIN sweep_units su"
    "    ON su.unit = u.id AND su.sweep = s.id WHERE u.state = 2)"
    ", s.owner, s.priority FROM sweeps s ";

SweepRecord ReadSweep(const Statement& row) {
  SweepRecord sweep;
  sweep.row = row.Int(0);
  sweep.sweep_id = row.Text(1);
  sweep.name = row.Text(2);
  sweep.spec = row.Text(3);
  sweep.state = static_cast<SweepState>(row.Int(4));
  sweep.error = row.Text(5);
  sweep.model = row.Text(6);
  sweep.device = row.Text(7);
  sweep.unit_device = row.Text(8);
  sweep.code_version = row.Text(9);
  sweep.create_time_ms = row.Int(10);
  sweep.end_time_ms = row.Int(11);
  sweep.units_total = row.Int(12);
  sweep.units_done = row.Int(13);
  sweep.units_failed = row.Int(14);
  sweep.units_reused = row.Int(15);
  sweep.streams_total = row.Int(16);
  sweep.streams_done = row.Int(17);
  sweep.units_running = row.Int(18);
  sweep.owner = row.Text(19);
  sweep.priority = static_cast<int>(row.Int(20));
  return sweep;
}

absl::StatusOr<std::vector<SweepRecord>> ReadSweeps(Statement& select) {
  std::vector<SweepRecord> sweeps;
  while (true) {
    KVSCOPE_ASSIGN_OR_RETURN(const bool more, select.Step());
    if (!more) return sweeps;
    sweeps.push_back(ReadSweep(select));
  }
}

absl::StatusOr<SweepRecord> FindById(Database& db, const std::string& sweep_id) {
  Statement select = db.Prepare(absl::StrCat(kColumns, "WHERE s.sweep_id = ?1"));
  KVSCOPE_ASSIGN_OR_RETURN(const bool found, select.Bind(sweep_id).Step());
  if (!found) return absl::NotFoundError(absl::StrCat("no sweep has the id ", sweep_id));
  return ReadSweep(select);
}

// Remembers a mutation. True: it was made before, so it must have no effect now.
// AlreadyExists if the id stands for another one.
absl::StatusOr<bool> Repeated(Database& db, const std::string& request_id,
                              const std::string& action, const std::string& digest,
                              std::string& sweep_id) {
  if (request_id.empty()) return false;
  Statement find =
      db.Prepare("SELECT action, digest, sweep_id FROM requests WHERE request_id = ?1");
  KVSCOPE_ASSIGN_OR_RETURN(const bool found, find.Bind(request_id).Step());
  if (!found) {
    KVSCOPE_RETURN_IF_ERROR(db.Run("INSERT INTO requests VALUES (?1, ?2, ?3, ?4)", request_id,
                                   action, digest, sweep_id));
    return false;
  }
  const bool same_sweep = action == "create" || find.Text(2) == sweep_id;
  if (find.Text(0) != action || find.Text(1) != digest || !same_sweep) {
    return absl::AlreadyExistsError(absl::StrCat("request_id \"", request_id,
                                                 "\" was used for something else (to ",
                                                 find.Text(0), " sweep ", find.Text(2), ")"));
  }
  sweep_id = find.Text(2);
  return true;
}

// Whether this request deleted a sweep, whose name can no longer be looked up.
bool DeletedBefore(Database& db, const std::string& request_id) {
  const absl::StatusOr<int64_t> count = db.Number(
      "SELECT count(*) FROM requests WHERE request_id = ?1 AND action = 'delete'", request_id);
  return count.ok() && *count > 0;
}

absl::StatusOr<int64_t> CheckingRow(Database& db, const std::string& sweep_id) {
  KVSCOPE_ASSIGN_OR_RETURN(const SweepRecord sweep, FindById(db, sweep_id));
  if (sweep.state == SweepState::kChecking) return sweep.row;
  return absl::FailedPreconditionError(
      absl::StrCat("sweep ", sweep_id, " is no longer being checked"));
}

absl::Status Orphan(Database& db, int64_t row) {
  return db.Run(
      "INSERT OR IGNORE INTO orphans SELECT DISTINCT unit FROM sweep_units WHERE sweep = ?1", row);
}

// Units that were set aside get new attempts, in every sweep that has them.
absl::Status RetryFailedUnits(Database& db, int64_t row) {
  while (true) {
    KVSCOPE_ASSIGN_OR_RETURN(
        const int64_t unit,
        db.Number("SELECT u.id FROM sweep_units su JOIN units u ON u.id = su.unit"
                  " WHERE su.sweep = ?1 AND u.state = 4 LIMIT 1",
                  row));
    if (unit == 0) return absl::OkStatus();
    KVSCOPE_RETURN_IF_ERROR(db.Run("UPDATE units SET attempts = 0 WHERE id = ?1", unit));
    KVSCOPE_RETURN_IF_ERROR(ChangeState(db, unit, UnitState::kFailed, UnitState::kPending));
  }
}

absl::Status CheckQuotas(Database& db, const NewSweep& sweep, const Quotas& quotas) {
  KVSCOPE_ASSIGN_OR_RETURN(const int64_t sweeps,
                           db.Number("SELECT count(*) FROM sweeps INDEXED BY sweeps_active"
                                     " WHERE state IN (1, 2) AND owner = ?1",
                                     sweep.owner));
  if (quotas.open_sweeps > 0 && sweeps >= quotas.open_sweeps) {
    return absl::ResourceExhaustedError(absl::StrCat("quota of open sweeps: ", sweeps,
                                                     " of yours have not ended, at most ",
                                                     quotas.open_sweeps, " may be open at a time"));
  }
  KVSCOPE_ASSIGN_OR_RETURN(const int64_t cells,
                           db.Number("SELECT total(cells) FROM sweeps INDEXED BY sweeps_active"
                                     " WHERE state IN (1, 2) AND owner = ?1",
                                     sweep.owner));
  if (quotas.open_cells > 0 && cells + sweep.cells > quotas.open_cells) {
    return absl::ResourceExhaustedError(
        absl::StrCat("quota of cells: the sweep has ", sweep.cells, ", your open sweeps have ",
                     cells, ", together they may have ", quotas.open_cells));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SweepRecord> Store::CreateSweep(const NewSweep& sweep, const Quotas& quotas) {
  SweepRecord record;
  KVSCOPE_RETURN_IF_ERROR(Write([&](Database& db) -> absl::Status {
    std::string sweep_id = sweep.sweep_id;
    KVSCOPE_ASSIGN_OR_RETURN(const bool repeated,
                             Repeated(db, sweep.request_id, "create", sweep.spec_digest, sweep_id));
    if (!repeated) {
      KVSCOPE_RETURN_IF_ERROR(CheckQuotas(db, sweep, quotas));
      KVSCOPE_RETURN_IF_ERROR(db.Run(
          "INSERT INTO sweeps (sweep_id, name, spec, state, device, press_count, ratio_count,"
          " create_time_ms, owner, priority, cells)"
          " VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
          sweep_id, sweep.name, sweep.spec, sweep.device, sweep.press_count, sweep.ratio_count,
          sweep.create_time_ms, sweep.owner, sweep.priority, sweep.cells));
      const int64_t row = db.last_row_id();
      for (size_t i = 0; i < sweep.datasets.size(); ++i) {
        KVSCOPE_RETURN_IF_ERROR(db.Run("INSERT INTO sweep_datasets VALUES (?1, ?2, ?3)", row,
                                       static_cast<int64_t>(i), sweep.datasets[i]));
      }
    }
    KVSCOPE_ASSIGN_OR_RETURN(record, FindById(db, sweep_id));
    return absl::OkStatus();
  }));
  return record;
}

absl::Status Store::FailCheck(const std::string& sweep_id, const std::string& error,
                              int64_t now_ms) {
  return Write([&](Database& db) -> absl::Status {
    KVSCOPE_ASSIGN_OR_RETURN(const int64_t row, CheckingRow(db, sweep_id));
    return db.Run("UPDATE sweeps SET state = 4, error = ?2, end_time_ms = ?3 WHERE id = ?1", row,
                  error, now_ms);
  });
}

absl::Status Store::BeginPlan(const std::string& sweep_id, const std::string& model,
                              const std::string& device, const std::string& code_version) {
  return Write([&](Database& db) -> absl::Status {
    KVSCOPE_ASSIGN_OR_RETURN(const int64_t row, CheckingRow(db, sweep_id));
    KVSCOPE_RETURN_IF_ERROR(Orphan(db, row));
    KVSCOPE_RETURN_IF_ERROR(db.Run("DELETE FROM sweep_units WHERE sweep = ?1", row));
    return db.Run(
        "UPDATE sweeps SET model = ?2, unit_device = ?3, code_version = ?4, units_total = 0,"
        " units_done = 0, units_failed = 0, streams_total = 0, streams_done = 0 WHERE id = ?1",
        row, model, device, code_version);
  });
}

absl::Status Store::AddUnits(const std::string& sweep_id, int64_t first_seq,
                             std::span<const PlannedUnit> units) {
  return Write([&](Database& db) -> absl::Status {
    KVSCOPE_ASSIGN_OR_RETURN(const int64_t row, CheckingRow(db, sweep_id));
    int64_t seq = first_seq;
    for (const PlannedUnit& unit : units) {
      KVSCOPE_RETURN_IF_ERROR(
          db.Run("INSERT INTO units (key, streams) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                 unit.key, unit.streams));
      KVSCOPE_RETURN_IF_ERROR(db.Run("DELETE FROM deleted_units WHERE key = ?1", unit.key));
      KVSCOPE_RETURN_IF_ERROR(db.Run(
          "INSERT INTO sweep_units (sweep, seq, unit, dataset_ordinal, regime, first_passage,"
          " passage_count, model_ordinal) SELECT ?1, ?2, id, ?4, ?5, ?6, ?7, ?8 FROM units"
          " WHERE key = ?3",
          row, seq++, unit.key, unit.dataset_ordinal, unit.regime, unit.first_passage,
          unit.passage_count, unit.model_ordinal));
    }
    return absl::OkStatus();
  });
}

absl::Status Store::FinishPlan(const std::string& sweep_id, int64_t now_ms) {
  return Write([&](Database& db) -> absl::Status {
    KVSCOPE_ASSIGN_OR_RETURN(const int64_t row, CheckingRow(db, sweep_id));
    KVSCOPE_RETURN_IF_ERROR(RetryFailedUnits(db, row));
    // Of an earlier plan of this sweep, done units are orphans here: they are not reused, but its.
    Statement count = db.Prepare(
        "SELECT count(*), total(u.streams), count(*) FILTER (WHERE u.state = 3),"
        " total(u.streams) FILTER (WHERE u.state = 3), count(*) FILTER"
        " (WHERE u.state = 3 AND NOT EXISTS (SELECT 1 FROM orphans o WHERE o.unit = u.id))"
        " FROM sweep_units su JOIN units u ON u.id = su.unit WHERE su.sweep = ?1");
    KVSCOPE_ASSIGN_OR_RETURN(const bool any, count.Bind(row).Step());
    if (!any) return absl::InternalError("an aggregate without a row");
    const int64_t total = count.Int(0);
    const int64_t done = count.Int(2);
    KVSCOPE_RETURN_IF_ERROR(
        db.Run("UPDATE sweeps SET state = ?2, end_time_ms = ?3, error = '', units_total = ?4,"
               " streams_total = ?5, units_done = ?6, streams_done = ?7,"
               " units_reused = max(units_reused, ?8), units_failed = 0 WHERE id = ?1",
               row, total == done ? 3 : 2, total == done ? now_ms : 0, total, count.Int(1), done,
               count.Int(3), count.Int(4)));
    KVSCOPE_RETURN_IF_ERROR(db.Run(
        "DELETE FROM orphans WHERE unit IN (SELECT unit FROM sweep_units WHERE sweep = ?1)", row));
    return db.Run(
        "INSERT INTO queue SELECT su.sweep, su.seq, su.unit FROM sweep_units su"
        " JOIN units u ON u.id = su.unit WHERE su.sweep = ?1 AND u.state = 1",
        row);
  });
}

absl::StatusOr<std::vector<RevokedLease>> Store::CancelSweep(const std::string& sweep_id,
                                                             const std::string& request_id,
                                                             int64_t now_ms) {
  std::vector<RevokedLease> revoked;
  KVSCOPE_RETURN_IF_ERROR(Write([&](Database& db) -> absl::Status {
    std::string id = sweep_id;
    KVSCOPE_ASSIGN_OR_RETURN(const SweepRecord sweep, FindById(db, id));
    KVSCOPE_ASSIGN_OR_RETURN(const bool repeated, Repeated(db, request_id, "cancel", "", id));
    if (repeated || Ended(sweep.state)) return absl::OkStatus();
    KVSCOPE_RETURN_IF_ERROR(
        db.Run("UPDATE sweeps SET state = 5, end_time_ms = ?2 WHERE id = ?1", sweep.row, now_ms));
    KVSCOPE_RETURN_IF_ERROR(db.Run("DELETE FROM queue WHERE sweep = ?1", sweep.row));
    Statement leased = db.Prepare(
        "SELECT u.key, u.token, u.worker FROM units u INDEXED BY units_leased WHERE u.state = 2"
        " AND EXISTS (SELECT 1 FROM sweep_units a WHERE a.unit = u.id AND a.sweep = ?1)"
        " AND NOT EXISTS (SELECT 1 FROM sweep_units b JOIN sweeps s ON s.id = b.sweep"
        "                 WHERE b.unit = u.id AND s.state = 2)");
    leased.Bind(sweep.row);
    while (true) {
      KVSCOPE_ASSIGN_OR_RETURN(const bool more, leased.Step());
      if (!more) break;
      revoked.push_back({leased.Text(0), leased.Int(1), leased.Text(2)});
    }
    for (const RevokedLease& lease : revoked) {
      KVSCOPE_RETURN_IF_ERROR(db.Run(
          "UPDATE units SET state = 1, attempts = max(attempts - 1, 0) WHERE key = ?1", lease.key));
    }
    return absl::OkStatus();
  }));
  return revoked;
}

absl::Status Store::ResumeSweep(const std::string& sweep_id, const std::string& request_id) {
  return Write([&](Database& db) -> absl::Status {
    std::string id = sweep_id;
    KVSCOPE_ASSIGN_OR_RETURN(const SweepRecord sweep, FindById(db, id));
    KVSCOPE_ASSIGN_OR_RETURN(const bool repeated, Repeated(db, request_id, "resume", "", id));
    const bool resumable =
        sweep.state == SweepState::kFailed || sweep.state == SweepState::kCancelled;
    if (repeated || !resumable) return absl::OkStatus();
    return db.Run("UPDATE sweeps SET state = 1, error = '', end_time_ms = 0 WHERE id = ?1",
                  sweep.row);
  });
}

absl::Status Store::DeleteSweep(const std::string& sweep_id, const std::string& request_id) {
  return Write([&](Database& db) -> absl::Status {
    std::string id = sweep_id;
    const absl::StatusOr<SweepRecord> found = FindById(db, id);
    if (!found.ok()) return DeletedBefore(db, request_id) ? absl::OkStatus() : found.status();
    const SweepRecord& sweep = *found;
    KVSCOPE_ASSIGN_OR_RETURN(const bool repeated, Repeated(db, request_id, "delete", "", id));
    if (repeated) return absl::OkStatus();
    if (!Ended(sweep.state)) {
      return absl::FailedPreconditionError(
          absl::StrCat("sweep ", id, " has not ended: cancel it before deleting it"));
    }
    KVSCOPE_RETURN_IF_ERROR(Orphan(db, sweep.row));
    return db.Run("DELETE FROM sweeps WHERE id = ?1", sweep.row);
  });
}

absl::StatusOr<int64_t> Store::CollectOrphans(int64_t limit) {
  int64_t looked_at = 0;
  KVSCOPE_RETURN_IF_ERROR(Write([&](Database& db) -> absl::Status {
    KVSCOPE_ASSIGN_OR_RETURN(const int64_t checking,
                             db.Number("SELECT count(*) FROM sweeps WHERE state = 1"));
    KVSCOPE_ASSIGN_OR_RETURN(
        const int64_t last,
        db.Number("SELECT max(unit) FROM (SELECT unit FROM orphans ORDER BY unit"
                  " LIMIT ?1)",
                  limit));
    if (checking > 0 || last == 0) return absl::OkStatus();
    constexpr const char* kUnused =
        " FROM units WHERE id IN (SELECT unit FROM orphans WHERE unit <= ?1)"
        " AND NOT EXISTS (SELECT 1 FROM sweep_units su WHERE su.unit = units.id)";
    KVSCOPE_RETURN_IF_ERROR(
        db.Run(absl::StrCat("INSERT OR IGNORE INTO deleted_units SELECT key", kUnused), last));
    KVSCOPE_RETURN_IF_ERROR(db.Run(absl::StrCat("DELETE", kUnused), last));
    KVSCOPE_RETURN_IF_ERROR(db.Run("DELETE FROM orphans WHERE unit <= ?1", last));
    looked_at = db.changed_rows();
    return absl::OkStatus();
  }));
  return looked_at;
}

absl::StatusOr<std::vector<std::string>> Store::DeletedUnits(int64_t limit) {
  const absl::MutexLock lock(&read_mutex_);
  Statement select = reader_->Prepare("SELECT key FROM deleted_units ORDER BY key LIMIT ?1");
  select.Bind(limit);
  std::vector<std::string> keys;
  while (true) {
    KVSCOPE_ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return keys;
    keys.push_back(select.Text(0));
  }
}

absl::Status Store::ForgetDeletedUnits(std::span<const std::string> keys) {
  return Write([&](Database& db) -> absl::Status {
    for (const std::string& key : keys) {
      KVSCOPE_RETURN_IF_ERROR(db.Run("DELETE FROM deleted_units WHERE key = ?1", key));
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<int64_t> Store::CollectableUnits() {
  const absl::MutexLock lock(&read_mutex_);
  return reader_->Number(
      "SELECT CASE WHEN EXISTS (SELECT 1 FROM sweeps WHERE state = 1) THEN 0"
      " ELSE (SELECT count(*) FROM orphans) END");
}

absl::StatusOr<SweepRecord> Store::FindSweep(const std::string& id_or_name) {
  absl::MutexLock lock(&read_mutex_);
  absl::StatusOr<SweepRecord> by_id = FindById(*reader_, id_or_name);
  if (by_id.ok() || !absl::IsNotFound(by_id.status())) return by_id;
  Statement select = reader_->Prepare(absl::StrCat(kColumns, "WHERE s.name = ?1 LIMIT 2"));
  select.Bind(id_or_name);
  KVSCOPE_ASSIGN_OR_RETURN(std::vector<SweepRecord> named, ReadSweeps(select));
  if (named.size() == 1) return std::move(named.front());
  if (named.empty()) {
    return absl::NotFoundError(absl::StrCat("no sweep has the id or name \"", id_or_name, "\""));
  }
  return absl::FailedPreconditionError(
      absl::StrCat("several sweeps are named \"", id_or_name, "\": use an id, such as ",
                   named.front().sweep_id, " or ", named.back().sweep_id));
}

absl::StatusOr<std::vector<SweepRecord>> Store::ListSweeps(int64_t before_row, int64_t limit) {
  absl::MutexLock lock(&read_mutex_);
  Statement select = reader_->Prepare(
      absl::StrCat(kColumns, "WHERE ?1 = 0 OR s.id < ?1 ORDER BY s.id DESC LIMIT ?2"));
  select.Bind(before_row, limit);
  return ReadSweeps(select);
}

absl::StatusOr<std::vector<SweepRecord>> Store::CheckingSweeps(int64_t limit) {
  absl::MutexLock lock(&lease_mutex_);
  Statement select =
      lease_reader_->Prepare(absl::StrCat(kColumns, "WHERE s.state = 1 ORDER BY s.id LIMIT ?1"));
  select.Bind(limit);
  return ReadSweeps(select);
}

}  // namespace kvscope::orchestrator
