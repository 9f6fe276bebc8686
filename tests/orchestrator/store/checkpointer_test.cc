#include "services/orchestrator/store/checkpointer.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"

namespace kvscope::orchestrator {
namespace {

TEST(Checkpointer, TheLogStartsOverWhileWritersGoOn) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / absl::StrCat("kvscope-checkpointer-", getpid());
  std::filesystem::create_directories(folder);
  const std::string path = (folder / "store.db").string();
  constexpr int kRows = 100;
  const std::string row(2 << 20, 'x');
  uintmax_t longest = 0;
  {
    const std::unique_ptr<Database> writer = *Database::Open(path);
    const Checkpointer checkpointer(*Database::Open(path), *writer);
    ASSERT_TRUE(writer->Execute("CREATE TABLE rows (text TEXT)").ok());
    for (int i = 0; i < kRows; ++i) {
      const auto insert = [&] { return writer->Run("INSERT INTO rows VALUES (?1)", row); };
      ASSERT_TRUE(writer->InTransaction(insert).ok());
      longest = std::max(longest, std::filesystem::file_size(path + "-wal"));
    }
  }
  EXPECT_LT(longest, uintmax_t{80} << 20);
  EXPECT_EQ((*Database::Open(path))->Number("SELECT count(*) FROM rows").value(), kRows);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace kvscope::orchestrator
