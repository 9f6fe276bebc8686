#include "services/inference/models/load.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/inference/checkpoint/safetensors.h"
#include "services/inference/models/family.h"

namespace kvscope::inference {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::filesystem::path kModels =
    std::filesystem::path(KVSCOPE_SOURCE_DIR) / "tests/golden/models";

// A copy of a golden model whose files a test may spoil.
class LoadTest : public testing::Test {
 protected:
  void SetUp() override {
    const testing::TestInfo* info = testing::UnitTest::GetInstance()->current_test_info();
    directory_ =
        std::filesystem::path(testing::TempDir()) / (std::string("kvscope_load_") + info->name());
    std::filesystem::remove_all(directory_);
    std::filesystem::copy(kModels / "qwen3-tiny", directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void ReplaceInConfig(const std::string& from, const std::string& to) const {
    std::ifstream in(directory_ / "config.json");
    std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    ASSERT_NE(text.find(from), std::string::npos);
    text.replace(text.find(from), from.size(), to);
    std::ofstream(directory_ / "config.json") << text;
  }

  // Rewrites the weights without one tensor.
  void Drop(const std::string& dropped) const {
    auto file = SafetensorsFile::Open(directory_ / "model.safetensors");
    ASSERT_TRUE(file.ok());
    std::vector<std::pair<std::string, Tensor>> tensors;
    for (const std::string& name : file->names()) {
      if (name != dropped) tensors.emplace_back(name, *file->Get(name));
    }
    ASSERT_TRUE(WriteSafetensors(directory_ / "model.safetensors", tensors).ok());
  }

  std::string Refusal() const {
    const auto model = LoadModel(directory_, "cpu", "auto");
    EXPECT_FALSE(model.ok());
    return std::string(model.status().message());
  }

  std::filesystem::path directory_;
};

TEST_F(LoadTest, LoadsAndCountsItsParameters) {
  auto model = LoadModel(directory_, "auto", "auto");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->compute, DType::kFloat32);
  EXPECT_EQ((*model)->generation.eos_ids, std::vector<int32_t>{1});
  auto file = SafetensorsFile::Open(directory_ / "model.safetensors");
  int64_t stored = 0;
  for (const std::string& name : file->names()) stored += file->Get(name)->size();
  EXPECT_EQ(ParameterCount((*model)->config), stored);
}

TEST_F(LoadTest, AMissingTensorIsNamed) {
  Drop("model.layers.1.self_attn.k_norm.weight");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("kvscope_load_AMissingTensorIsNamed"),
                               HasSubstr("'model.layers.1.self_attn.k_norm.weight'")));
}

TEST_F(LoadTest, AWrongShapeIsNamed) {
  ReplaceInConfig("\"intermediate_size\": 128", "\"intermediate_size\": 96");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("mlp.gate_proj.weight"), HasSubstr("[128, 64]"),
                               HasSubstr("[96, 64]"), HasSubstr("model.safetensors")));
}

TEST_F(LoadTest, AHugeConfigAllocatesNothing) {
  ReplaceInConfig("\"vocab_size\": 512", "\"vocab_size\": 16000000");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("embed_tokens"), HasSubstr("[16000000, 64]")));
}

TEST(ModelFamilies, AreTheModelTypesThatTheConfigAllows) {
  std::vector<std::string_view> names;
  for (const ModelFamily* family : ModelFamilies()) {
    names.push_back(family->model_type);
    EXPECT_FALSE(family->summary.empty());
    EXPECT_FALSE(family->source.empty());
  }
  EXPECT_EQ(names, SupportedModelTypes());
  EXPECT_EQ(FindModelFamily("gpt2"), nullptr);
}

TEST(ComputeDTypeTest, AutoFollowsTheDevice) {
  ModelConfig half;
  half.dtype = DType::kFloat16;
  EXPECT_EQ(*ComputeDType("auto", "cpu", half), DType::kFloat32);
  EXPECT_EQ(*ComputeDType("auto", "cuda", half), DType::kBFloat16);
  EXPECT_EQ(*ComputeDType("auto", "cuda", ModelConfig()), DType::kFloat32);
  EXPECT_EQ(*ComputeDType("bfloat16", "cpu", ModelConfig()), DType::kBFloat16);
  EXPECT_THAT(std::string(ComputeDType("fp8", "cpu", half).status().message()),
              HasSubstr("auto, float32 or bfloat16"));
}

// Steps of more rows than a piece of the workspace give what single pieces give.
TEST(DecoderTest, LongStepsRunInPieces) {
  auto model = LoadModel(kModels / "llama3-tiny", "cpu", "float32");
  ASSERT_TRUE(model.ok()) << model.status();
  const Decoder& decoder = *(*model)->decoder;
  const int64_t rows = 2 * Workspace::kPieceRows + 3;
  std::vector<int32_t> ids, positions;
  for (int64_t r = 0; r < rows; ++r) {
    ids.push_back(static_cast<int32_t>(r % 512));
    positions.push_back(static_cast<int32_t>(r % 100));
  }
  Workspace all(*(*model)->ops, (*model)->config);
  all.Borrow(all.Residual(rows), all.Queries(rows));
  decoder.Embed(ids, all.x);
  decoder.Qkv(0, positions, all);
  std::copy_n(all.q.f32(), all.q.size(), all.attention.f32());
  decoder.Finish(0, all);

  Workspace tail(*(*model)->ops, (*model)->config);
  const size_t first = static_cast<size_t>(rows) - 3;
  tail.Resize(3);
  decoder.Embed(std::span(ids).subspan(first), tail.x);
  EXPECT_TRUE(tail.q_before_rope.empty());
  decoder.Qkv(0, std::span(positions).subspan(first), tail);
  std::copy_n(tail.q.f32(), tail.q.size(), tail.attention.f32());
  decoder.Finish(0, tail);
  const int64_t hidden = (*model)->config.hidden_size;
  for (int64_t i = 0; i < 3 * hidden; ++i) {
    ASSERT_NEAR(all.x.f32()[(rows - 3) * hidden + i], tail.x.f32()[i], 1e-4f);
  }
  // Position 0 is not rotated: there the queries before and after RoPE are equal.
  for (int64_t i = 0; i < 128; ++i) ASSERT_EQ(all.q.f32()[i], all.q_before_rope.f32()[i]);
  EXPECT_NE(all.q.f32()[128], all.q_before_rope.f32()[128]);
}

// bfloat16 moves logits by its rounding, about 2^-8 of them, and no more.
TEST(DecoderTest, BFloat16StaysNearFloat32) {
  for (const char* device : {"cpu", "reference"}) {
    std::vector<float> logits[2];
    for (const int half : {0, 1}) {
      auto model = LoadModel(kModels / "qwen2-tiny", device, half != 0 ? "bfloat16" : "float32");
      ASSERT_TRUE(model.ok()) << model.status();
      Workspace ws(*(*model)->ops, (*model)->config);
      const std::vector<int32_t> ids = {5, 77, 300, 11}, positions = {0, 1, 2, 3};
      ws.Resize(4);
      (*model)->decoder->Embed(ids, ws.x);
      for (int layer = 0; layer < (*model)->config.layers; ++layer) {
        (*model)->decoder->Qkv(layer, positions, ws);
        std::copy_n(ws.q.f32(), ws.q.size(), ws.attention.f32());
        (*model)->decoder->Finish(layer, ws);
      }
      const Tensor out = (*model)->decoder->Logits(ws.x, positions, ws);
      logits[half].assign(out.f32(), out.f32() + out.size());
    }
    float largest = 0, difference = 0;
    for (size_t i = 0; i < logits[0].size(); ++i) {
      largest = std::max(largest, std::fabs(logits[0][i]));
      difference = std::max(difference, std::fabs(logits[0][i] - logits[1][i]));
    }
    EXPECT_GT(difference, 0) << device;
    EXPECT_LT(difference, 0.06f * largest) << device;
  }
}

}  // namespace
}  // namespace kvscope::inference
