#include "services/orchestrator/store/schema.h"

#include <iterator>

#include "absl/strings/str_cat.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

// One script a version: script i brings a store from version i to i + 1. Never edit one that was
// released; append.
//
// States are the numbers of SweepState and UnitState (records.h). Three invariants, each kept by
// every transaction:
//   queue(sweep, seq) is there exactly when the sweep is running (2) and the unit pending (1);
//   a planned sweep's units_done and units_failed are the counts of its units in that state;
//   answers, cells, cell_sums and heatmaps of a unit are there exactly when it is done (3).
constexpr const char* kMigrations[] = {
    R"sql(
CREATE TABLE datasets (
  id INTEGER PRIMARY KEY,
  digest TEXT UNIQUE,            -- NULL while passages are still being added
  name TEXT NOT NULL,
  passage_count INTEGER NOT NULL DEFAULT 0,
  question_count INTEGER NOT NULL DEFAULT 0);
CREATE TABLE passages (
  dataset INTEGER NOT NULL REFERENCES datasets(id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  passage_id TEXT NOT NULL,
  question_count INTEGER NOT NULL,
  body TEXT NOT NULL,            -- the passage as one line of JSON
  UNIQUE (dataset, position));

CREATE TABLE sweeps (
  id INTEGER PRIMARY KEY,        -- grows with time
  sweep_id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  spec BLOB NOT NULL,
  state INTEGER NOT NULL,
  error TEXT NOT NULL DEFAULT '',
  model BLOB NOT NULL DEFAULT x'',
  device TEXT NOT NULL,          -- of the spec; 'auto': any worker may check it
  unit_device TEXT NOT NULL DEFAULT '',  -- what a worker must offer to lease its units
  code_version TEXT NOT NULL DEFAULT '',
  press_count INTEGER NOT NULL,
  ratio_count INTEGER NOT NULL,
  create_time_ms INTEGER NOT NULL,
  end_time_ms INTEGER NOT NULL DEFAULT 0,
  units_total INTEGER NOT NULL DEFAULT 0,
  units_done INTEGER NOT NULL DEFAULT 0,
  units_failed INTEGER NOT NULL DEFAULT 0,
  units_reused INTEGER NOT NULL DEFAULT 0,
  streams_total INTEGER NOT NULL DEFAULT 0,
  streams_done INTEGER NOT NULL DEFAULT 0);
CREATE INDEX sweeps_by_name ON sweeps (name);
CREATE INDEX sweeps_active ON sweeps (id) WHERE state IN (1, 2);
CREATE TABLE sweep_datasets (
  sweep INTEGER NOT NULL REFERENCES sweeps(id) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  dataset INTEGER NOT NULL REFERENCES datasets(id),
  PRIMARY KEY (sweep, ordinal)) WITHOUT ROWID;
CREATE TABLE requests (
  request_id TEXT PRIMARY KEY,
  action TEXT NOT NULL,
  digest TEXT NOT NULL,
  sweep_id TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE units (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  state INTEGER NOT NULL DEFAULT 1,
  streams INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  token INTEGER NOT NULL DEFAULT 0,     -- of the last lease; grows
  worker TEXT NOT NULL DEFAULT '',      -- of the last lease
  error TEXT NOT NULL DEFAULT '');      -- of the last failed attempt
CREATE INDEX units_leased ON units (id) WHERE state = 2;
CREATE TABLE sweep_units (
  sweep INTEGER NOT NULL REFERENCES sweeps(id) ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  unit INTEGER NOT NULL REFERENCES units(id),
  dataset_ordinal INTEGER NOT NULL,
  regime TEXT NOT NULL,
  first_passage INTEGER NOT NULL,
  passage_count INTEGER NOT NULL,
  PRIMARY KEY (sweep, seq)) WITHOUT ROWID;
CREATE INDEX sweep_units_by_unit ON sweep_units (unit);
CREATE TABLE queue (
  sweep INTEGER NOT NULL REFERENCES sweeps(id) ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  unit INTEGER NOT NULL REFERENCES units(id),
  PRIMARY KEY (sweep, seq)) WITHOUT ROWID;
CREATE INDEX queue_by_unit ON queue (unit);
CREATE TABLE orphans (unit INTEGER PRIMARY KEY);  -- perhaps used by no sweep: to be looked at

CREATE TABLE cells (
  unit INTEGER NOT NULL REFERENCES units(id) ON DELETE CASCADE,
  passage INTEGER NOT NULL,      -- within the unit
  press INTEGER NOT NULL,
  ratio INTEGER NOT NULL,
  question INTEGER NOT NULL,     -- whose keep set; -1: the passage's
  context_tokens INTEGER NOT NULL,
  kept_bytes INTEGER NOT NULL,
  full_bytes INTEGER NOT NULL,
  eviction_rate REAL,
  evicted_share REAL,
  kept_pairs INTEGER NOT NULL,
  full_pairs INTEGER NOT NULL,
  empty_heads INTEGER NOT NULL,
  evicted_share_layer BLOB NOT NULL,
  eviction_rate_layer BLOB NOT NULL,
  PRIMARY KEY (unit, passage, press, ratio, question)) WITHOUT ROWID;
CREATE TABLE answers (
  unit INTEGER NOT NULL REFERENCES units(id) ON DELETE CASCADE,
  passage INTEGER NOT NULL,
  press INTEGER NOT NULL,
  ratio INTEGER NOT NULL,
  question INTEGER NOT NULL,
  answer TEXT NOT NULL,
  generated_tokens INTEGER NOT NULL,
  ended INTEGER NOT NULL,
  f1 REAL,
  exact INTEGER NOT NULL,
  outcome INTEGER NOT NULL,
  ger REAL,
  ger_layer_mean REAL,
  consensus_mean REAL,
  agreement_max REAL,
  generated_consensus_mean REAL,
  generated_agreement_max REAL,
  answer_mass_mean REAL,
  ger_layer BLOB NOT NULL,
  consensus_layer BLOB NOT NULL,
  agreement_layer BLOB NOT NULL,
  PRIMARY KEY (unit, passage, press, ratio, question)) WITHOUT ROWID;
CREATE TABLE heatmaps (
  id INTEGER PRIMARY KEY,
  unit INTEGER NOT NULL REFERENCES units(id) ON DELETE CASCADE,
  passage INTEGER NOT NULL,
  press INTEGER NOT NULL,
  ratio INTEGER NOT NULL,
  layers INTEGER NOT NULL,
  kv_heads INTEGER NOT NULL,
  keep_bits BLOB NOT NULL,
  tokens BLOB NOT NULL,
  answer_tokens BLOB NOT NULL,
  question TEXT NOT NULL);
CREATE INDEX heatmaps_by_unit ON heatmaps (unit, passage, press, ratio);

-- What ListCells adds up: sums over a unit's answers where the value is defined, and how many.
CREATE TABLE cell_sums (
  unit INTEGER NOT NULL REFERENCES units(id) ON DELETE CASCADE,
  press INTEGER NOT NULL,
  ratio INTEGER NOT NULL,
  answers INTEGER NOT NULL,
  f1 REAL, f1_count INTEGER NOT NULL,
  exact INTEGER NOT NULL,
  hallucinations INTEGER NOT NULL,
  unknowns INTEGER NOT NULL,
  ger REAL, ger_count INTEGER NOT NULL,
  ger_layer REAL, ger_layer_count INTEGER NOT NULL,
  eviction REAL, eviction_count INTEGER NOT NULL,
  evicted REAL, evicted_count INTEGER NOT NULL,
  consensus REAL, consensus_count INTEGER NOT NULL,
  agreement REAL, agreement_count INTEGER NOT NULL,
  kept REAL, kept_count INTEGER NOT NULL,
  consensus_layer BLOB,          -- vector_sum: layer sums, then layer counts
  PRIMARY KEY (unit, press, ratio)) WITHOUT ROWID;
)sql",
    R"sql(
ALTER TABLE sweep_units ADD COLUMN model_ordinal INTEGER NOT NULL DEFAULT 0;  -- in the sweep's list
)sql",
    R"sql(
ALTER TABLE answers ADD COLUMN routes BLOB;            -- the caller's bytes; none: not measured
ALTER TABLE cell_sums ADD COLUMN agreement_layer BLOB; -- these as consensus_layer
ALTER TABLE cell_sums ADD COLUMN ger_layer_values BLOB;
ALTER TABLE cell_sums ADD COLUMN eviction_rate_layer BLOB;
ALTER TABLE cell_sums ADD COLUMN evicted_share_layer BLOB;
)sql",
    R"sql(
-- Units that are gone, and whose hidden states the metrics service may still keep.
CREATE TABLE deleted_units (key TEXT PRIMARY KEY) WITHOUT ROWID;

ALTER TABLE sweeps ADD COLUMN owner TEXT NOT NULL DEFAULT '';       -- '': nobody was asked
ALTER TABLE sweeps ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sweeps ADD COLUMN cells INTEGER NOT NULL DEFAULT 0;     -- points of its grid
ALTER TABLE datasets ADD COLUMN owner TEXT NOT NULL DEFAULT '';     -- of its first upload
ALTER TABLE datasets ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;   -- of its passages' bodies
ALTER TABLE datasets ADD COLUMN upload_time_ms INTEGER NOT NULL DEFAULT 0;  -- of the last one
UPDATE datasets SET bytes =
  (SELECT total(length(CAST(body AS BLOB))) FROM passages p WHERE p.dataset = datasets.id);
CREATE INDEX sweep_datasets_by_dataset ON sweep_datasets (dataset);
)sql",
};
static_assert(std::size(kMigrations) == kSchemaVersion);

absl::Status CheckOwner(Database& database, int64_t version) {
  if (version > kSchemaVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("store ", database.path(), " was written by a newer KVScope: its version is ",
                     version, ", this program supports versions up to ", kSchemaVersion));
  }
  KVSCOPE_ASSIGN_OR_RETURN(const int64_t owner, database.Number("PRAGMA application_id"));
  KVSCOPE_ASSIGN_OR_RETURN(const int64_t tables,
                           database.Number("SELECT count(*) FROM sqlite_master"));
  if (owner != kApplicationId && (owner != 0 || tables != 0 || version != 0)) {
    return absl::InvalidArgumentError(absl::StrCat(
        database.path(), " is not a KVScope store: it is another program's SQLite database"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Migrate(Database& database) {
  const auto migrate = [&]() -> absl::Status {
    KVSCOPE_ASSIGN_OR_RETURN(const int64_t version, database.Number("PRAGMA user_version"));
    KVSCOPE_RETURN_IF_ERROR(CheckOwner(database, version));
    if (version == kSchemaVersion) return absl::OkStatus();
    for (int64_t next = version; next < kSchemaVersion; ++next) {
      KVSCOPE_RETURN_IF_ERROR(database.Execute(kMigrations[next]));
    }
    return database.Execute(absl::StrCat("PRAGMA application_id = ", kApplicationId,
                                         "; PRAGMA user_version = ", kSchemaVersion));
  };
  return database.InTransaction(migrate, /*exclusive=*/true);
}

}  // namespace kvscope::orchestrator
