// The file that `inspect press` writes, and what it refuses.
#include "services/inference/inspect/press.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "services/inference/checkpoint/safetensors.h"
#include "services/inference/ops/backends.h"

namespace kvscope::inference {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class InspectPressTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    dir_ = std::filesystem::path(::testing::TempDir()) / (std::string("press_") + info->name());
    std::filesystem::create_directories(dir_);
    SetComputeThreads(1);  // tiny products: more threads only wait for each other
    options_.model_dir = KVSCOPE_SOURCE_DIR "/tests/golden/models/qwen3-tiny";
    options_.ids_file = Write("ids.json", "[5, 6, 7, 8, 9, 10, 11, 12]");
    options_.question_ids_file = Write("question.json", R"({"ids": [20, 21]})");
    options_.out_file = dir_ / "out.safetensors";
    options_.press = "streaming_llm(n_sink=1)";
    options_.ratios = {0, 0.5};
    options_.max_new_tokens = 3;
    options_.device = "cpu";
    options_.dtype = "float32";
  }

  std::filesystem::path Write(const std::string& name, const std::string& text) {
    std::ofstream(dir_ / name) << text;
    return dir_ / name;
  }

  // The message of the error that InspectPress must give.
  std::string Refused() const {
    const absl::Status status = InspectPress(options_);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_FALSE(std::filesystem::exists(options_.out_file));
    return std::string(status.message());
  }

  std::filesystem::path dir_;
  PressOptions options_;
};

TEST_F(InspectPressTest, WritesScoresKeepSetsAndAnswers) {
  const absl::Status status = InspectPress(options_);
  ASSERT_TRUE(status.ok()) << status;
  const auto file = SafetensorsFile::Open(options_.out_file);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->names(), ElementsAre("answer.0.00", "answer.0.50", "answer_logits.0.00",
                                         "answer_logits.0.50", "kept.0.00", "kept.0.50", "scores"));
  EXPECT_THAT(file->Get("scores")->shape(), ElementsAre(3, 2, 8));
  EXPECT_EQ(file->Get("scores")->dtype(), DType::kFloat32);
  EXPECT_THAT(file->Get("answer.0.50")->shape(), ElementsAre(3));
  EXPECT_EQ(file->Get("answer.0.50")->dtype(), DType::kInt32);
  EXPECT_THAT(file->Get("answer_logits.0.50")->shape(), ElementsAre(3, 512));
  const Tensor kept = *file->Get("kept.0.50");
  EXPECT_THAT(kept.shape(), ElementsAre(3, 2, 8));
  EXPECT_EQ(kept.dtype(), DType::kUInt8);
  const auto* bytes = static_cast<const uint8_t*>(kept.data());
  // One sink and the last three of eight.
  EXPECT_THAT(std::vector<int>(bytes + 8, bytes + 16), ElementsAre(1, 0, 0, 0, 0, 1, 1, 1));
  // Each token is the largest of its logits.
  const Tensor answer = *file->Get("answer.0.50");
  const Tensor logits = *file->Get("answer_logits.0.50");
  for (int i = 0; i < 3; ++i) {
    const float* row = logits.f32() + i * 512;
    EXPECT_EQ(std::max_element(row, row + 512) - row, answer.i32()[i]);
  }
}

TEST_F(InspectPressTest, WithoutAQuestionNothingIsDecoded) {
  options_.question_ids_file.clear();
  ASSERT_TRUE(InspectPress(options_).ok());
  EXPECT_THAT(SafetensorsFile::Open(options_.out_file)->names(),
              ElementsAre("kept.0.00", "kept.0.50", "scores"));
}

TEST_F(InspectPressTest, RefusesIdsOutsideTheVocabulary) {
  options_.ids_file = Write("ids.json", "[5, 512]");
  EXPECT_THAT(Refused(), HasSubstr("context id 1 is 512"));
  options_.ids_file = Write("ids.json", "[5, 6, 7]");
  options_.question_ids_file = Write("question.json", "[600]");
  EXPECT_THAT(Refused(), HasSubstr("question id 0 is 600"));
}

TEST_F(InspectPressTest, RefusesAnEmptyContext) {
  options_.ids_file = Write("ids.json", "[]");
  EXPECT_THAT(Refused(), HasSubstr("ids"));
}

TEST_F(InspectPressTest, RefusesRatiosOutsideTheirRange) {
  options_.ratios = {1};
  EXPECT_THAT(Refused(), HasSubstr("ratio 1 is not in [0, 1)"));
}

TEST_F(InspectPressTest, RefusesRatiosOfOneName) {
  options_.ratios = {0.501, 0.502};
  EXPECT_THAT(Refused(), HasSubstr("0.50"));
}

TEST_F(InspectPressTest, RefusesNoNewTokens) {
  options_.max_new_tokens = 0;
  EXPECT_THAT(Refused(), HasSubstr("max_new_tokens is 0"));
}

TEST_F(InspectPressTest, RefusesMoreThanTheWindow) {
  options_.max_new_tokens = 1 << 30;
  EXPECT_THAT(Refused(), HasSubstr("exceed the model's window"));
}

TEST_F(InspectPressTest, RefusesAContextTooShortForThePress) {
  options_.press = "snapkv(window_size=16)";
  EXPECT_THAT(Refused(), HasSubstr("snapkv(window_size=16)"));
}

TEST_F(InspectPressTest, RefusesAnUnknownPress) {
  options_.press = "snapkw";
  EXPECT_THAT(Refused(), HasSubstr("snapkv"));
}

}  // namespace
}  // namespace kvscope::inference
