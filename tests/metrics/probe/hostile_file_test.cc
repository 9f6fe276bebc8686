// Files of hidden states with any bytes: an error that names the file, or a unit that can be read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "services/metrics/probe/feature_store.h"
#include "tests/metrics/probe/folder.h"

namespace kvscope::metrics {
namespace {

using ::testing::HasSubstr;

const std::string kKey(64, 'b');

class HostileFile : public ::testing::Test {
 protected:
  HostileFile() {
    auto writer = store_.Write(kKey, {.width = 5, .layers = {0, 3, 8}}).value();
    for (int row = 0; row < 9; ++row) {
      const std::vector<float> features(15, static_cast<float>(row));
      EXPECT_TRUE(writer
                      ->Add({{row % 2, row % 3}, "passage " + std::to_string(row / 3), row, "tag"},
                            features)
                      .ok());
    }
    EXPECT_TRUE(writer->Commit().ok());
    bytes_ = ReadBytes(Path());
  }

  ~HostileFile() override { ::close(memory_); }

  std::filesystem::path Path() const { return folder_.path() / (kKey + ".features"); }

  // True if the bytes are a unit, all of which was read then. They are in a file in memory.
  bool Try(const std::string& bytes) {
    EXPECT_EQ(::ftruncate(memory_, 0), 0);
    EXPECT_EQ(::pwrite(memory_, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    const std::string path = "/proc/self/fd/" + std::to_string(memory_);
    const auto unit = UnitFeatures::Open(path);
    if (!unit.ok()) {
      EXPECT_EQ(unit.status().code(), absl::StatusCode::kInvalidArgument) << unit.status();
      EXPECT_THAT(std::string(unit.status().message()), HasSubstr(path + " "));
      return false;
    }
    const FeatureShape& shape = (*unit)->shape();
    const auto layers = static_cast<int>(shape.layers.size());
    EXPECT_LE((*unit)->rows().size() * shape.row_floats() * sizeof(float), bytes.size());
    std::vector<float> features((*unit)->rows().empty() ? 0 : shape.row_floats());
    for (size_t row = 0; row < (*unit)->rows().size(); ++row) {
      EXPECT_TRUE((*unit)->Read(static_cast<int64_t>(row), 0, layers, features.data()).ok());
      EXPECT_LT((*unit)->rows()[row].cell, (*unit)->cells().size());
      EXPECT_LT((*unit)->rows()[row].passage, (*unit)->passages().size());
      EXPECT_LT((*unit)->rows()[row].label, (*unit)->labels().size());
    }
    return true;
  }

  template <typename T>
  std::string With(size_t offset, T value) const {
    std::string bytes = bytes_;
    std::memcpy(bytes.data() + offset, &value, sizeof(value));
    return bytes;
  }

  const Folder folder_;
  const FeatureStore store_ = FeatureStore::Open(folder_.path()).value();
  const int memory_ = ::memfd_create("features", 0);
  std::string bytes_;
};

TEST_F(HostileFile, CutAnywhere) {
  ASSERT_TRUE(Try(bytes_));
  for (size_t size = 0; size < bytes_.size(); ++size) EXPECT_FALSE(Try(bytes_.substr(0, size)));
  EXPECT_FALSE(Try(bytes_ + "x"));
  EXPECT_FALSE(Try(bytes_.substr(1)));
}

TEST_F(HostileFile, EveryNumberAtItsWorst) {
  for (size_t offset = 0; offset + 4 <= bytes_.size(); ++offset) {
    for (const uint32_t worst : {0u, 1u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
      Try(With(offset, worst));
    }
  }
  for (size_t offset = 0; offset + 8 <= bytes_.size(); ++offset) {
    for (const uint64_t worst : {0x7fffffffffffffffu, 0xffffffffffffffffu, 1ul << 62}) {
      Try(With(offset, worst));
    }
  }
}

TEST_F(HostileFile, RandomBytes) {
  std::mt19937_64 random(1);
  int units = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = bytes_;
    for (int change = 0; change < 1 + round % 5; ++change) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    units += Try(bytes);
  }
  EXPECT_GT(units, 100);  // features may be anything
  for (int round = 0; round < 300; ++round) {
    std::string bytes(random() % 400, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    EXPECT_FALSE(Try(bytes));
  }
}

TEST_F(HostileFile, SaysWhatIsWrong) {
  const auto message = [this](const std::string& bytes) {
    WriteBytes(Path(), bytes);
    return std::string(store_.Read(kKey).status().message());
  };
  EXPECT_THAT(message(""), HasSubstr("is 0 bytes long, which is too short"));
  EXPECT_THAT(message(With(0, 'X')), HasSubstr("does not begin as a file of hidden states"));
  EXPECT_THAT(message(bytes_.substr(0, bytes_.size() - 1)), HasSubstr("it is not complete"));
  EXPECT_THAT(message(With(8, 1u << 21)), HasSubstr("width 2097152"));
  EXPECT_THAT(message(With(8, 0u)), HasSubstr("probe width is 0, allowed: 1 to"));
  EXPECT_THAT(message(With(8, 6u)), HasSubstr("which does not fit"));
  EXPECT_THAT(message(With(bytes_.size() - 16, uint64_t{1} << 60)),
              HasSubstr("has 1152921504606846976 rows"));
  const size_t lists = bytes_.size() - 24 - 9 * 16 - (4 + 4 + 3) - (4 + 3 * (4 + 9)) - (4 + 6 * 8);
  EXPECT_THAT(message(With(lists, 0xffffffffu)), HasSubstr("broken list of cells"));
  EXPECT_THAT(message(With(lists + 52, 0xffffffffu)), HasSubstr("broken list of passages"));
  EXPECT_THAT(message(With(lists + 95, 0xffffffffu)), HasSubstr("broken list of labels"));
  EXPECT_THAT(message(With(bytes_.size() - 24 - 16, 6u)),
              HasSubstr("a row of a cell, passage or label that it does not list"));
}

TEST_F(HostileFile, NoFileAtAll) {
  std::filesystem::remove(Path());
  std::filesystem::create_directories(Path());
  EXPECT_THAT(std::string(store_.Read(kKey).status().message()),
              HasSubstr("is not a regular file"));
}

TEST_F(HostileFile, FileThatShrinksWhileItIsOpen) {
  const auto unit = store_.Read(kKey).value();
  std::filesystem::resize_file(Path(), 100);
  std::vector<float> features(15);
  const absl::Status status = unit->Read(8, 0, 3, features.data());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("has become shorter"));
}

}  // namespace
}  // namespace kvscope::metrics
