#include "services/inference/checkpoint/digest.h"

#include <filesystem>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/inference/checkpoint/directory.h"

namespace kvscope::inference {
namespace {

using DigestTest = DirectoryTest;

TEST_F(DigestTest, ChangesWithEveryFileAndWithNothingElse) {
  std::filesystem::copy(kGoldenModels / "llama-tied", directory_,
                        std::filesystem::copy_options::recursive);
  const std::string before = *WeightsDigest(directory_);
  EXPECT_THAT(before, testing::MatchesRegex("[0-9a-f]+"));
  EXPECT_EQ(before.size(), 64u);
  EXPECT_EQ(before, *WeightsDigest(kGoldenModels / "llama-tied"));
  Write("README.md", "not a part of the model");
  EXPECT_EQ(before, *WeightsDigest(directory_));
  for (const char* name : {"config.json", "model-00002-of-00002.safetensors"}) {
    std::string bytes = Read(directory_ / name);
    bytes[bytes.size() - 1] ^= 1;
    if (std::string(name) == "config.json") bytes += " ";
    const std::string original = Read(directory_ / name);
    Write(name, bytes);
    EXPECT_NE(before, *WeightsDigest(directory_)) << name;
    Write(name, original);
  }
  for (const char* name : {"generation_config.json", "kvscope.json"}) {
    ASSERT_FALSE(std::filesystem::exists(directory_ / name));
    Write(name, "{}");
    EXPECT_NE(before, *WeightsDigest(directory_)) << name;
    std::filesystem::remove(directory_ / name);
  }
}

// The definition, spelled out with an empty checkpoint: name, length, bytes of each file.
TEST_F(DigestTest, IsSha256) {
  Write("config.json", "{}");
  Write("model.safetensors", WithHeader("{}", ""));
  // printf 'config.json\n2\n{}model.safetensors\n10\n\2\0\0\0\0\0\0\0{}' | sha256sum
  EXPECT_EQ(*WeightsDigest(directory_),
            "1b6ffa3c4ef913e5280340d9e9ce6dd46c05111f63058d271841dbf02dbbab65");
}

TEST_F(DigestTest, NeedsTheFiles) {
  EXPECT_EQ(WeightsDigest(directory_).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace kvscope::inference
