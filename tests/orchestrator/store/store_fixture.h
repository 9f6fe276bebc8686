// A store in a folder of its own, and the steps that most tests begin with.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/store/store.h"

namespace kvscope::orchestrator {

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    // In memory where that is possible: thousands of small transactions then take no disk's time.
    const std::filesystem::path memory = "/dev/shm";
    const bool in_memory = std::filesystem::is_directory(memory);
    folder_ = (in_memory ? memory : std::filesystem::path(::testing::TempDir())) /
              absl::StrCat("kvscope-", info->test_suite_name(), "-", info->name(), "-", getpid());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    path_ = (folder_ / "store.db").string();
    Open();
  }
  ~StoreTest() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Open() {
    store_.reset();
    auto store = Store::Open(path_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  int64_t Dataset(const std::string& digest, int passages, int questions = 2) {
    const int64_t upload = store_->BeginDataset("knowledge").value();
    std::vector<StoredPassage> rows;
    for (int i = 0; i < passages; ++i) {
      rows.push_back({absl::StrCat("p", i), questions, absl::StrCat("{\"context\":\"", i, "\"}")});
    }
    EXPECT_TRUE(store_->AddPassages(upload, rows).ok());
    return store_->FinishDataset(upload, digest)->id;
  }

  NewSweep Spec(const std::string& id, std::vector<int64_t> datasets) {
    return {.sweep_id = id,
            .name = "name-" + id,
            .request_id = "request-" + id,
            .spec = "spec of " + id,
            .spec_digest = "digest of " + id,
            .device = "auto",
            .press_count = 1,
            .ratio_count = 2,
            .datasets = std::move(datasets),
            .create_time_ms = 1000};
  }

  // A running sweep with one unit a key, each of one passage with two questions.
  int64_t RunningSweep(const std::string& id, const std::vector<std::string>& keys) {
    const int64_t dataset = Dataset("data", 10);
    EXPECT_TRUE(store_->CreateSweep(Spec(id, {dataset})).ok());
    Plan(id, keys);
    return store_->FindSweep(id)->row;
  }

  void Plan(const std::string& id, const std::vector<std::string>& keys) {
    ASSERT_TRUE(store_->BeginPlan(id, "model", "cpu", "v1").ok());
    std::vector<PlannedUnit> units;
    for (size_t i = 0; i < keys.size(); ++i) {
      units.push_back({keys[i], 0, "agnostic", static_cast<int64_t>(i), 1, 4});
    }
    ASSERT_TRUE(store_->AddUnits(id, 0, units).ok());
    ASSERT_TRUE(store_->FinishPlan(id, 2000).ok());
  }

  std::optional<LeasedUnit> Lease(const std::string& worker = "w") {
    auto lease = store_->LeaseNext({worker, {"cpu"}, "v1"});
    EXPECT_TRUE(lease.ok()) << lease.status();
    return lease.ok() ? *lease : std::nullopt;
  }

  bool Commit(const LeasedUnit& lease, const UnitResult& result) {
    auto accepted = store_->CommitResult(lease.key, lease.token, result, 3000);
    EXPECT_TRUE(accepted.ok()) << accepted.status();
    return accepted.ok() && *accepted;
  }

  std::filesystem::path folder_;
  std::string path_;
  std::unique_ptr<Store> store_;
};

// The result of one passage, one press, two ratios and two questions; f1 is 1 at ratio 0 and `f1`
// at ratio 1.
inline UnitResult SmallResult(double f1, const std::string& text = "answer") {
  UnitResult result;
  for (int ratio = 0; ratio < 2; ++ratio) {
    CellRow cell{.place = {0, 0, ratio, -1},
                 .context_tokens = 100,
                 .kept_bytes = 50 - ratio,
                 .full_bytes = 50,
                 .eviction_rate = 0.25 * ratio,
                 .evicted_share = 0.5 * ratio,
                 .kept_pairs = 10 - 5 * ratio,
                 .full_pairs = 10,
                 .empty_heads = 0,
                 .evicted_share_layer = {0.5},
                 .eviction_rate_layer = {0.25}};
    result.cells.push_back(cell);
    for (int question = 0; question < 2; ++question) {
      AnswerRow answer;
      answer.place = {0, 0, ratio, question};
      answer.answer = text;
      answer.f1 = ratio == 0 ? 1.0 : f1;
      answer.exact = ratio == 0;
      answer.outcome = ratio == 0 ? 1 : 3;
      result.answers.push_back(answer);
    }
  }
  return result;
}

}  // namespace kvscope::orchestrator
