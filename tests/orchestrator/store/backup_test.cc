#include "services/orchestrator/store/backup.h"

#include <filesystem>
#include <fstream>

#include "tests/orchestrator/store/store_fixture.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::HasSubstr;

class Backup : public StoreTest {
 protected:
  const std::string target_ = path_ + ".backup";
};

TEST_F(Backup, OfAStoreInUseHoldsWhatWasCommittedThen) {
  RunningSweep("s1", {"k1", "k2"});
  ASSERT_TRUE(Commit(*Lease(), SmallResult(0.5)));
  ASSERT_TRUE(Lease().has_value());  // k2 is out when the copy is made
  ASSERT_TRUE(BackUp(path_, target_).ok());
  EXPECT_FALSE(std::filesystem::exists(target_ + ".partial"));
  store_.reset();

  auto copy = Store::Open(target_);
  ASSERT_TRUE(copy.ok()) << copy.status();
  store_ = *std::move(copy);
  EXPECT_EQ(store_->FindSweep("s1")->state, SweepState::kRunning);
  const auto again = Lease();
  ASSERT_TRUE(again.has_value());  // k2 alone
  ASSERT_TRUE(Commit(*again, SmallResult(0.5)));
  EXPECT_FALSE(Lease().has_value());
}

TEST_F(Backup, NeverOverwritesAndSaysWhatIsMissing) {
  std::ofstream(target_) << "mine";
  absl::Status status = BackUp(path_, target_);
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(status.message()), HasSubstr(target_));
  EXPECT_EQ(std::filesystem::file_size(target_), 4u);

  status = BackUp(path_ + ".missing", target_ + "2");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(path_ + ".missing"));
  EXPECT_EQ(BackUp(path_, "/no/such/folder/x").code(), absl::StatusCode::kNotFound);
}

TEST_F(Backup, OfAnotherProgramsFileIsRefused) {
  const std::string other = path_ + ".other";
  std::filesystem::remove(other);
  std::ofstream(other) << "";
  EXPECT_EQ(BackUp(other, target_).code(), absl::StatusCode::kInvalidArgument);
  std::ofstream(other) << std::string(4096, 'x');
  EXPECT_EQ(BackUp(other, target_).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(target_));
  std::filesystem::remove(other);
}

}  // namespace
}  // namespace kvscope::orchestrator
