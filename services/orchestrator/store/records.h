// Records: what the store holds, as plain structs. A regime is its name: "agnostic", "aware" or
// "aware_each". Times are milliseconds since 1970.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kvscope::orchestrator {

// Numbers are stored: never change one.
enum class SweepState {
  kChecking = 1,  // waits for a worker's check, or is being checked or cut into units
  kRunning = 2,
  kSucceeded = 3,
  kFailed = 4,
  kCancelled = 5,
};
inline bool Ended(SweepState state) { return state >= SweepState::kSucceeded; }

enum class UnitState { kPending = 1, kLeased = 2, kDone = 3, kFailed = 4 };

// A data set that is complete.
struct StoredDataset {
  int64_t id = 0;
  std::string digest;  // hex
  std::string name;    // of its first upload
  int64_t passage_count = 0;
  int64_t question_count = 0;
};

struct StoredPassage {
  std::string passage_id;
  int64_t question_count = 0;
  std::string body;  // JSON, one line
};

struct NewSweep {
  std::string sweep_id;  // 16 hex digits
  std::string name;
  std::string request_id;
  std::string spec;         // the caller's bytes, deterministic
  std::string spec_digest;  // hex; decides whether a repeated request_id means the same
  std::string device;       // "auto", or what a worker must offer
  int press_count = 0;
  int ratio_count = 0;
  std::vector<int64_t> datasets;  // StoredDataset.id, in the spec's order
  int64_t create_time_ms = 0;
  std::string owner = {};  // empty: nobody was asked who they are
  int priority = 0;        // higher first
  int64_t cells = 0;       // points of its grid
};

// What one user may have at a time; 0: as much as they like.
struct Quotas {
  int64_t open_sweeps = 0;  // being checked or running
  int64_t open_cells = 0;   // of their grids
  int64_t dataset_bytes = 0;
};

struct SweepRecord {
  int64_t row = 0;  // grows with time; pages count down from it
  std::string sweep_id;
  std::string name;
  std::string spec;
  SweepState state = SweepState::kChecking;
  std::string error;
  std::string model;         // bytes of the caller; empty until checked
  std::string device;        // of the spec
  std::string unit_device;   // as the check resolved it
  std::string code_version;  // of the worker that checked it
  int64_t create_time_ms = 0;
  int64_t end_time_ms = 0;  // 0: has not ended
  int64_t units_total = 0;
  int64_t units_done = 0;
  int64_t units_running = 0;
  int64_t units_failed = 0;
  int64_t units_reused = 0;
  int64_t streams_total = 0;
  int64_t streams_done = 0;  // of units done
  std::string owner;
  int priority = 0;
};

// A unit as the plan of a sweep names it.
struct PlannedUnit {
  std::string key;
  int dataset_ordinal = 0;  // in the sweep's list
  std::string regime;
  int64_t first_passage = 0;
  int64_t passage_count = 0;
  int64_t streams = 0;
  int model_ordinal = 0;  // in the sweep's list
};

struct LeasedUnit {
  std::string key;
  int64_t token = 0;
  std::string sweep_id;
  int64_t sweep_row = 0;
  int64_t dataset = 0;  // StoredDataset.id
  int dataset_ordinal = 0;
  std::string regime;
  int64_t first_passage = 0;
  int64_t passage_count = 0;
  int64_t streams = 0;
  int press_count = 0;
  int ratio_count = 0;
  int attempt = 0;  // from 1
  int model_ordinal = 0;
  std::string owner;  // of the sweep that it is computed for
};

struct UnitRecord {
  int64_t seq = 0;
  std::string key;
  UnitState state = UnitState::kPending;
  int dataset_ordinal = 0;
  std::string regime;
  int64_t first_passage = 0;
  int64_t passage_count = 0;
  int attempts = 0;
  std::string worker;
  std::string error;
  int model_ordinal = 0;
};

// Where a result row belongs within its unit.
struct RowPlace {
  int32_t passage = 0;
  int32_t press = 0;
  int32_t ratio = 0;
  int32_t question = 0;  // of a cell: -1 unless the keep set is one question's
};

struct CellRow {
  RowPlace place;
  int32_t context_tokens = 0;
  int64_t kept_bytes = 0;
  int64_t full_bytes = 0;
  double eviction_rate = 0;
  double evicted_share = 0;
  int64_t kept_pairs = 0;
  int64_t full_pairs = 0;
  int64_t empty_heads = 0;
  std::vector<double> evicted_share_layer;
  std::vector<double> eviction_rate_layer;
};

struct AnswerRow {
  RowPlace place;
  std::string answer;
  int32_t generated_tokens = 0;
  bool ended = false;
  double f1 = 0;
  bool exact = false;
  int32_t outcome = 0;  // the caller's number; 3 is a hallucination, 4 an unknown
  std::optional<double> ger;
  std::optional<double> ger_layer_mean;
  std::optional<double> consensus_mean;
  std::optional<double> agreement_max;
  std::optional<double> generated_consensus_mean;
  std::optional<double> generated_agreement_max;
  std::optional<double> answer_mass_mean;
  std::vector<double> ger_layer;
  std::vector<double> consensus_layer;  // NaN where undefined
  std::vector<double> agreement_layer;
  std::string routes;  // the caller's bytes; empty: not measured
};

struct HeatmapRow {
  RowPlace place;
  int32_t layers = 0;
  int32_t kv_heads = 0;
  std::string keep_bits;
  std::vector<std::string> tokens;
  std::vector<int32_t> answer_tokens;
  std::string question;
};

// All that one unit computed.
struct UnitResult {
  std::vector<CellRow> cells;
  std::vector<AnswerRow> answers;
  std::vector<HeatmapRow> heatmaps;
};

// The slice of the sweep's data that a stored row comes from.
struct SliceInfo {
  int64_t seq = 0;  // of the unit in its sweep
  int dataset_ordinal = 0;
  int64_t dataset = 0;  // StoredDataset.id
  std::string regime;
  int64_t first_passage = 0;
  int model_ordinal = 0;
};

struct StoredAnswer {
  SliceInfo slice;
  AnswerRow answer;
  CellRow cell;  // its keep set; layers are left out
};

struct StoredHeatmap {
  SliceInfo slice;
  HeatmapRow heatmap;
};

// Reads go on after the row that the cursor names; a default one starts at the first.
struct RowCursor {
  int64_t seq = 0;
  RowPlace after = {-1, -1, -1, -1};  // within unit `seq`
};

struct HeatmapCursor {
  int64_t seq = 0;
  int64_t after = 0;  // within unit `seq`; the store's own number
};

// A lease that a cancelled sweep no longer needs.
struct RevokedLease {
  std::string key;
  int64_t token = 0;
  std::string worker;
};

// What a worker must be like to get a lease, and who it is.
struct LeaseRequest {
  std::string worker;
  std::vector<std::string> devices;
  std::string code_version;
  // Of users whose sweeps have one priority, the one with the lowest turn comes first; null: all
  // have the same.
  std::function<double(const std::string& owner)> turn = nullptr;
};

// How a lease ends without a result.
struct Release {
  std::string error = {};     // of this attempt; empty keeps the last one
  bool costs_attempt = true;  // false: given back, not failed
  bool retryable = true;      // false: set aside at once
  int max_attempts = 3;       // set aside when so many were made
};
enum class ReleaseOutcome {
  kStale,     // another holds the unit, or nobody: nothing changed
  kPending,   // it will be leased again
  kSetAside,  // it has failed for good
};

// One point of the grid, over all answers recorded so far. A mean is unset where no answer has it.
struct CellSummary {
  int press = 0;
  int ratio = 0;
  int64_t answers = 0;
  std::optional<double> f1, exact, hallucination_rate, unknown_rate;
  std::optional<double> ger, ger_layer_mean, eviction_rate, evicted_share;
  std::optional<double> consensus_mean, agreement_max, kept_ratio;
  // [layers], NaN where undefined; empty: never defined.
  std::vector<double> consensus_layer, agreement_layer, ger_layer;
  std::vector<double> eviction_rate_layer, evicted_share_layer;
  int64_t ger_count = 0;
  std::vector<std::string> tags;  // of the answers' questions, where they part the cell
};

// What the questions of a data set are told apart by. A tag's value is a text; empty: not tagged.
enum class Tag { kDirection, kAnswerType, kQuestionType, kHop };
inline constexpr std::string_view kTagNames[] = {"direction", "answer_type", "question_type",
                                                 "hop"};  // as in a passage's JSON
inline constexpr std::string_view TagName(Tag tag) { return kTagNames[static_cast<size_t>(tag)]; }
std::optional<Tag> TagOf(std::string_view name);

// One model on one data set in one regime; ordinals in the sweep's lists.
struct GridSlice {
  int model_ordinal = 0;
  int dataset_ordinal = 0;
  std::string regime;
};

// How many of a slice's units stand where.
struct SliceCounts {
  int64_t pending = 0, leased = 0, done = 0, failed = 0;
};

struct SliceProgress {
  GridSlice slice;
  SliceCounts counts;
};

// Over all sweeps. A unit counts once for each sweep that has it; pending and running ones only of
// sweeps that run.
struct StoreTotals {
  std::map<SweepState, int64_t> sweeps;
  int64_t units_pending = 0, units_running = 0, units_done = 0, units_failed = 0;
};

// Bytes on disk at this moment.
struct StoreSizes {
  int64_t database = 0;
  int64_t log = 0;  // the write-ahead log
};

}  // namespace kvscope::orchestrator
