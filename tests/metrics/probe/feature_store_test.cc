#include "services/metrics/probe/feature_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "tests/metrics/probe/folder.h"

namespace kvscope::metrics {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kKey(64, 'a'), kOther(64, '0');

FeatureStore OpenStore(const Folder& folder) { return FeatureStore::Open(folder.path()).value(); }

// [2, 3] features that tell their row.
std::vector<float> Features(float row) {
  return {row, row + .1f, row + .2f, -row, -row - .1f, -row - .2f};
}

const FeatureShape kShape = {.width = 3, .layers = {4, 9}};

void WriteRows(const FeatureStore& store, const std::string& key, float first) {
  auto writer = store.Write(key, kShape).value();
  ASSERT_TRUE(writer->Add({{0, 1}, "p1", 0, "Person"}, Features(first)).ok());
  ASSERT_TRUE(writer->Add({{0, 2}, "p1", 0, "Person"}, Features(first + 1)).ok());
  ASSERT_TRUE(writer->Add({{0, 1}, "p2", 7, ""}, Features(first + 2)).ok());
  ASSERT_TRUE(writer->Commit().ok());
}

TEST(FeatureStore, GivesBackWhatWasWritten) {
  const Folder folder;
  const FeatureStore store = OpenStore(folder);
  WriteRows(store, kKey, 1);

  const auto unit = store.Read(kKey).value();
  EXPECT_EQ(unit->shape(), kShape);
  EXPECT_THAT(unit->cells(), ElementsAre(ProbeCell{0, 1}, ProbeCell{0, 2}));
  EXPECT_THAT(unit->passages(), ElementsAre("p1", "p2"));
  EXPECT_THAT(unit->labels(), ElementsAre("Person", ""));
  ASSERT_THAT(unit->rows(), SizeIs(3));
  const FeatureIndex last = unit->rows()[2];
  EXPECT_EQ(last.cell, 0u);
  EXPECT_EQ(last.passage, 1u);
  EXPECT_EQ(last.question_index, 7u);
  EXPECT_EQ(last.label, 1u);

  std::vector<float> both(6), second(3);
  for (int row = 0; row < 3; ++row) {
    const std::vector<float> expected = Features(static_cast<float>(row + 1));
    ASSERT_TRUE(unit->Read(row, 0, 2, both.data()).ok());
    EXPECT_EQ(both, expected);
    ASSERT_TRUE(unit->Read(row, 1, 1, second.data()).ok());
    EXPECT_EQ(second, std::vector(expected.begin() + 3, expected.end()));
  }
}

TEST(FeatureStore, KeepsManyRowsOfAnyBitsAndNames) {
  const Folder folder;
  const FeatureStore store = OpenStore(folder);
  const int rows = 3000, width = 257;  // more than the writer's buffer, several times
  auto writer = store.Write(kKey, {.width = width, .layers = {0}}).value();
  std::vector<float> features(width);
  for (int row = 0; row < rows; ++row) {
    for (int i = 0; i < width; ++i) features[i] = static_cast<float>(row * width + i);
    features[0] = std::numeric_limits<float>::quiet_NaN();
    const std::string passage = "p\0\n\xff" + std::to_string(row);
    ASSERT_TRUE(writer->Add({{row % 7, row % 11}, passage, row, "t"}, features).ok());
  }
  ASSERT_TRUE(writer->Commit().ok());

  const auto unit = store.Read(kKey).value();
  ASSERT_THAT(unit->rows(), SizeIs(rows));
  for (const int row : {0, 1, 1234, rows - 1}) {
    const FeatureIndex& index = unit->rows()[row];
    EXPECT_EQ(unit->cells()[index.cell], (ProbeCell{row % 7, row % 11}));
    EXPECT_EQ(unit->passages()[index.passage], "p\0\n\xff" + std::to_string(row));
    ASSERT_TRUE(unit->Read(row, 0, 1, features.data()).ok());
    EXPECT_TRUE(std::isnan(features[0]));
    EXPECT_EQ(features[1], static_cast<float>(row * width + 1));
    EXPECT_EQ(features[width - 1], static_cast<float>(row * width + width - 1));
  }
}

TEST(FeatureStore, KeepsAUnitWithoutRows) {
  const Folder folder;
  const FeatureStore store = OpenStore(folder);
  ASSERT_TRUE(store.Write(kKey, kShape).value()->Commit().ok());
  EXPECT_THAT(store.Read(kKey).value()->rows(), IsEmpty());
}

TEST(FeatureStore, RepeatedUnitReplaces) {
  const Folder folder;
  const FeatureStore store = OpenStore(folder);
  WriteRows(store, kKey, 1);
  const auto before = store.Read(kKey).value();
  WriteRows(store, kKey, 100);
  EXPECT_THAT(folder.names(), SizeIs(1));

  std::vector<float> features(6);
  ASSERT_TRUE(store.Read(kKey).value()->Read(0, 0, 2, features.data()).ok());
  EXPECT_EQ(features, Features(100));
  ASSERT_TRUE(before->Read(0, 0, 2, features.data()).ok());  // whoever reads, reads on
  EXPECT_EQ(features, Features(1));
}

TEST(FeatureStore, UnitThatBreaksOffLeavesNothing) {
  const Folder folder;
  const FeatureStore store = OpenStore(folder);
  {
    auto writer = store.Write(kKey, kShape).value();
    ASSERT_TRUE(writer->Add({{0, 0}, "p", 0, "t"}, Features(1)).ok());
    EXPECT_THAT(folder.names(), SizeIs(1));
    EXPECT_EQ(store.Read(kKey).status().code(), absl::StatusCode::kNotFound);
  }
  EXPECT_THAT(folder.names(), IsEmpty());

  WriteRows(store, kKey, 1);
  { ASSERT_TRUE(store.Write(kKey, kShape).value()->Add({{0, 0}, "q", 0, "t"}, Features(5)).ok()); }
  EXPECT_THAT(store.Read(kKey).value()->passages(), ElementsAre("p1", "p2"));
}

TEST(FeatureStore, TwoWritersOfAUnitDoNotMix) {
  const Folder folder;
  const FeatureStore store = OpenStore(folder);
  auto first = store.Write(kKey, kShape).value(), second = store.Write(kKey, kShape).value();
  ASSERT_TRUE(first->Add({{0, 0}, "first", 0, "t"}, Features(1)).ok());
  ASSERT_TRUE(second->Add({{0, 0}, "second", 0, "t"}, Features(2)).ok());
  ASSERT_TRUE(second->Commit().ok());
  ASSERT_TRUE(first->Commit().ok());
  EXPECT_THAT(store.Read(kKey).value()->passages(), ElementsAre("first"));
}

TEST(FeatureStore, OpeningClearsWhatDeadWritersLeftAndNothingElse) {
  const Folder folder;
  const FeatureStore store = OpenStore(folder);
  WriteRows(store, kOther, 1);
  auto writer = store.Write(kKey, kShape).value();  // alive
  WriteBytes(folder.path() / (kKey + ".features.1-1.part"), "half a file");
  WriteBytes(folder.path() / "notes.part", "not ours");
  ASSERT_THAT(folder.names(), SizeIs(4));
  OpenStore(folder);
  EXPECT_THAT(folder.names(), SizeIs(3));
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "notes.part"));
  ASSERT_TRUE(writer->Commit().ok());
  EXPECT_TRUE(store.Read(kKey).ok());
  EXPECT_TRUE(store.Read(kOther).ok());
}

TEST(FeatureStore, RemovesAUnit) {
  const Folder folder;
  const FeatureStore store = OpenStore(folder);
  WriteRows(store, kKey, 1);
  EXPECT_TRUE(store.Remove(kKey).ok());
  EXPECT_THAT(folder.names(), IsEmpty());
  EXPECT_TRUE(store.Remove(kKey).ok());
  EXPECT_EQ(store.Read(kKey).status().code(), absl::StatusCode::kNotFound);
}

TEST(FeatureStore, RefusesWhatIsNoKey) {
  const Folder folder;
  const FeatureStore store = OpenStore(folder);
  for (const std::string& key :
       {std::string(), std::string(63, 'a'), std::string(65, 'a'), std::string(64, 'A'),
        std::string(64, 'g'), "../" + std::string(61, 'a'), std::string(64, '/'),
        std::string(64, '\0'), std::string(1 << 20, 'a')}) {
    for (const absl::Status& status :
         {store.Read(key).status(), store.Remove(key), store.Write(key, kShape).status()}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(std::string(status.message()), HasSubstr("64 hex digits"));
      EXPECT_LT(status.message().size(), 1000u);
    }
  }
  EXPECT_THAT(folder.names(), IsEmpty());
}

TEST(FeatureStore, RefusesShapesAndRowsThatDoNotFit) {
  const Folder folder;
  const FeatureStore store = OpenStore(folder);
  for (const FeatureShape& shape :
       {FeatureShape{0, {1}}, FeatureShape{-3, {1}}, FeatureShape{kMaxProbeWidth + 1, {1}},
        FeatureShape{4, {}}, FeatureShape{4, {-1}}, FeatureShape{4, {2, 2}},
        FeatureShape{4, {3, 1}}, FeatureShape{4, std::vector<int>(kMaxProbeLayers + 1, 1)}}) {
    const absl::Status status = store.Write(kKey, shape).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << shape.width;
    EXPECT_THAT(std::string(status.message()), HasSubstr("probe"));
  }
  const auto refuse = [&](const FeatureRow& row, size_t numbers, const char* message) {
    auto writer = store.Write(kKey, kShape).value();
    const absl::Status status = writer->Add(row, std::vector<float>(numbers));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
    EXPECT_EQ(writer->Commit().code(), absl::StatusCode::kFailedPrecondition);
  };
  refuse({{0, 0}, "p", 0, "t"}, 5, "5 numbers, expected 2 layers of width 3 = 6");
  refuse({{-1, 0}, "p", 0, "t"}, 6, "press_index -1");
  refuse({{0, -2}, "p", 0, "t"}, 6, "ratio_index -2");
  refuse({{0, 0}, "p", -3, "t"}, 6, "question_index -3");
  EXPECT_THAT(folder.names(), IsEmpty());
}

TEST(FeatureStore, NeedsAFolder) {
  const Folder folder;
  WriteBytes(folder.path() / "file", "");
  const absl::Status file = FeatureStore::Open(folder.path() / "file").status();
  EXPECT_EQ(file.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(file.message()), HasSubstr((folder.path() / "file").string()));
  EXPECT_FALSE(FeatureStore::Open(folder.path() / "file" / "below").ok());
  EXPECT_TRUE(FeatureStore::Open(folder.path() / "made" / "on" / "the" / "way").ok());
}

TEST(FeatureStore, SaysThatTheFolderIsGone) {
  const Folder folder;
  const FeatureStore store = FeatureStore::Open(folder.path() / "store").value();
  auto writer = store.Write(kKey, kShape).value();
  std::filesystem::remove_all(folder.path() / "store");
  EXPECT_EQ(writer->Commit().code(), absl::StatusCode::kUnavailable);
  const absl::Status again = store.Write(kKey, kShape).status();
  EXPECT_EQ(again.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(again.message()), HasSubstr(kKey));
}

}  // namespace
}  // namespace kvscope::metrics
