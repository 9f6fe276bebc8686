#include "services/metrics/registry.h"

#include <gtest/gtest.h>

#include <set>
#include <string_view>

namespace kvscope::metrics {
namespace {

TEST(MetricRegistry, EntriesAreCompleteAndUnique) {
  std::set<std::string_view> names;
  for (const MetricInfo& metric : AllMetrics()) {
    EXPECT_TRUE(names.insert(metric.name).second) << metric.name;
    EXPECT_TRUE(metric.summary.ends_with(".")) << metric.name;
    EXPECT_FALSE(metric.unit.empty()) << metric.name;
    EXPECT_FALSE(metric.source.empty()) << metric.name;
    EXPECT_FALSE(MetricLevelName(metric.level).empty()) << metric.name;
  }
}

TEST(MetricRegistry, HasTheColumnsOfAnAnswerRow) {
  for (const std::string_view name : {"f1",
                                      "exact",
                                      "outcome",
                                      "ger",
                                      "ger_layer",
                                      "ger_layer_mean",
                                      "eviction_rate",
                                      "evicted_share",
                                      "kept_ratio",
                                      "consensus_mean",
                                      "consensus_layer",
                                      "agreement_max",
                                      "agreement_layer",
                                      "generated_consensus_mean",
                                      "hallucination_rate",
                                      "unknown_rate",
                                      "exact_rate",
                                      "reached_defined",
                                      "reached_computed",
                                      "routes_defined",
                                      "routes_computed",
                                      "reachable_defined",
                                      "reachable_computed",
                                      "route_length_defined",
                                      "route_length_computed",
                                      "reach_bound",
                                      "must_reroute_layer"}) {
    ASSERT_NE(FindMetric(name), nullptr) << name;
    EXPECT_EQ(FindMetric(name)->name, name);
  }
  EXPECT_EQ(FindMetric("ger_"), nullptr);
}

TEST(MetricRegistry, SaysWhenGerIsNull) {
  EXPECT_EQ(FindMetric("ger")->null_when,
            "the gold answer neither occurs in the context nor has evidence there, or it abstains");
  EXPECT_EQ(FindMetric("f1")->null_when, "");
}

}  // namespace
}  // namespace kvscope::metrics
