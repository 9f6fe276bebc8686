#include "services/inference/checkpoint/safetensors.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/inference/checkpoint/directory.h"

namespace kvscope::inference {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class SafetensorsTest : public DirectoryTest {
 protected:
  // The message with which a file of these bytes is refused.
  std::string Refusal(std::string_view bytes) const {
    const auto file = SafetensorsFile::Open(Write("bad.safetensors", bytes));
    EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument) << bytes;
    return std::string(file.status().message());
  }
};

TEST_F(SafetensorsTest, ReadsWhatItWrites) {
  const Tensor a = AllocateHost(DType::kFloat32, {2, 3});
  for (int i = 0; i < 6; ++i) a.f32()[i] = static_cast<float>(i) / 7;
  const Tensor b = AllocateHost(DType::kUInt8, {5});
  for (int i = 0; i < 5; ++i) static_cast<uint8_t*>(b.data())[i] = static_cast<uint8_t>(i + 250);
  const Tensor empty = AllocateHost(DType::kInt64, {0, 4});
  const auto path = directory_ / "x.safetensors";
  ASSERT_TRUE(WriteSafetensors(path, {{"b", b}, {"a", a}, {"none", empty}}).ok());

  auto file = SafetensorsFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->names(), ElementsAre("a", "b", "none"));
  const Tensor back = *file->Get("a");
  EXPECT_EQ(back.shape(), a.shape());
  EXPECT_EQ(std::memcmp(back.data(), a.data(), a.size_bytes()), 0) << "unaligned in the file";
  EXPECT_EQ(file->Get("b")->dtype(), DType::kUInt8);
  EXPECT_EQ(static_cast<uint8_t*>(file->Get("b")->data())[4], 254);
  EXPECT_EQ(file->Get("none")->size(), 0);
  EXPECT_EQ(file->Get("c").status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(path.string() + ".partial"));
}

TEST_F(SafetensorsTest, TensorsOutliveTheFileObject) {
  Tensor kept;
  {
    auto file = SafetensorsFile::Open(kGoldenModels / "llama3-tiny/model.safetensors");
    ASSERT_TRUE(file.ok()) << file.status();
    kept = *file->Get("model.norm.weight");
  }
  float sum = 0;
  for (int64_t i = 0; i < kept.size(); ++i) sum += kept.f32()[i];
  EXPECT_GT(sum, 0);
}

TEST_F(SafetensorsTest, RefusesTwoTensorsOfOneName) {
  const Tensor a = AllocateHost(DType::kUInt8, {1});
  EXPECT_EQ(WriteSafetensors(directory_ / "x", {{"a", a}, {"a", a}}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Refusal(WithHeader(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                 R"("a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                                 "12")),
              HasSubstr("'a' is listed twice"));
}

TEST_F(SafetensorsTest, SaysWhatIsWrong) {
  EXPECT_THAT(Refusal("1234"), HasSubstr("is 4 bytes long"));
  EXPECT_THAT(Refusal(std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10)),
              HasSubstr("the header claims 18446744073709551615 bytes, but only 2 follow"));
  EXPECT_THAT(Refusal(WithHeader("[]", "")), HasSubstr("not a JSON object"));
  EXPECT_THAT(Refusal(WithHeader(R"({"a":[1]})", "")), HasSubstr("'a': needs dtype"));
  EXPECT_THAT(Refusal(WithHeader(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})", "12")),
              AllOf(HasSubstr("bad.safetensors"), HasSubstr("'a'"), HasSubstr("[0, 3)"),
                    HasSubstr("2 bytes of data"), HasSubstr("cut off")));
  EXPECT_THAT(
      Refusal(WithHeader(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,3]}})", "123")),
      HasSubstr("has 3 bytes, but F32 [3] needs 12"));
  EXPECT_THAT(Refusal(WithHeader(R"({"a":{"dtype":"Q4","shape":[2],"data_offsets":[0,1]}})", "1")),
              AllOf(HasSubstr("'Q4' is unknown"), HasSubstr("BF16")));
  EXPECT_THAT(
      Refusal(WithHeader(
          R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", "")),
      HasSubstr("overflows"));
  EXPECT_THAT(Refusal(WithHeader(R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", "1")),
              HasSubstr("not a size"));
  EXPECT_THAT(Refusal(WithHeader(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                 R"("b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                                 "1")),
              HasSubstr("the tensor before it ends at 1"));
  EXPECT_THAT(
      Refusal(WithHeader(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "123")),
      HasSubstr("has 3 bytes of data, but its header describes 1"));
}

TEST_F(SafetensorsTest, AcceptsMetadataAndRefusesFloat8OnUse) {
  auto file = SafetensorsFile::Open(Write(
      "ok.safetensors", WithHeader(R"({"__metadata__":{"format":"pt"},)"
                                   R"("a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}  )",
                                   "1")));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->names(), ElementsAre("a"));
  EXPECT_EQ(file->Get("a").status().code(), absl::StatusCode::kUnimplemented);
}

TEST_F(SafetensorsTest, DeepNestingIsRefused) {
  EXPECT_THAT(Refusal(WithHeader(std::string(200000, '['), "")), HasSubstr("nested"));
  EXPECT_THAT(Refusal(WithHeader("{\"a\":" + std::string(100000, '[') + "}", "")),
              HasSubstr("nested"));
}

TEST_F(SafetensorsTest, AMissingFileIsNotFound) {
  EXPECT_EQ(SafetensorsFile::Open(directory_ / "none").status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(SafetensorsFile::Open(directory_).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace kvscope::inference
