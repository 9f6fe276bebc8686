// Files that are not what they should be: one clear sentence, never a crash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "services/inference/tokenizer/chat_template.h"
#include "tests/inference/tokenizer/model_dir.h"

namespace kvscope::inference {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

std::string ErrorOf(const std::string& bytes) {
  const ModelDir dir;
  dir.Write("tokenizer.json", bytes);
  const auto tokenizer = Tokenizer::Load(dir.path());
  return tokenizer.ok() ? "it loads" : std::string(tokenizer.status().message());
}

TEST(BadTokenizer, NamesTheFileAndTheField) {
  EXPECT_THAT(std::string(Tokenizer::Load("/nowhere").status().message()),
              AllOf(HasSubstr("/nowhere/tokenizer.json"), HasSubstr("cannot be read")));
  EXPECT_THAT(ErrorOf(""), AllOf(HasSubstr("tokenizer.json: "), HasSubstr("not valid JSON")));
  EXPECT_THAT(ErrorOf(ByteTokenizer().dump().substr(0, 1000)), HasSubstr("not valid JSON"));
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("must be an object"));
  EXPECT_THAT(ErrorOf("{}"), HasSubstr("model is missing"));
  EXPECT_THAT(ErrorOf(R"({"model": 5})"), HasSubstr("model is 5; it must be an object"));
  EXPECT_THAT(ErrorOf(R"({"model": {"type": "BPE", "merges": []}})"),
              HasSubstr("model.vocab is missing"));
}

TEST(BadTokenizer, RefusesOtherModels) {
  EXPECT_THAT(ErrorOf(R"({"model": {"type": "Unigram", "vocab": [["a", -1.5]]}})"),
              HasSubstr("model.type is `Unigram`; only BPE is supported"));
  EXPECT_THAT(ErrorOf(R"({"model": {"vocab": [["a", -1.5]], "type": "WordPiece"}})"),
              HasSubstr("model.type is `WordPiece`"));
  EXPECT_THAT(ErrorOf(R"({"model": {"type": "BPE", "vocab": [["a", -1.5]], "merges": []}})"),
              HasSubstr("model.vocab is an array"));
}

// One change to the sound file, and what its error must say.
void ExpectError(const std::string& pointer, const json& value, const std::string& says) {
  json file = ByteTokenizer();
  file[json::json_pointer(pointer)] = value;
  EXPECT_THAT(ErrorOf(file.dump()), HasSubstr(says)) << pointer << " = " << value;
}

TEST(BadTokenizer, RefusesWrongTypesAndValues) {
  EXPECT_EQ(ErrorOf(ByteTokenizer().dump()), "it loads");
  ExpectError("/model/vocab/a", "x", "model.vocab[`a`] is a string; it must be an id");
  ExpectError("/model/vocab/a", -1, "ids must lie in");
  ExpectError("/model/vocab/a", 2'000'000'000, "ids of a vocabulary of 259 tokens must lie in");
  ExpectError("/model/vocab/a", 1e300, "model.vocab[`a`] is a number");
  ExpectError("/model/vocab/a", json::array(), "model.vocab[`a`] is a array");
  ExpectError("/model/merges", {"ab"}, "model.merges[0] is `ab`");
  ExpectError("/model/merges", {"a b c"}, "one space between them");
  ExpectError("/model/merges", {{"a", "b", "c"}}, "has 3 parts; a merge has 2");
  ExpectError("/model/merges", {7}, "model.merges[0] is a number");
  ExpectError("/model/merges", {"a x"}, "`ax` is not in model.vocab");
  ExpectError("/model/merges", "a b", "model.merges is \"a b\"; it must be an array");
  ExpectError("/model/unk_token", "<unk>", "model.unk_token `<unk>` is not in model.vocab");
  ExpectError("/model/dropout", 0.1, "model.dropout is 0.1");
  ExpectError("/model/end_of_word_suffix", "</w>", "model.end_of_word_suffix");
  ExpectError("/model/byte_fallback", 1, "model.byte_fallback is 1; it must be true or false");
  ExpectError("/added_tokens", 1, "added_tokens is 1; it must be an array");
  ExpectError("/added_tokens/0", {{"id", 300}}, "added_tokens[0].content");
  ExpectError("/added_tokens/0", Added(2'000'000'000, "<s>"), "added_tokens gives `<s>` the id");
  ExpectError("/normalizer", {{"type", "Lowercase"}}, "normalizer.type is \"Lowercase\"");
  ExpectError("/normalizer", {{"type", "Replace"}, {"content", ""}, {"pattern", {{"String", ""}}}},
              "normalizer.pattern");
  ExpectError("/pre_tokenizer/type", "Metaspace", "pre_tokenizer.type is \"Metaspace\"");
  ExpectError("/pre_tokenizer",
              {{"type", "Split"}, {"behavior", "Isolated"}, {"pattern", {{"Regex", "("}}}},
              "cannot compile the regular expression");
  ExpectError("/pre_tokenizer",
              {{"type", "Split"}, {"behavior", "Up"}, {"pattern", {{"Regex", "a"}}}},
              "pre_tokenizer.behavior is \"Up\"");
  ExpectError("/post_processor", {{"type", "BertProcessing"}}, "post_processor.type");
  ExpectError("/post_processor", {{"type", "TemplateProcessing"}, {"single", json::array()}},
              "post_processor.single");
  ExpectError("/decoder", {{"type", "WordPiece"}}, "decoder.type is \"WordPiece\"");
}

TEST(BadTokenizer, RefusesAStepAfterByteLevel) {
  json file = ByteTokenizer();
  const json digits = {{"type", "Digits"}, {"individual_digits", true}};
  file["pre_tokenizer"] = {{"type", "Sequence"},
                           {"pretokenizers", {file["pre_tokenizer"], digits}}};
  EXPECT_THAT(ErrorOf(file.dump()), HasSubstr("pre_tokenizer.pretokenizers[1] follows ByteLevel"));
}

TEST(BadTokenizer, BoundsNesting) {
  EXPECT_THAT(ErrorOf(std::string(100'000, '[')), HasSubstr("nests deeper"));
  std::string nested = "{\"type\": \"NFC\"}";
  for (int i = 0; i < 40; ++i) nested = R"({"type": "Sequence", "normalizers": [)" + nested + "]}";
  EXPECT_THAT(ErrorOf("{\"normalizer\": " + nested + "}"), HasSubstr("nests deeper"));
}

TEST(BadTokenizer, RefusesMalformedNeighbours) {
  const ModelDir dir;
  dir.Write("tokenizer.json", ByteTokenizer().dump());
  const auto error = [&] { return std::string(Tokenizer::Load(dir.path()).status().message()); };
  dir.Write("tokenizer_config.json", "{");
  EXPECT_THAT(error(), HasSubstr("tokenizer_config.json: it is not valid JSON"));
  dir.Write("tokenizer_config.json", R"({"bos_token": 7})");
  EXPECT_THAT(error(), HasSubstr("bos_token is a number"));
  dir.Write("tokenizer_config.json", R"({"chat_template": {}})");
  EXPECT_THAT(error(), HasSubstr("chat_template is a object"));
  dir.Write("tokenizer_config.json", R"({"chat_template": "{% if %}"})");
  const auto tokenizer = Tokenizer::Load(dir.path());
  ASSERT_TRUE(tokenizer.ok()) << "a bad template matters only to who renders it";
  EXPECT_THAT(std::string((*tokenizer)->chat_template().status().message()),
              AllOf(HasSubstr("tokenizer_config.json: chat template, line 1")));
  dir.Write("config.json", R"({"eos_token_id": "x"})");
  EXPECT_THAT(error(), HasSubstr("config.json: eos_token_id must be"));
}

// Loads `bytes`; whatever loads must also encode and decode without a crash.
void Use(const std::string& bytes) {
  const ModelDir dir;
  dir.Write("tokenizer.json", bytes);
  const auto tokenizer = Tokenizer::Load(dir.path());
  if (!tokenizer.ok()) {
    EXPECT_FALSE(tokenizer.status().message().empty());
    return;
  }
  const std::string text = "ab <s> na\u00EFve e\u0301\xFF 123\n\n  abc\u4E2D";
  const OffsetEncoding encoding = (*tokenizer)->EncodeWithOffsets(text, true);
  EXPECT_EQ(encoding.ids, (*tokenizer)->Encode(text, true));
  (*tokenizer)->Decode(encoding.ids, false);
}

TEST(BadTokenizer, SurvivesRandomBytes) {
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    std::string bytes(random() % 200, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    Use(bytes);
    Use("{\"model\": {\"vocab\": {\"" + bytes + "\": 1}}}");
  }
}

TEST(BadTokenizer, SurvivesMutations) {
  json file = ByteTokenizer();
  file["normalizer"] = {{"type", "NFC"}};
  file["added_tokens"] = {Added(300, "<s>")};
  file["pre_tokenizer"]["use_regex"] = true;
  const std::string sound = file.dump();
  const std::string alphabet = "\"{}[]:,0129eE-+.\\u truefalsn";
  std::mt19937 random(2);
  for (int i = 0; i < 1000; ++i) {
    std::string bytes = sound;
    for (int k = random() % 4; k >= 0; --k) {
      const size_t at = random() % bytes.size();
      switch (random() % 4) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes[at] = alphabet[random() % alphabet.size()];
          break;
        case 2:
          bytes.erase(at, random() % 50);
          break;
        default:
          bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 50));
      }
    }
    Use(bytes);
  }
}

// Replaces one node of the document after the other by values of other types.
TEST(BadTokenizer, SurvivesOtherTypesEverywhere) {
  json file = ByteTokenizer();
  file["added_tokens"] = {Added(300, "<s>")};
  file["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}}}};
  const json values = {nullptr,
                       true,
                       -1,
                       1e300,
                       "",
                       "BPE",
                       json::array(),
                       json::object(),
                       json::array({nullptr}),
                       {{"type", "Sequence"}}};
  const json flat = file.flatten();
  for (const auto& [pointer, leaf] : flat.items()) {
    if (pointer.starts_with("/model/vocab/") && leaf > 2) continue;
    for (json::json_pointer at(pointer); !at.empty(); at.pop_back()) {
      for (const json& value : values) {
        json changed = file;
        changed[at] = value;
        Use(changed.dump());
      }
    }
  }
}

}  // namespace
}  // namespace kvscope::inference
