#include "services/orchestrator/store/unit_state.h"

#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

// Adds `by` for every time a sweep has the unit.
absl::Status Count(Database& db, int64_t unit, UnitState state, int64_t by) {
  if (state == UnitState::kDone) {
    return db.Run(
        "UPDATE sweeps SET units_done = units_done + ?2 * n, streams_done = streams_done + ?2 * s"
        " FROM (SELECT su.sweep AS id, count(*) AS n, sum(u.streams) AS s FROM sweep_units su"
        "       JOIN units u ON u.id = su.unit WHERE su.unit = ?1 GROUP BY su.sweep) AS t"
        " WHERE sweeps.id = t.id",
        unit, by);
  }
  if (state == UnitState::kFailed) {
    return db.Run(
        "UPDATE sweeps SET units_failed = units_failed + ?2 * n FROM (SELECT sweep AS id,"
        " count(*) AS n FROM sweep_units WHERE unit = ?1 GROUP BY sweep) AS t"
        " WHERE sweeps.id = t.id",
        unit, by);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RecordLease(Database& db, int64_t unit, int64_t token, const std::string& worker) {
  KVSCOPE_RETURN_IF_ERROR(
      db.Run("UPDATE units SET state = 2, token = ?2, attempts = attempts + 1, worker = ?3"
             " WHERE id = ?1 AND state = 1 AND token = ?2 - 1",
             unit, token, worker));
  if (db.changed_rows() == 0) return absl::OkStatus();
  return db.Run("DELETE FROM queue WHERE unit = ?1", unit);
}

absl::Status ChangeState(Database& db, int64_t unit, UnitState from, UnitState to) {
  KVSCOPE_RETURN_IF_ERROR(db.Run("UPDATE units SET state = ?3 WHERE id = ?1 AND state = ?2", unit,
                                 static_cast<int>(from), static_cast<int>(to)));
  if (db.changed_rows() != 1) return absl::InternalError("a unit was not in the expected state");
  if (from == UnitState::kPending)
    KVSCOPE_RETURN_IF_ERROR(db.Run("DELETE FROM queue WHERE unit = ?1", unit));
  if (to == UnitState::kPending) {
    KVSCOPE_RETURN_IF_ERROR(
        db.Run("INSERT INTO queue SELECT su.sweep, su.seq, su.unit FROM sweep_units su"
               " JOIN sweeps s ON s.id = su.sweep WHERE su.unit = ?1 AND s.state = 2",
               unit));
  }
  KVSCOPE_RETURN_IF_ERROR(Count(db, unit, from, -1));
  return Count(db, unit, to, 1);
}

absl::Status EndFinishedSweeps(Database& db, int64_t unit, int64_t now_ms) {
  return db.Run(
      "UPDATE sweeps SET end_time_ms = ?2, state = CASE WHEN units_failed = 0 THEN 3 ELSE 4 END,"
      " error = CASE WHEN units_failed = 0 THEN '' ELSE (SELECT printf("
      "   '%d of %d units were set aside after failing; the first, %s (%s, passages %d to %d of"
      " data set %s): %s', units_failed, units_total, u.key, f.regime, f.first_passage + 1,"
      "   f.first_passage + f.passage_count, d.name, u.error)"
      "   FROM sweep_units f JOIN units u ON u.id = f.unit"
      "   JOIN sweep_datasets sd ON sd.sweep = f.sweep AND sd.ordinal = f.dataset_ordinal"
      "   JOIN datasets d ON d.id = sd.dataset"
      "   WHERE f.sweep = sweeps.id AND u.state = 4 ORDER BY f.seq LIMIT 1) END"
      " WHERE state = 2 AND units_done + units_failed = units_total"
      " AND id IN (SELECT sweep FROM sweep_units WHERE unit = ?1)",
      unit, now_ms);
}

}  // namespace kvscope::orchestrator
