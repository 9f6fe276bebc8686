// Every vector that the `tokenizers` library and transformers wrote, for the small tokenizers in
// the tree and, where KVSCOPE_REAL_TOKENIZERS names their directory, for the real vocabularies
// (tests/golden/make_real_tokenizers.py builds them).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "services/inference/tokenizer/chat_template.h"
#include "services/inference/tokenizer/tokenizer.h"

namespace kvscope::inference {
namespace {

using Json = nlohmann::ordered_json;
using Ids = std::vector<int32_t>;

const std::string kGolden = std::string(KVSCOPE_SOURCE_DIR) + "/tests/golden";

Json ReadJson(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  return Json::parse(file, nullptr, false);
}

// Checks the tokenizer in `model_dir` against the vectors in tests/golden/tokenizers/`name`.
void ExpectVectors(const Tokenizer& tokenizer, const std::string& name) {
  const Json vectors = ReadJson(kGolden + "/tokenizers/" + name + "/vectors.json");
  ASSERT_GE(vectors["encode"].size(), 200u);
  for (const Json& row : vectors["encode"]) {
    const std::string text = row["text"];
    const Ids ids = tokenizer.Encode(text, false);
    EXPECT_EQ(ids, row["ids"].get<Ids>()) << text;
    EXPECT_EQ(tokenizer.Encode(text, true), row["ids_with_special"].get<Ids>()) << text;
    EXPECT_EQ(tokenizer.EncodeWithOffsets(text, true).ids, row["ids_with_special"].get<Ids>());
    const Ids with_special = row["ids_with_special"];
    EXPECT_EQ(tokenizer.Decode(ids, false), row["decoded"].get<std::string>());
    EXPECT_EQ(tokenizer.Decode(with_special, true), row["decoded_skip_special"].get<std::string>());
  }
  ASSERT_GE(vectors["decode_ids"].size(), 40u);
  for (const Json& row : vectors["decode_ids"]) {
    EXPECT_EQ(tokenizer.Decode(row["ids"].get<Ids>(), false), row["decoded"].get<std::string>());
  }
}

void ExpectChats(const Tokenizer& tokenizer, const std::string& name) {
  const Json chat = ReadJson(kGolden + "/tokenizers/" + name + "/chat.json");
  const auto chat_template = ChatTemplate::Parse(chat["template"].get<std::string>(), name);
  ASSERT_TRUE(chat_template.ok()) << chat_template.status();
  ChatOptions options;
  options.special_tokens = tokenizer.special_tokens();
  options.variables_json = chat["template_kwargs"].dump();
  ASSERT_GE(chat["cases"].size(), 16u);
  for (const Json& row : chat["cases"]) {
    options.add_generation_prompt = row["add_generation_prompt"];
    const auto text = RenderChatJson(**chat_template, row["messages"].dump(), options);
    ASSERT_TRUE(text.ok()) << text.status();
    EXPECT_EQ(*text, row["rendered"].get<std::string>());
    EXPECT_EQ(tokenizer.Encode(*text, false), row["ids"].get<Ids>());
  }
  const Json& split = chat["kvpress_split"];
  options = ChatOptions();
  options.variables_json = chat["template_kwargs"].dump();
  const auto pieces = SplitChat(tokenizer, options);
  ASSERT_TRUE(pieces.ok()) << pieces.status();
  EXPECT_EQ(pieces->head + split["context"].get<std::string>(),
            split["context_rendered"].get<std::string>());
  EXPECT_EQ(pieces->tail, split["question_suffix"].get<std::string>());
}

// Offsets are in order, lie within the text and leave no character out.
void ExpectOffsetsCover(const Tokenizer& tokenizer, const std::string& name) {
  const Json vectors = ReadJson(kGolden + "/tokenizers/" + name + "/vectors.json");
  for (const Json& row : vectors["encode"]) {
    const OffsetEncoding encoding =
        tokenizer.EncodeWithOffsets(row["text"].get<std::string>(), false);
    ASSERT_EQ(encoding.ids, row["ids"].get<Ids>());
    ASSERT_EQ(encoding.offsets.size(), encoding.ids.size());
    int32_t covered = 0;
    for (const CharRange& range : encoding.offsets) {
      EXPECT_LE(range.begin, covered) << "no gap";
      EXPECT_LT(range.begin, range.end);
      EXPECT_GE(range.end, covered);
      covered = range.end;
    }
    const std::string text = row["text"];
    EXPECT_EQ(covered, std::count_if(text.begin(), text.end(), [](char c) {
                return (static_cast<uint8_t>(c) & 0xC0) != 0x80;
              }));
  }
}

class SmallTokenizer : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto loaded = Tokenizer::Load(kGolden + "/tokenizers/" + GetParam());
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    tokenizer_ = *std::move(loaded);
  }
  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_P(SmallTokenizer, AgreesWithTokenizers) { ExpectVectors(*tokenizer_, GetParam()); }
TEST_P(SmallTokenizer, RendersChatsAsTransformers) { ExpectChats(*tokenizer_, GetParam()); }
TEST_P(SmallTokenizer, OffsetsCoverTheText) { ExpectOffsetsCover(*tokenizer_, GetParam()); }

INSTANTIATE_TEST_SUITE_P(Golden, SmallTokenizer, testing::Values("llama3-4k", "qwen2-4k"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

class RealTokenizer : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const char* directory = std::getenv("KVSCOPE_REAL_TOKENIZERS");
    if (directory == nullptr) {
      GTEST_SKIP() << "KVSCOPE_REAL_TOKENIZERS is not set; tests/golden/make_real_tokenizers.py "
                      "builds the directory it names";
    }
    const std::clock_t start = std::clock();
    auto loaded = Tokenizer::Load(std::string(directory) + "/" + GetParam());
    load_cpu_s_ = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    tokenizer_ = *std::move(loaded);
  }
  std::unique_ptr<Tokenizer> tokenizer_;
  double load_cpu_s_ = 0;
};

TEST_P(RealTokenizer, AgreesWithTokenizers) {
  ExpectVectors(*tokenizer_, GetParam());
  RecordProperty("load_cpu_s", std::to_string(load_cpu_s_));
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(load_cpu_s_, 1.0);
#endif
}
TEST_P(RealTokenizer, RendersChatsAsTransformers) { ExpectChats(*tokenizer_, GetParam()); }
TEST_P(RealTokenizer, OffsetsCoverTheText) { ExpectOffsetsCover(*tokenizer_, GetParam()); }
TEST_P(RealTokenizer, AgreesWithLlamaCpp) {
  const Json vectors = ReadJson(kGolden + "/tokenizers/" + GetParam() + "/llama_cpp_vectors.json");
  ASSERT_EQ(vectors.size(), 46u);
  for (const Json& row : vectors) {
    EXPECT_EQ(tokenizer_->Encode(row["text"].get<std::string>(), false), row["ids"].get<Ids>());
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, RealTokenizer, testing::Values("llama3-real", "qwen2.5-real"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace_if(
                               name.begin(), name.end(), [](char c) { return !std::isalnum(c); },
                               '_');
                           return name;
                         });

TEST(GoldenModels, TokenizersLoad) {
  int loaded = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kGolden + "/models")) {
    const auto tokenizer = Tokenizer::Load(entry.path().string());
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    EXPECT_EQ((*tokenizer)->vocab_size(), 504);
    const std::string text = "A tiny <|eot_id|> model, 123 naïve tokens.\n";
    EXPECT_EQ((*tokenizer)->Decode((*tokenizer)->Encode(text, false), false), text);
    ++loaded;
  }
  EXPECT_EQ(loaded, 6);
}

}  // namespace
}  // namespace kvscope::inference
