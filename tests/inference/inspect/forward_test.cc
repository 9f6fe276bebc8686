#include "services/inference/inspect/forward.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/inference/checkpoint/safetensors.h"
#include "services/inference/inspect/ids.h"
#include "services/inference/ops/backends.h"

namespace kvscope::inference {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::filesystem::path kGolden = std::filesystem::path(KVSCOPE_SOURCE_DIR) / "tests/golden";

class InspectForwardTest : public testing::Test {
 protected:
  void SetUp() override {
    SetComputeThreads(1);  // tiny products: more threads only wait for each other
    const testing::TestInfo* info = testing::UnitTest::GetInstance()->current_test_info();
    directory_ =
        std::filesystem::path(testing::TempDir()) / (std::string("kvscope_") + info->name());
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path Write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ / name) << text;
    return directory_ / name;
  }

  std::filesystem::path directory_;
};

TEST_F(InspectForwardTest, WritesWhatTransformersComputes) {
  auto golden = SafetensorsFile::Open(kGolden / "forward/llama3-tiny.safetensors");
  ASSERT_TRUE(golden.ok()) << golden.status();
  const Tensor ids = *golden->Get("short.input_ids");
  std::string text = "{\"ids\": [";
  for (int64_t i = 0; i < ids.size(); ++i) {
    text += (i > 0 ? "," : "") + std::to_string(static_cast<const int64_t*>(ids.data())[i]);
  }
  ForwardOptions options;
  options.model_dir = kGolden / "models/llama3-tiny";
  options.ids_file = Write("ids.json", text + "]}");
  options.out_file = directory_ / "out.safetensors";
  options.hidden = options.kv = options.attention = true;
  const absl::Status status = InspectForward(options);
  ASSERT_TRUE(status.ok()) << status;

  auto out = SafetensorsFile::Open(options.out_file);
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ(out->names().size(), 1u + 4 + 3 + 3 + 3);
  EXPECT_EQ(out->Get("keys.2")->shape(), (std::vector<int64_t>{2, 64, 32}));
  EXPECT_EQ(out->Get("attention.0")->shape(), (std::vector<int64_t>{4, 64, 64}));
  const auto expect_near = [&](const std::string& name, const Tensor& expected, int64_t offset,
                               float tolerance) {
    auto found = out->Get(name);
    ASSERT_TRUE(found.ok()) << found.status();
    for (int64_t i = 0; i < found->size(); ++i) {
      ASSERT_NEAR(found->f32()[i], expected.f32()[offset + i], tolerance) << name << " " << i;
    }
  };
  expect_near("logits", *golden->Get("short.logits"), 0, 1e-3f);
  expect_near("hidden.3", *golden->Get("short.hidden_states"), 3 * 64 * 64, 5e-4f);
  expect_near("values.1", *golden->Get("short.values"), 2 * 64 * 32, 5e-4f);
  expect_near("attention.2", *golden->Get("short.attentions"), 2 * 4 * 64 * 64, 1e-4f);
}

TEST_F(InspectForwardTest, RefusesBadInputWithOneSentence) {
  ForwardOptions options;
  options.model_dir = kGolden / "models/llama3-tiny";
  options.out_file = directory_ / "out.safetensors";
  options.ids_file = Write("ids.json", "[1, 2, 512]");
  EXPECT_THAT(std::string(InspectForward(options).message()),
              HasSubstr("token 2 of the prompt has the id 512, the model's ids are 0 to 511"));
  options.ids_file = Write("ids.json", "[]");
  EXPECT_THAT(std::string(InspectForward(options).message()), HasSubstr("no tokens"));
  options.ids_file = Write("ids.json", "[1]");
  options.device = "abacus";
  EXPECT_THAT(std::string(InspectForward(options).message()), HasSubstr("device is 'abacus'"));
  options.device = "cpu";
  options.dtype = "int4";
  EXPECT_THAT(std::string(InspectForward(options).message()), HasSubstr("dtype is 'int4'"));
  EXPECT_FALSE(std::filesystem::exists(options.out_file));
}

TEST_F(InspectForwardTest, ReadsIdsInBothForms) {
  EXPECT_THAT(*ReadIds(Write("a.json", "[3, 1]")), ElementsAre(3, 1));
  EXPECT_THAT(*ReadIds(Write("b.json", "{\"ids\": [7]}")), ElementsAre(7));
  for (const char* text :
       {"", "3", "[-1]", "[1.5]", "[\"1\"]", "{}", "[99999999999]", "[[[[1]]]]"}) {
    EXPECT_EQ(ReadIds(Write("c.json", text)).status().code(), absl::StatusCode::kInvalidArgument)
        << text;
  }
  EXPECT_EQ(ReadIds(directory_ / "none.json").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace kvscope::inference
