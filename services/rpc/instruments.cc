#include "services/rpc/instruments.h"

#include <prometheus/collectable.h>
#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <array>
#include <exception>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "services/rpc/address.h"
#include "services/rpc/process_stats.h"
#include "services/status_macros.h"
#include "services/version.h"

namespace kvscope::rpc {

struct GaugeTable::Content {
  std::string name, help;
  std::mutex mutex;
  Rows rows;

  prometheus::MetricFamily Collect() {
    prometheus::MetricFamily family{name, help, prometheus::MetricType::Gauge, {}};
    const std::lock_guard<std::mutex> lock(mutex);
    for (const auto& [labels, value] : rows) {
      prometheus::ClientMetric& metric = family.metric.emplace_back();
      for (const auto& [label, text] : labels) metric.label.push_back({label, text});
      metric.gauge.value = value;
    }
    return family;
  }
};

// Everything that this process tells.
class MetricsPage final : public prometheus::Collectable {
 public:
  // Never destroyed: threads may still count while the process ends.
  static const std::shared_ptr<MetricsPage>& Get() {
    static const auto* page = new std::shared_ptr<MetricsPage>(std::make_shared<MetricsPage>());
    return *page;
  }

  prometheus::Registry& registry() { return registry_; }

  std::shared_ptr<GaugeTable::Content> Table(const MetricFamily& family) {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& table : tables_) {
      if (table->name == family.name) return table;
    }
    tables_.push_back(std::make_shared<GaugeTable::Content>());
    tables_.back()->name = family.name;
    tables_.back()->help = family.help;
    return tables_.back();
  }

  std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<prometheus::MetricFamily> families = registry_.Collect();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (const auto& table : tables_) families.push_back(table->Collect());
    }
    for (prometheus::MetricFamily& family : ProcessStats()) families.push_back(std::move(family));
    std::erase_if(families, [](const auto& family) { return family.metric.empty(); });
    std::sort(families.begin(), families.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    return families;
  }

 private:
  prometheus::Registry registry_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<GaugeTable::Content>> tables_;
};

namespace {

template <typename Builder>
auto& FamilyOf(Builder builder, const MetricFamily& family) {
  return builder.Name(std::string(family.name))
      .Help(std::string(family.help))
      .Register(MetricsPage::Get()->registry());
}

}  // namespace

Counter::Counter(const MetricFamily& family, const MetricLabels& labels)
    : member_(&FamilyOf(prometheus::BuildCounter(), family).Add(labels)) {}
void Counter::Add(double by) const { member_->Increment(by); }

Gauge::Gauge(const MetricFamily& family, const MetricLabels& labels)
    : member_(&FamilyOf(prometheus::BuildGauge(), family).Add(labels)) {}
void Gauge::Set(double value) const { member_->Set(value); }
void Gauge::Add(double by) const { member_->Increment(by); }

std::span<const double> LatencyBounds() {
  static constexpr double kBounds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                       0.1,    0.25,  0.5,    1,     2.5,  5,     10};
  return kBounds;
}

std::span<const double> WorkBounds() {
  static constexpr double kBounds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                       2.5,   5,    10,    30,   60,  120,  300, 600};
  return kBounds;
}

Histogram::Histogram(const MetricFamily& family, std::span<const double> bounds,
                     const MetricLabels& labels)
    : member_(&FamilyOf(prometheus::BuildHistogram(), family)
                   .Add(labels,
                        prometheus::Histogram::BucketBoundaries(bounds.begin(), bounds.end()))) {}
void Histogram::Observe(double value) const { member_->Observe(value); }

GaugeTable::GaugeTable(const MetricFamily& family) : content_(MetricsPage::Get()->Table(family)) {}

void GaugeTable::Replace(Rows rows) const {
  const std::lock_guard<std::mutex> lock(content_->mutex);
  content_->rows = std::move(rows);
}

struct MetricsEndpoint::State {
  explicit State(const std::string& address) : exposer(address) {}
  prometheus::Exposer exposer;
};

MetricsEndpoint::MetricsEndpoint(std::unique_ptr<State> state) : state_(std::move(state)) {}
MetricsEndpoint::~MetricsEndpoint() = default;

int MetricsEndpoint::port() const { return state_->exposer.GetListeningPorts().at(0); }

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(std::string_view address) {
  KVSCOPE_ASSIGN_OR_RETURN(Address parsed, ParseAddress(address));
  if (parsed.host == "localhost") parsed.host = "127.0.0.1";  // the HTTP server takes numbers only
  Gauge({"kvscope_build_info", "1, labelled with the version that runs."},
        {{"version", std::string(kVersion)}})
      .Set(1);
  try {
    auto state = std::make_unique<State>(parsed.ToString());
    state->exposer.RegisterCollectable(MetricsPage::Get());
    return std::unique_ptr<MetricsEndpoint>(new MetricsEndpoint(std::move(state)));
  } catch (const std::exception& error) {
    return absl::UnavailableError(absl::StrCat("cannot serve metrics on ", parsed.ToString(),
                                               ": the port is taken or not ours (", error.what(),
                                               ")"));
  }
}

}  // namespace kvscope::rpc
