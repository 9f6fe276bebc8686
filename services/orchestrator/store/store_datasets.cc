// The store's data sets.
#include "absl/strings/str_cat.h"
#include "services/orchestrator/store/store.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

constexpr char kFind[] =
    "SELECT id, digest, name, passage_count, question_count FROM datasets WHERE digest = ?1";

StoredDataset ReadDataset(const Statement& row) {
  return {.id = row.Int(0),
          .digest = row.Text(1),
          .name = row.Text(2),
          .passage_count = row.Int(3),
          .question_count = row.Int(4)};
}

absl::StatusOr<StoredDataset> Find(Database& db, const std::string& digest) {
  Statement find = db.Prepare(kFind);
  KVSCOPE_ASSIGN_OR_RETURN(const bool found, find.Bind(digest).Step());
  if (!found) return absl::NotFoundError(absl::StrCat("no data set has the digest ", digest));
  return ReadDataset(find);
}

// The data sets that `which` chooses by ?1 must have no more bytes than allowed.
absl::Status CheckBytes(Database& db, const char* which, int64_t upload, const Quotas& quotas) {
  if (quotas.dataset_bytes == 0) return absl::OkStatus();
  KVSCOPE_ASSIGN_OR_RETURN(
      const int64_t bytes,
      db.Number(absl::StrCat("SELECT total(bytes) FROM datasets WHERE ", which), upload));
  if (bytes <= quotas.dataset_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "quota of data: your data sets would have ", bytes, " bytes, they may have ",
      quotas.dataset_bytes, "; what no sweep uses goes by itself, an hour after its upload"));
}

}  // namespace

absl::StatusOr<int64_t> Store::BeginDataset(const std::string& name, const std::string& owner) {
  int64_t upload = 0;
  KVSCOPE_RETURN_IF_ERROR(Write([&](Database& db) -> absl::Status {
    KVSCOPE_RETURN_IF_ERROR(
        db.Run("INSERT INTO datasets (name, owner) VALUES (?1, ?2)", name, owner));
    upload = db.last_row_id();
    return absl::OkStatus();
  }));
  return upload;
}

absl::Status Store::AddPassages(int64_t upload, std::span<const StoredPassage> passages,
                                const Quotas& quotas) {
  return Write([&](Database& db) -> absl::Status {
    KVSCOPE_ASSIGN_OR_RETURN(int64_t position,
                             db.Number("SELECT passage_count FROM datasets WHERE id = ?1", upload));
    int64_t questions = 0, bytes = 0;
    Statement insert = db.Prepare("INSERT INTO passages VALUES (?1, ?2, ?3, ?4, ?5)");
    for (const StoredPassage& passage : passages) {
      insert.Reset();
      insert.Bind(upload, position++, passage.passage_id, passage.question_count, passage.body);
      KVSCOPE_RETURN_IF_ERROR(insert.Run());
      questions += passage.question_count;
      bytes += static_cast<int64_t>(passage.body.size());
    }
    KVSCOPE_RETURN_IF_ERROR(
        db.Run("UPDATE datasets SET passage_count = ?2, question_count = question_count + ?3,"
               " bytes = bytes + ?4 WHERE id = ?1 AND digest IS NULL",
               upload, position, questions, bytes));
    return CheckBytes(db, "id = ?1", upload, quotas);
  });
}

absl::StatusOr<StoredDataset> Store::FinishDataset(int64_t upload, const std::string& digest,
                                                   int64_t now_ms, const Quotas& quotas) {
  StoredDataset dataset;
  KVSCOPE_RETURN_IF_ERROR(Write([&](Database& db) -> absl::Status {
    absl::StatusOr<StoredDataset> found = Find(db, digest);
    if (!found.ok() && !absl::IsNotFound(found.status())) return found.status();
    if (found.ok()) {
      KVSCOPE_RETURN_IF_ERROR(
          db.Run("DELETE FROM datasets WHERE id = ?1 AND digest IS NULL", upload));
    } else {
      KVSCOPE_RETURN_IF_ERROR(
          CheckBytes(db, "owner = (SELECT owner FROM datasets WHERE id = ?1)", upload, quotas));
      KVSCOPE_RETURN_IF_ERROR(
          db.Run("UPDATE datasets SET digest = ?2 WHERE id = ?1", upload, digest));
      found = Find(db, digest);
    }
    KVSCOPE_RETURN_IF_ERROR(
        db.Run("UPDATE datasets SET upload_time_ms = ?2 WHERE digest = ?1", digest, now_ms));
    KVSCOPE_ASSIGN_OR_RETURN(dataset, std::move(found));
    return absl::OkStatus();
  }));
  return dataset;
}

absl::Status Store::DropDataset(int64_t upload) {
  return Write([&](Database& db) {
    return db.Run("DELETE FROM datasets WHERE id = ?1 AND digest IS NULL", upload);
  });
}

absl::StatusOr<bool> Store::DropUnusedDataset(int64_t uploaded_before_ms) {
  bool dropped = false;
  KVSCOPE_RETURN_IF_ERROR(Write([&](Database& db) -> absl::Status {
    KVSCOPE_RETURN_IF_ERROR(
        db.Run("DELETE FROM datasets WHERE id = (SELECT id FROM datasets d"
               " WHERE digest IS NOT NULL AND upload_time_ms < ?1 AND NOT EXISTS"
               " (SELECT 1 FROM sweep_datasets sd WHERE sd.dataset = d.id) LIMIT 1)",
               uploaded_before_ms));
    dropped = db.changed_rows() > 0;
    return absl::OkStatus();
  }));
  return dropped;
}

absl::StatusOr<StoredDataset> Store::FindDataset(const std::string& digest) {
  absl::MutexLock lock(&read_mutex_);
  return Find(*reader_, digest);
}

absl::StatusOr<std::vector<StoredPassage>> Store::ReadPassages(int64_t dataset, int64_t first,
                                                               int64_t count, int64_t max_bytes) {
  absl::MutexLock lock(&lease_mutex_);
  Statement select = lease_reader_->Prepare(
      "SELECT passage_id, question_count, body FROM passages"
      " WHERE dataset = ?1 AND position >= ?2 AND position < ?3 ORDER BY position");
  select.Bind(dataset, first, first + count);
  std::vector<StoredPassage> passages;
  int64_t bytes = 0;
  while (true) {
    KVSCOPE_ASSIGN_OR_RETURN(const bool more, select.Step());
    if (!more) return passages;
    StoredPassage passage{
        .passage_id = select.Text(0), .question_count = select.Int(1), .body = select.Text(2)};
    bytes += static_cast<int64_t>(passage.body.size());
    if (bytes > max_bytes && !passages.empty()) return passages;
    passages.push_back(std::move(passage));
  }
}

absl::StatusOr<std::vector<StoredDataset>> Store::SweepDatasets(int64_t sweep_row) {
  absl::MutexLock lock(&lease_mutex_);
  Statement select = lease_reader_->Prepare(
      "SELECT d.id, d.digest, d.name, d.passage_count, d.question_count FROM sweep_datasets sd"
      " JOIN datasets d ON d.id = sd.dataset WHERE sd.sweep = ?1 ORDER BY sd.ordinal");
  select.Bind(sweep_row);
  std::vector<StoredDataset> datasets;
  while (true) {
    KVSCOPE_ASSIGN_OR_RETURN(const bool more, select.Step());
    if (!more) return datasets;
    datasets.push_back(ReadDataset(select));
  }
}

}  // namespace kvscope::orchestrator
