// Store: all that the orchestrator remembers, in one SQLite file that only its process opens.
//
// Thread-safe. Every method is one transaction, so that a crash leaves it done or not done; what
// returned Ok is on disk, save for LeaseNext. Writers wait for one another; the methods under
// "Reading" use a second connection and wait only for each other, those under "Dispatch" a third,
// so that giving out work waits for neither. Memory does not grow with the number of units,
// passages or answers: long lists are read in pages.
// Errors of every method: ResourceExhausted where the disk is full or read-only (nothing recorded
// is lost, the call may be made again), DataLoss for a damaged file; beyond those, as said.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/orchestrator/store/checkpointer.h"
#include "services/orchestrator/store/database.h"
#include "services/orchestrator/store/file_lock.h"
#include "services/orchestrator/store/records.h"
#include "services/orchestrator/store/tag_sums.h"

namespace kvscope::orchestrator {

class Store {
 public:
  // Opens or creates the file, locks PATH.lock, migrates, drops unfinished uploads and gives all
  // leases back without costing an attempt: their holders' tokens are refused from now on.
  // Errors: FailedPrecondition (another process has it: says its id; written by a newer program:
  // says the versions), InvalidArgument (not a store), NotFound (no such folder).
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::string& path);

  // --- Data sets. An upload is invisible until it is finished.
  absl::StatusOr<int64_t> BeginDataset(const std::string& name, const std::string& owner = "");
  // ResourceExhausted if the upload alone is beyond the quota.
  absl::Status AddPassages(int64_t upload, std::span<const StoredPassage> passages,
                           const Quotas& quotas = {});
  // Gives the upload its digest; if the same data is there already, drops the upload instead.
  // ResourceExhausted if it is new and its owner's data sets are beyond the quota with it.
  absl::StatusOr<StoredDataset> FinishDataset(int64_t upload, const std::string& digest,
                                              int64_t now_ms = 0, const Quotas& quotas = {});
  absl::Status DropDataset(int64_t upload);
  // Drops one data set that no sweep uses and that was last uploaded before that time; false: there
  // is none.
  absl::StatusOr<bool> DropUnusedDataset(int64_t uploaded_before_ms);

  // --- Sweeps.
  // A request_id that was used before has no effect: the same sweep is returned if the action and
  // spec_digest are the same; else AlreadyExists. NotFound if that sweep was deleted since.
  // ResourceExhausted, with what there is and what is allowed, beyond the owner's quotas.
  absl::StatusOr<SweepRecord> CreateSweep(const NewSweep& sweep, const Quotas& quotas = {});
  // The sweep's check refused it. FailedPrecondition unless it is being checked.
  absl::Status FailCheck(const std::string& sweep_id, const std::string& error, int64_t now_ms);
  // The plan of a checked sweep: Begin (forgets an earlier plan), AddUnits in order, Finish (to
  // running, or to succeeded if every unit is done already; units once set aside are tried anew).
  // FailedPrecondition unless the sweep is in state checking (it was cancelled, say).
  absl::Status BeginPlan(const std::string& sweep_id, const std::string& model,
                         const std::string& device, const std::string& code_version);
  absl::Status AddUnits(const std::string& sweep_id, int64_t first_seq,
                        std::span<const PlannedUnit> units);
  absl::Status FinishPlan(const std::string& sweep_id, int64_t now_ms);
  // Ends the sweep and takes its leases back, except those that other running sweeps need too. An
  // ended sweep stays as it is. `request_id` may be empty; a repeated one has no effect.
  absl::StatusOr<std::vector<RevokedLease>> CancelSweep(const std::string& sweep_id,
                                                        const std::string& request_id,
                                                        int64_t now_ms);
  // Puts a failed or cancelled sweep back to checking; others stay as they are.
  absl::Status ResumeSweep(const std::string& sweep_id, const std::string& request_id);
  // FailedPrecondition while it is checked or runs. Its results go with CollectOrphans.
  absl::Status DeleteSweep(const std::string& sweep_id, const std::string& request_id);
  // Deletes up to `limit` units, with their results, that no sweep uses any more; nothing while a
  // sweep is being checked, for its plan may use them. Returns how many were looked at.
  absl::StatusOr<int64_t> CollectOrphans(int64_t limit);
  absl::StatusOr<int64_t> CollectableUnits();  // what CollectOrphans would look at now
  // Keys of up to `limit` units that CollectOrphans deleted, until ForgetDeletedUnits is told that
  // nobody else keeps anything of them. A unit that is planned anew is not among them.
  absl::StatusOr<std::vector<std::string>> DeletedUnits(int64_t limit);
  absl::Status ForgetDeletedUnits(std::span<const std::string> keys);

  // --- Units.
  // Puts the leases that LeaseNext gave on disk, if there are any that are not. Every other write
  // does so first.
  absl::Status WriteLeases();
  absl::StatusOr<ReleaseOutcome> ReleaseLease(const std::string& key, int64_t token,
                                              const Release& release, int64_t now_ms);
  // Writes the result and ends the lease, if `token` is that of the lease; else false and nothing
  // has changed. InvalidArgument if two rows have the same place.
  absl::StatusOr<bool> CommitResult(const std::string& key, int64_t token, const UnitResult& result,
                                    int64_t now_ms);

  // --- Dispatch.
  // Leases the first pending unit of the running sweep of highest priority that the worker can do;
  // among equals that of the user whose turn it is, then the oldest. The lease
  // goes to disk with the next write, and so before its result: a crash before that leaves the unit
  // pending, with a token that is never given again. Until then reads show it as pending.
  absl::StatusOr<std::optional<LeasedUnit>> LeaseNext(const LeaseRequest& request);
  // Sweeps in state checking, oldest first.
  absl::StatusOr<std::vector<SweepRecord>> CheckingSweeps(int64_t limit);
  absl::StatusOr<std::vector<StoredDataset>> SweepDatasets(int64_t sweep_row);
  // Passages [first, first + count) of a data set, but at most `max_bytes` of bodies (one passage
  // at least): an empty list means the end.
  absl::StatusOr<std::vector<StoredPassage>> ReadPassages(int64_t dataset, int64_t first,
                                                          int64_t count, int64_t max_bytes);
  absl::StatusOr<int64_t> QueuedUnits();  // over all running sweeps: the queue-depth metric
  // When the oldest sweep was made that has units queued; 0: none has.
  absl::StatusOr<int64_t> OldestQueuedMs();

  // --- Reading.
  absl::StatusOr<StoredDataset> FindDataset(const std::string& digest);  // NotFound
  // By id, else by name. NotFound; FailedPrecondition if several sweeps have that name.
  absl::StatusOr<SweepRecord> FindSweep(const std::string& id_or_name);
  // Newest first, those with row < before_row; 0: from the newest.
  absl::StatusOr<std::vector<SweepRecord>> ListSweeps(int64_t before_row, int64_t limit);
  absl::StatusOr<std::vector<UnitRecord>> ListUnits(int64_t sweep_row, int64_t after_seq,
                                                    int64_t limit);
  // Rows after the cursor in the order unit, passage, press, ratio, question; moves the cursor. An
  // empty list means the end. ReadHeatmap: nothing at the end.
  absl::StatusOr<std::vector<StoredAnswer>> ReadAnswers(int64_t sweep_row, int64_t limit,
                                                        RowCursor& cursor);
  absl::StatusOr<std::optional<StoredHeatmap>> ReadHeatmap(int64_t sweep_row,
                                                           HeatmapCursor& cursor);
  // Only points that have answers, by press, then ratio.
  absl::StatusOr<std::vector<CellSummary>> SummarizeCells(int64_t sweep_row,
                                                          const GridSlice& slice);
  // The same, of some of its points, each parted by its questions' tags: by press, ratio, then the
  // tags' values. `consensus_layer` is left empty. Reads every answer of the slice, a unit at a
  // time. ResourceExhausted: too many different tags.
  absl::StatusOr<std::vector<CellSummary>> SummarizeTags(int64_t sweep_row, const GridSlice& slice,
                                                         const std::vector<Tag>& tags,
                                                         const PointRange& points);
  absl::StatusOr<SliceCounts> CountUnits(int64_t sweep_row, const GridSlice& slice);
  // The slices that have units, in the order of their units.
  absl::StatusOr<std::vector<SliceProgress>> CountSlices(int64_t sweep_row);
  absl::StatusOr<StoreTotals> CountAll();
  StoreSizes Sizes();

  // Is called after every write transaction, on the writing thread, with the time from its begin to
  // its end on disk. To be set before the store is used.
  void OnCommit(std::function<void(absl::Duration, const absl::Status&)> observer);

  // For tests of a full disk: how many pages the file may have; 0 lifts the limit.
  absl::Status LimitPages(int64_t pages);

 private:
  struct LeaseNote {  // a lease that is not on disk yet
    int64_t unit = 0;
    int64_t token = 0;
    std::string worker;
  };

  Store(std::unique_ptr<FileLock> lock, std::unique_ptr<Database> writer,
        std::unique_ptr<Database> reader, std::unique_ptr<Database> lease_reader,
        std::unique_ptr<Database> checkpoints);
  absl::Status Recover();

  absl::Status Write(const std::function<absl::Status(Database&)>& body);

  std::unique_ptr<FileLock> lock_;
  absl::Mutex write_mutex_;
  absl::Mutex read_mutex_;
  absl::Mutex notes_mutex_;
  absl::Mutex lease_mutex_ ABSL_ACQUIRED_AFTER(notes_mutex_);
  std::unique_ptr<Database> writer_ ABSL_PT_GUARDED_BY(write_mutex_);
  std::unique_ptr<Database> reader_ ABSL_PT_GUARDED_BY(read_mutex_);
  std::unique_ptr<Database> lease_reader_ ABSL_PT_GUARDED_BY(lease_mutex_);
  std::unique_ptr<Checkpointer> checkpointer_;  // uses the writer: goes first
  std::vector<LeaseNote> notes_ ABSL_GUARDED_BY(notes_mutex_);
  std::function<void(absl::Duration, const absl::Status&)> on_commit_;  // may be empty
};

}  // namespace kvscope::orchestrator
