// SweepGauges: where the most recent sweeps stand and what they have found, as gauges for
// Prometheus; and a line of the log for each change of a sweep's state.
//
// Bounded: the kSweeps newest sweeps, and of each the first kPoints points of its grid. Older ones
// leave the page when newer ones come, deleted ones at once.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/orchestrator/schedule/clock.h"
#include "services/orchestrator/service/conversions.h"
#include "services/orchestrator/store/store.h"
#include "services/rpc/instruments.h"

namespace kvscope::orchestrator {

class SweepGauges {
 public:
  static constexpr int64_t kSweeps = 10;
  static constexpr size_t kPoints = 200;

  // Both must outlive the gauges.
  SweepGauges(Store& store, const Clock& clock);

  // Reads what has changed since the last time. Always on one thread. Does nothing while the last
  // time is so recent that reading would take more than a twentieth of that thread.
  absl::Status Refresh();

 private:
  struct Point {
    std::string press, ratio;
    double compression_ratio = 0;
    CellSummary summary;
  };
  struct Seen {  // what is known of a sweep
    SweepRecord record;
    std::string model;
    std::map<std::string, int64_t> cells;  // by state
    // The slice that the points are of: the last one that is finished; before there is one, the
    // first that has answers, which are read anew with every unit.
    GridSlice slice;
    int64_t slice_units_done = 0;
    std::string slice_model, slice_dataset;
    std::vector<Point> points;
  };

  absl::Status Read(SweepRecord record, Seen& seen);
  absl::Status ReadPoints(const SweepProtos& protos, const SliceProgress& slice, Seen& seen);
  absl::Status PublishTotals();
  void Publish();

  Store& store_;
  const Clock& clock_;
  std::map<std::string, Seen> sweeps_;  // by id
  bool first_ = true;
  absl::Duration next_;

  const rpc::GaugeTable sweeps_by_state_, units_by_state_;
  const rpc::GaugeTable info_, units_, cells_, streams_;
  const rpc::GaugeTable slice_info_, ratio_, ger_, hallucination_, f1_, kept_;
};

}  // namespace kvscope::orchestrator
