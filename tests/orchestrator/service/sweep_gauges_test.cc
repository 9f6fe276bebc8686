// SweepGauges: the page shows the newest sweeps and what they have found, and no others.
#include "services/orchestrator/service/sweep_gauges.h"

#include <algorithm>
#include <memory>
#include <string>

#include "services/rpc/telemetry.h"
#include "tests/orchestrator/store/store_fixture.h"
#include "tests/rpc/scrape.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ManualClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::FromUnixSeconds(1000); }
  absl::Duration Uptime() const override { return uptime; }
  absl::Duration uptime;
};

class SweepGaugesTest : public StoreTest {
 protected:
  SweepGaugesTest() { rpc::SetLogLevel(rpc::LogLevel::kOff); }

  // A running sweep: one press, ratios 0 and 0.5, one unit a key in each regime.
  void Submit(const std::string& id, const std::vector<std::string>& keys,
              const std::vector<std::string>& aware_keys = {}) {
    v1::SweepSpec spec;
    spec.set_name("name-" + id);
    spec.set_model("pocket");
    spec.add_datasets()->set_name("knowledge");
    spec.add_regimes(v1::AGNOSTIC);
    if (!aware_keys.empty()) spec.add_regimes(v1::AWARE);
    spec.add_presses("snapkv");
    spec.add_ratios(0);
    spec.add_ratios(0.5);
    NewSweep sweep = Spec(id, {Dataset("data", 10)});
    sweep.spec = Serialize(spec);
    ASSERT_TRUE(store_->CreateSweep(sweep).ok());
    ASSERT_TRUE(store_->BeginPlan(id, "", "cpu", "v1").ok());
    std::vector<PlannedUnit> units;
    for (const auto& [regime, of_regime] :
         {std::pair("agnostic", keys), std::pair("aware", aware_keys)}) {
      for (size_t i = 0; i < of_regime.size(); ++i) {
        units.push_back({of_regime[i], 0, regime, static_cast<int64_t>(i), 1, 4});
      }
    }
    ASSERT_TRUE(store_->AddUnits(id, 0, units).ok());
    ASSERT_TRUE(store_->FinishPlan(id, 2000).ok());
  }

  std::string Page() {
    clock_.uptime += absl::Seconds(10);
    const absl::Status refreshed = gauges_->Refresh();
    EXPECT_TRUE(refreshed.ok()) << refreshed;
    return rpc::Scrape();
  }

  ManualClock clock_;
  std::unique_ptr<SweepGauges> gauges_ = std::make_unique<SweepGauges>(*store_, clock_);
};

TEST_F(SweepGaugesTest, CountsUnitsCellsAndStreams) {
  Submit("s1", {"k1", "k2"}, {"k3"});
  ASSERT_TRUE(Commit(*Lease(), SmallResult(0.5)));
  const std::string page = Page();
  for (const char* line :
       {"kvscope_sweep_info{model=\"pocket\",name=\"name-s1\",state=\"running\",sweep=\"s1\"} 1",
        "kvscope_sweep_units{state=\"done\",sweep=\"s1\"} 1",
        "kvscope_sweep_units{state=\"pending\",sweep=\"s1\"} 2",
        "kvscope_sweep_cells{state=\"running\",sweep=\"s1\"} 2",
        "kvscope_sweep_cells{state=\"pending\",sweep=\"s1\"} 2",
        "kvscope_sweep_streams{state=\"done\",sweep=\"s1\"} 4",
        "kvscope_sweep_streams{state=\"open\",sweep=\"s1\"} 8",
        "kvscope_orchestrator_sweeps{state=\"running\"} 1",
        "kvscope_orchestrator_sweeps{state=\"failed\"} 0",
        "kvscope_orchestrator_units{state=\"pending\"} 2"}) {
    EXPECT_THAT(page, HasSubstr(std::string(line) + "\n"));
  }
}

TEST_F(SweepGaugesTest, PointsAreOfTheLastFinishedSlice) {
  const std::string f1 = "kvscope_sweep_f1_ratio{press=\"snapkv\",ratio=\"0.5\",sweep=\"s1\"} ";
  Submit("s1", {"k1", "k2"}, {"k3"});
  EXPECT_THAT(Page(), Not(HasSubstr("kvscope_sweep_f1_ratio{")));
  ASSERT_TRUE(Commit(*Lease(), SmallResult(0.5)));
  EXPECT_THAT(Page(), HasSubstr(f1 + "0.5\n"));  // none is finished: of what there is
  ASSERT_TRUE(Commit(*Lease(), SmallResult(0.25)));
  EXPECT_THAT(Page(), HasSubstr(f1 + "0.375\n"));
  ASSERT_TRUE(Commit(*Lease(), SmallResult(0.75)));
  const std::string page = Page();
  EXPECT_THAT(page, HasSubstr(f1 + "0.75\n"));
  EXPECT_THAT(page, HasSubstr("kvscope_sweep_hallucination_ratio{press=\"snapkv\",ratio=\"0.5\","
                              "sweep=\"s1\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("kvscope_sweep_slice_info{dataset=\"knowledge\",model=\"pocket\","
                              "regime=\"aware\",sweep=\"s1\"} 1\n"));
  EXPECT_THAT(page, Not(HasSubstr("kvscope_sweep_ger_ratio{")));  // no answer has one
}

TEST_F(SweepGaugesTest, OldAndDeletedSweepsLeaveThePage) {
  for (int i = 0; i < SweepGauges::kSweeps + 2; ++i) {
    Submit(absl::StrCat("s", i), {absl::StrCat("k", i)});
  }
  std::string page = Page();
  EXPECT_THAT(page, Not(HasSubstr("sweep=\"s0\"")));
  EXPECT_THAT(page, Not(HasSubstr("sweep=\"s1\"")));
  EXPECT_THAT(page, HasSubstr("sweep=\"s2\""));
  ASSERT_TRUE(store_->CancelSweep("s5", "", 3000).ok());
  ASSERT_TRUE(store_->DeleteSweep("s5", "delete").ok());
  page = Page();
  EXPECT_THAT(page, Not(HasSubstr("sweep=\"s5\"")));
  EXPECT_THAT(page, HasSubstr("sweep=\"s1\""));  // one of the newest again
}

TEST_F(SweepGaugesTest, ChangesOfStateAreLogged) {
  rpc::SetLogLevel(rpc::LogLevel::kInfo);
  Page();  // what is there at the start is no news
  testing::internal::CaptureStderr();
  Submit("s1", {"k1"});
  Page();
  ASSERT_TRUE(Commit(*Lease(), SmallResult(0.5)));
  Page();
  Page();
  const std::string log = testing::internal::GetCapturedStderr();
  rpc::SetLogLevel(rpc::LogLevel::kOff);
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 2) << log;
  EXPECT_THAT(log, HasSubstr("\"message\":\"sweep running\",\"sweep\":\"s1\""));
  EXPECT_THAT(log, HasSubstr("\"message\":\"sweep succeeded\",\"sweep\":\"s1\""));
}

TEST_F(SweepGaugesTest, WaitsBetweenReadings) {
  Page();
  Submit("s1", {"k1"});
  clock_.uptime += absl::Milliseconds(100);
  ASSERT_TRUE(gauges_->Refresh().ok());
  EXPECT_THAT(rpc::Scrape(), Not(HasSubstr("sweep=\"s1\"")));
  EXPECT_THAT(Page(), HasSubstr("sweep=\"s1\""));
}

}  // namespace
}  // namespace kvscope::orchestrator
