#include "services/rpc/instruments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <string>

#include "services/version.h"
#include "tests/rpc/scrape.h"

namespace kvscope::rpc {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Instruments, AreOnThePageBeforeTheirFirstChange) {
  const Counter good({"kvscope_test_events_total", "Events."}, {{"kind", "good"}, {"of", "x"}});
  EXPECT_THAT(Scrape(), HasSubstr("kvscope_test_events_total{kind=\"good\",of=\"x\"} 0\n"));
  good.Add();
  good.Add(2);
  const Counter again({"kvscope_test_events_total", "Events."}, {{"kind", "good"}, {"of", "x"}});
  again.Add();  // the same member
  EXPECT_THAT(Scrape(), HasSubstr("kvscope_test_events_total{kind=\"good\",of=\"x\"} 4\n"));
}

TEST(Instruments, GaugesGoBothWays) {
  const Gauge gauge({"kvscope_test_open", "Open."});
  gauge.Set(3);
  gauge.Add(-1);
  EXPECT_THAT(Scrape(), HasSubstr("kvscope_test_open 2\n"));
}

TEST(Instruments, HistogramsFillTheBucketsAbove) {
  const Histogram histogram({"kvscope_test_call_seconds", "Calls."}, LatencyBounds());
  histogram.Observe(absl::Milliseconds(3));
  histogram.Observe(100.0);
  const std::string page = Scrape();
  EXPECT_THAT(page, HasSubstr("kvscope_test_call_seconds_bucket{le=\"0.0025\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("kvscope_test_call_seconds_bucket{le=\"0.005\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("kvscope_test_call_seconds_bucket{le=\"+Inf\"} 2\n"));
  EXPECT_THAT(page, HasSubstr("kvscope_test_call_seconds_count 2\n"));
}

TEST(Instruments, TablesShowTheirLastRowsOnly) {
  const GaugeTable table({"kvscope_test_rows", "Rows."});
  EXPECT_THAT(Scrape(), Not(HasSubstr("kvscope_test_rows")));
  table.Replace({{{{"sweep", "a \"quoted\"\n"}}, 1}, {{{"sweep", "b"}}, 0.5}});
  EXPECT_THAT(Scrape(), HasSubstr("kvscope_test_rows{sweep=\"a \\\"quoted\\\"\\n\"} 1\n"));
  table.Replace({{{{"sweep", "b"}}, 2}});
  const std::string page = Scrape();
  EXPECT_THAT(page, HasSubstr("kvscope_test_rows{sweep=\"b\"} 2\n"));
  EXPECT_THAT(page, Not(HasSubstr("quoted")));
}

TEST(Instruments, ThePageTellsVersionAndProcess) {
  while (std::clock() < CLOCKS_PER_SEC / 20) {  // time that the system's ticks can show
  }
  const std::string page = Scrape();
  EXPECT_THAT(page, HasSubstr("kvscope_build_info{version=\"" + std::string(kVersion) + "\"} 1"));
  for (const char* name : {"process_cpu_seconds_total", "process_resident_memory_bytes",
                           "process_open_fds", "process_start_time_seconds"}) {
    const size_t at = page.find(std::string("\n") + name + " ");
    ASSERT_NE(at, std::string::npos) << name;
    EXPECT_GT(std::stod(page.substr(at + 2 + std::string(name).size())), 0) << name;
  }
}

TEST(Instruments, ATakenPortIsNamed) {
  const std::string address = "127.0.0.1:" + std::to_string(ScrapePort());
  const auto second = MetricsEndpoint::Start(address);
  ASSERT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(address));
}

}  // namespace
}  // namespace kvscope::rpc
