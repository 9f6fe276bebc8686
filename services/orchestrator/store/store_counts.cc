// The store's counts: how many of what there are, for those who watch.
#include <filesystem>
#include <system_error>
#include <utility>

#include "services/orchestrator/store/store.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

int64_t BytesOf(const std::string& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  return error ? 0 : static_cast<int64_t>(bytes);
}

}  // namespace

absl::StatusOr<int64_t> Store::OldestQueuedMs() {
  absl::MutexLock lock(&lease_mutex_);
  return lease_reader_->Number(
      "SELECT min(s.create_time_ms) FROM sweeps s INDEXED BY sweeps_active WHERE s.state = 2"
      " AND s.state IN (1, 2) AND EXISTS (SELECT 1 FROM queue q WHERE q.sweep = s.id)");
}

absl::StatusOr<std::vector<SliceProgress>> Store::CountSlices(int64_t sweep_row) {
  absl::MutexLock lock(&read_mutex_);
  Statement select = reader_->Prepare(
      "SELECT su.model_ordinal, su.dataset_ordinal, su.regime, sum(u.state = 1), sum(u.state = 2),"
      " sum(u.state = 3), sum(u.state = 4), min(su.seq) AS first FROM sweep_units su"
      " JOIN units u ON u.id = su.unit WHERE su.sweep = ?1"
      " GROUP BY su.model_ordinal, su.dataset_ordinal, su.regime ORDER BY first");
  select.Bind(sweep_row);
  std::vector<SliceProgress> slices;
  while (true) {
    KVSCOPE_ASSIGN_OR_RETURN(const bool more, select.Step());
    if (!more) return slices;
    slices.push_back({.slice = {.model_ordinal = static_cast<int>(select.Int(0)),
                                .dataset_ordinal = static_cast<int>(select.Int(1)),
                                .regime = select.Text(2)},
                      .counts = {.pending = select.Int(3),
                                 .leased = select.Int(4),
                                 .done = select.Int(5),
                                 .failed = select.Int(6)}});
  }
}

absl::StatusOr<StoreTotals> Store::CountAll() {
  absl::MutexLock lock(&read_mutex_);
  StoreTotals totals;
  Statement select = reader_->Prepare(
      "SELECT state, count(*), sum(units_total), sum(units_done), sum(units_failed) FROM sweeps"
      " GROUP BY state");
  while (true) {
    KVSCOPE_ASSIGN_OR_RETURN(const bool more, select.Step());
    if (!more) break;
    const auto state = static_cast<SweepState>(select.Int(0));
    totals.sweeps[state] = select.Int(1);
    totals.units_done += select.Int(3);
    totals.units_failed += select.Int(4);
    if (state != SweepState::kRunning) continue;
    totals.units_running = select.Int(2) - select.Int(3) - select.Int(4);
  }
  KVSCOPE_ASSIGN_OR_RETURN(totals.units_pending, reader_->Number("SELECT count(*) FROM queue"));
  totals.units_running -= totals.units_pending;  // what is neither queued nor ended is leased
  return totals;
}

StoreSizes Store::Sizes() {
  absl::MutexLock lock(&read_mutex_);
  const std::string& path = reader_->path();
  return {.database = BytesOf(path), .log = BytesOf(path + "-wal")};
}

void Store::OnCommit(std::function<void(absl::Duration, const absl::Status&)> observer) {
  absl::MutexLock lock(&write_mutex_);
  on_commit_ = std::move(observer);
}

}  // namespace kvscope::orchestrator
