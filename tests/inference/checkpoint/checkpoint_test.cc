#include "services/inference/checkpoint/checkpoint.h"

#include <filesystem>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/inference/checkpoint/directory.h"

namespace kvscope::inference {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class CheckpointTest : public DirectoryTest {
 protected:
  std::string Refusal(absl::StatusCode code) const {
    const auto checkpoint = Checkpoint::Open(directory_);
    EXPECT_EQ(checkpoint.status().code(), code) << checkpoint.status();
    return std::string(checkpoint.status().message());
  }
  void CopyShards() const {
    std::filesystem::copy(kGoldenModels / "llama-tied", directory_,
                          std::filesystem::copy_options::recursive);
  }
};

TEST_F(CheckpointTest, ReadsShardsAsOne) {
  auto checkpoint = Checkpoint::Open(kGoldenModels / "llama-tied");
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->paths().size(), 2u);
  for (int layer = 0; layer < 4; ++layer) {
    const std::string name = "model.layers." + std::to_string(layer) + ".self_attn.q_proj.weight";
    const int64_t shape[] = {64, 64};
    EXPECT_TRUE(checkpoint->GetWeight(name, shape).ok()) << name;
  }
}

TEST_F(CheckpointTest, AWrongShapeNamesFileTensorAndBothShapes) {
  auto checkpoint = Checkpoint::Open(kGoldenModels / "llama3-tiny");
  ASSERT_TRUE(checkpoint.ok());
  const int64_t shape[] = {64, 65};
  const auto tensor = checkpoint->GetWeight("model.layers.0.self_attn.o_proj.weight", shape);
  EXPECT_THAT(std::string(tensor.status().message()),
              AllOf(HasSubstr("model.safetensors"), HasSubstr("o_proj"), HasSubstr("[64, 128]"),
                    HasSubstr("[64, 65]")));
}

TEST_F(CheckpointTest, MissingFilesAndShards) {
  EXPECT_THAT(Refusal(absl::StatusCode::kNotFound), HasSubstr("has neither model.safetensors nor"));
  CopyShards();
  std::filesystem::remove(directory_ / "model-00002-of-00002.safetensors");
  EXPECT_THAT(Refusal(absl::StatusCode::kNotFound),
              HasSubstr("lists the shard 'model-00002-of-00002.safetensors', which is missing"));
}

TEST_F(CheckpointTest, ATensorListedButAbsent) {
  CopyShards();
  const auto index = directory_ / "model.safetensors.index.json";
  std::string text = Read(index);
  const std::string name = "model.layers.0.self_attn.q_proj.weight";
  text.replace(text.find(name), name.size(), "model.layers.0.self_attn.x_proj.weight");
  Write("model.safetensors.index.json", text);
  EXPECT_THAT(Refusal(absl::StatusCode::kNotFound), HasSubstr("x_proj.weight"));
}

TEST_F(CheckpointTest, ShardsLieBesideTheIndex) {
  for (const char* file : {"../secret", "/etc/passwd", "..", ""}) {
    Write("model.safetensors.index.json",
          R"({"weight_map": {"a": ")" + std::string(file) + R"("}})");
    EXPECT_THAT(Refusal(absl::StatusCode::kInvalidArgument), HasSubstr("beside the index")) << file;
  }
  Write("model.safetensors.index.json", R"({"weight_map": {"a": 3}})");
  EXPECT_THAT(Refusal(absl::StatusCode::kInvalidArgument), HasSubstr("not a file name"));
  Write("model.safetensors.index.json", R"({"weight_map": [])");
  EXPECT_THAT(Refusal(absl::StatusCode::kInvalidArgument), HasSubstr("weight_map"));
}

TEST_F(CheckpointTest, ATruncatedFileIsRefusedWhole) {
  std::string bytes = Read(kGoldenModels / "qwen2-tiny/model.safetensors");
  bytes.resize(bytes.size() - 1);
  Write("model.safetensors", bytes);
  EXPECT_THAT(Refusal(absl::StatusCode::kInvalidArgument), HasSubstr("the file is cut off"));
}

}  // namespace
}  // namespace kvscope::inference
