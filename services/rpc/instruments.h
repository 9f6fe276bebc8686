// Counters, gauges and histograms of this process, and the endpoint where Prometheus reads them.
//
// A member of a family is found by its labels when its handle is made, and is on the page from then
// on, at 0: make handles at the start of a process and keep them. A change then costs an atomic
// operation (a histogram's: a lock that nobody else holds). Handles are small and may be copied;
// members are never destroyed. Two handles with equal family and labels are one member.
//
// Names: kvscope_SERVICE_WHAT_UNIT, base units (seconds, bytes), counters end in _total, a share of
// a whole is a _ratio from 0 to 1. Labels take few values that are known beforehand, but for those
// of a GaugeTable. docs/metrics.md lists them all.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace kvscope::rpc {

struct MetricFamily {
  std::string_view name;
  std::string_view help;  // one sentence
};

using MetricLabels = std::map<std::string, std::string>;

class Counter {
 public:
  explicit Counter(const MetricFamily& family, const MetricLabels& labels = {});
  void Add(double by = 1) const;  // `by` >= 0

 private:
  prometheus::Counter* member_;
};

class Gauge {
 public:
  explicit Gauge(const MetricFamily& family, const MetricLabels& labels = {});
  void Set(double value) const;
  void Add(double by) const;

 private:
  prometheus::Gauge* member_;
};

// Upper bounds of a histogram's buckets, in seconds: of calls and commits, and of work.
std::span<const double> LatencyBounds();  // 0.5 ms to 10 s
std::span<const double> WorkBounds();     // 5 ms to 10 min

class Histogram {
 public:
  Histogram(const MetricFamily& family, std::span<const double> bounds,
            const MetricLabels& labels = {});
  void Observe(double value) const;
  void Observe(absl::Duration value) const { Observe(absl::ToDoubleSeconds(value)); }

 private:
  prometheus::Histogram* member_;
};

// A family of gauges whose members come and go: all are replaced at once, so that a page shows one
// state. Its maker bounds their number.
class GaugeTable {
 public:
  using Rows = std::vector<std::pair<MetricLabels, double>>;

  explicit GaugeTable(const MetricFamily& family);
  void Replace(Rows rows) const;

 private:
  struct Content;
  std::shared_ptr<Content> content_;

  friend class MetricsPage;
};

// Serves all of the above as http://ADDRESS/metrics, with kvscope_build_info and the process_
// metrics that every Prometheus client has.
class MetricsEndpoint {
 public:
  // Errors: InvalidArgument (no HOST:PORT), Unavailable (port taken).
  static absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Start(std::string_view address);
  ~MetricsEndpoint();
  int port() const;

 private:
  struct State;
  explicit MetricsEndpoint(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kvscope::rpc
