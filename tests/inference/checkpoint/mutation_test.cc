// Foreign bytes never crash: headers, indexes and configs, mutated and random.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/inference/checkpoint/checkpoint.h"
#include "services/inference/checkpoint/config.h"
#include "services/inference/checkpoint/safetensors.h"
#include "tests/inference/checkpoint/directory.h"

namespace kvscope::inference {
namespace {

class MutationTest : public DirectoryTest {
 protected:
  size_t Below(size_t limit) { return engine_() % limit; }

  // One to four edits: a flipped bit, a byte of JSON's alphabet, a piece moved, removed or
  // repeated.
  std::string Mutated(std::string bytes) {
    static constexpr std::string_view kAlphabet = "{}[],:\"0123456789-.eEtfn\\u/ \xff\x00";
    for (size_t edits = 1 + Below(4); edits > 0 && !bytes.empty(); --edits) {
      const size_t at = Below(bytes.size());
      const size_t length = std::min(bytes.size() - at, 1 + Below(24));
      switch (Below(6)) {
        case 0:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << Below(8)));
          break;
        case 1:
          bytes[at] = kAlphabet[Below(kAlphabet.size())];
          break;
        case 2:
          bytes.erase(at, length);
          break;
        case 3:
          bytes.insert(Below(bytes.size()), bytes.substr(at, length));
          break;
        case 4:
          bytes.insert(at, std::to_string(engine_() * uint64_t{0x100000001}));
          break;
        case 5:
          bytes.resize(at);
          break;
      }
    }
    return bytes;
  }

  std::mt19937 engine_{20};
};

// Reads everything that a file offers, so that a bad range would be touched.
void ReadAll(const SafetensorsFile& file) {
  for (const std::string& name : file.names()) {
    const auto tensor = file.Get(name);
    if (!tensor.ok()) continue;
    uint8_t sum = 0;
    for (size_t i = 0; i < tensor->size_bytes(); ++i) {
      sum = static_cast<uint8_t>(sum + static_cast<const uint8_t*>(tensor->data())[i]);
    }
    volatile uint8_t sink = sum;
    (void)sink;
  }
}

TEST_F(MutationTest, Safetensors) {
  const std::string header = R"({"__metadata__":{"format":"pt"},)"
                             R"("a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                             R"("b.weight":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},)"
                             R"("c":{"dtype":"U8","shape":[],"data_offsets":[32,33]}})";
  const std::string data(33, '\x3f');
  int accepted = 0;
  for (int i = 0; i < 4000; ++i) {
    // Half of the time only the header's text changes, and its length stays true.
    const std::string bytes =
        i % 2 == 0 ? WithHeader(Mutated(header), data) : Mutated(WithHeader(header, data));
    auto file = SafetensorsFile::Open(Write("x.safetensors", bytes));
    if (!file.ok()) {
      ASSERT_NE(file.status().message().find("x.safetensors"), std::string::npos);
      continue;
    }
    ++accepted;
    ReadAll(*file);
  }
  EXPECT_GT(accepted, 0) << "the mutations leave nothing to read";
  EXPECT_LT(accepted, 2000);
}

TEST_F(MutationTest, SafetensorsOfRandomBytes) {
  for (int i = 0; i < 1000; ++i) {
    std::string bytes(Below(64), '\0');
    for (char& c : bytes) c = static_cast<char>(engine_());
    if (i % 2 == 0 && bytes.size() >= 8) {  // a plausible length
      std::memset(bytes.data(), 0, 8);
      bytes[0] = static_cast<char>(Below(64));
    }
    auto file = SafetensorsFile::Open(Write("x.safetensors", bytes));
    if (file.ok()) ReadAll(*file);
  }
}

TEST_F(MutationTest, ShardIndex) {
  std::filesystem::copy(kGoldenModels / "llama-tied", directory_,
                        std::filesystem::copy_options::recursive);
  const std::string index = Read(directory_ / "model.safetensors.index.json");
  for (int i = 0; i < 500; ++i) {
    Write("model.safetensors.index.json", Mutated(index));
    const auto checkpoint = Checkpoint::Open(directory_);
    if (!checkpoint.ok()) continue;
    const auto norm = checkpoint->Get("model.norm.weight");
    EXPECT_EQ(norm.ok(), checkpoint->Has("model.norm.weight"));
    if (!norm.ok()) continue;
    EXPECT_EQ(norm->size(), 64) << "still the tensor of that name";
  }
}

TEST_F(MutationTest, Config) {
  std::vector<std::string> texts;
  for (const char* name : {"llama3-tiny", "qwen2-tiny", "mistral-tiny"}) {
    texts.push_back(Read(kGoldenModels / name / "config.json"));
  }
  int accepted = 0;
  for (int i = 0; i < 6000; ++i) {
    const auto config =
        ParseModelConfig(Mutated(texts[static_cast<size_t>(i) % texts.size()]), "config.json");
    if (!config.ok()) continue;
    ++accepted;
    // What is accepted is usable: no zero or negative size, whole groups, even heads.
    ASSERT_GT(config->vocab_size, 0);
    ASSERT_GT(config->hidden_size, 0);
    ASSERT_GT(config->layers, 0);
    ASSERT_GT(config->kv_heads, 0);
    ASSERT_EQ(config->q_heads % config->kv_heads, 0);
    ASSERT_GT(config->head_dim, 0);
    ASSERT_EQ(config->head_dim % 2, 0);
    ASSERT_GT(config->rope.theta, 0);
  }
  EXPECT_GT(accepted, 0);
  EXPECT_FALSE(ParseModelConfig(std::string(100000, '['), "config.json").ok());
  EXPECT_FALSE(ParseModelConfig("", "config.json").ok());
}

TEST_F(MutationTest, GenerationConfig) {
  const std::string text = R"({"eos_token_id": [128001, 128008], "bos_token_id": 1})";
  for (int i = 0; i < 1000; ++i) {
    Write("generation_config.json", Mutated(text));
    const auto config = ReadGenerationConfig(directory_);
    if (!config.ok()) continue;
    for (const int32_t id : config->eos_ids) ASSERT_GE(id, 0);
  }
}

}  // namespace
}  // namespace kvscope::inference
