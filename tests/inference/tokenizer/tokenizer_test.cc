#include "services/inference/tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/inference/tokenizer/model_dir.h"

namespace kvscope::inference {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

using Ids = std::vector<int32_t>;

std::unique_ptr<Tokenizer> Loaded(const json& file) {
  auto tokenizer = LoadJson(file);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return *std::move(tokenizer);
}

Ids Encode(const json& file, const std::string& text) { return Loaded(file)->Encode(text, false); }

TEST(Tokenizer, MergesLowestRankFirst) {
  EXPECT_THAT(Encode(ByteTokenizer(), "abcab"), ElementsAre(257, 256));
  json file = ByteTokenizer();
  file["model"]["merges"] = {"b c", "a b", "a bc"};
  file["model"]["vocab"]["bc"] = 259;
  EXPECT_THAT(Encode(file, "abc"), ElementsAre(257)) << "b c first, then a bc";
}

TEST(Tokenizer, ReadsMergesAsPairs) {
  json file = ByteTokenizer();
  file["model"]["merges"] = json::parse(R"([["a", "b"], ["ab", "c"]])");
  EXPECT_THAT(Encode(file, "abc"), ElementsAre(257));
}

TEST(Tokenizer, IgnoresMergesForWholeWords) {
  json file = ByteTokenizer();
  file["model"]["merges"] = json::array();
  EXPECT_THAT(Encode(file, "abc"), ElementsAre('a', 'b', 'c'));
  file["model"]["ignore_merges"] = true;
  EXPECT_THAT(Encode(file, "abc"), ElementsAre(257));
}

TEST(Tokenizer, ReplacesInvalidUtf8OnBothWays) {
  const auto tokenizer = Loaded(ByteTokenizer());
  EXPECT_THAT(tokenizer->Encode("\xFF", false), ElementsAre(0xEF, 0xBF, 0xBD));
  // A truncated character is one U+FFFD; a byte that cannot start one, another.
  EXPECT_EQ(tokenizer->Decode(Ids{0xE4, 0xB8, 'x', 0xFF, 0x80}, false), "\uFFFDx\uFFFD\uFFFD");
  EXPECT_EQ(tokenizer->Decode(Ids{0xED, 0xA0, 0x80}, false), "\uFFFD\uFFFD\uFFFD") << "surrogate";
  EXPECT_EQ(tokenizer->Decode(Ids{99999, -1, 'x'}, false), "x") << "unknown ids are left out";
}

TEST(AddedTokens, AreFoundInText) {
  json file = ByteTokenizer();
  file["added_tokens"] = {Added(300, "<s>"), Added(301, "<s>>")};
  const auto tokenizer = Loaded(file);
  EXPECT_THAT(tokenizer->Encode("ab<s>ab", false), ElementsAre(256, 300, 256));
  EXPECT_THAT(tokenizer->Encode("<s>><s", false), ElementsAre(301, '<', 's')) << "the longest";
  EXPECT_EQ(tokenizer->vocab_size(), 302);
  EXPECT_EQ(tokenizer->TokenToId("<s>"), 300);
  EXPECT_EQ(tokenizer->IdToToken(301), "<s>>");
  EXPECT_TRUE(tokenizer->IsSpecial(300));
  EXPECT_FALSE(tokenizer->IsSpecial('a'));
  EXPECT_EQ(tokenizer->Decode(Ids{'x', 300, 'y'}, true), "xy");
  EXPECT_EQ(tokenizer->Decode(Ids{'x', 300, 'y'}, false), "x<s>y");
}

TEST(AddedTokens, StripSpacesBesideThem) {
  json file = ByteTokenizer();
  json token = Added(300, "<s>");
  token["lstrip"] = token["rstrip"] = true;
  file["added_tokens"] = {token};
  const OffsetEncoding encoding = Loaded(file)->EncodeWithOffsets("a \t<s>\u3000 b", false);
  EXPECT_THAT(encoding.ids, ElementsAre('a', 300, 'b'));
  EXPECT_THAT(encoding.offsets, ElementsAre(CharRange{0, 1}, CharRange{1, 8}, CharRange{8, 9}));
}

TEST(AddedTokens, OfSingleWordsNeedABoundary) {
  json file = ByteTokenizer();
  json token = Added(300, "ab");
  token["single_word"] = true;
  file["added_tokens"] = {token};
  file["model"]["vocab"].erase("ab");  // else the vocabulary's id holds
  file["model"]["vocab"].erase("abc");
  file["model"]["merges"] = json::array();
  EXPECT_THAT(Encode(file, "ab ab-"), ElementsAre(300, ' ', 300, '-'));
  EXPECT_THAT(Encode(file, "xab"), ElementsAre('x', 'a', 'b'));
  EXPECT_THAT(Encode(file, "ab\u00E9"), ElementsAre('a', 'b', 0xC3, 0xA9));
}

TEST(AddedTokens, MayBeSoughtInTheNormalizedText) {
  json file = ByteTokenizer();
  file["normalizer"] = {{"type", "NFC"}};
  json composed = Added(300, "\u00E9!");
  file["added_tokens"] = {composed};
  EXPECT_THAT(Encode(file, "e\u0301!"), ElementsAre(0xC3, 0xA9, '!')) << "input is decomposed";
  file["added_tokens"][0]["normalized"] = true;
  EXPECT_THAT(Encode(file, "e\u0301!"), ElementsAre(300));
}

TEST(Normalizer, GivesOffsetsInTheOriginal) {
  json file = ByteTokenizer();
  file["normalizer"] = {{"type", "NFC"}};
  // x, e + acute (composed to 2 bytes), y, hangul L + V (composed to 3 bytes)
  const OffsetEncoding encoding = Loaded(file)->EncodeWithOffsets("xe\u0301y\u1112\u1161", false);
  EXPECT_THAT(encoding.ids, ElementsAre('x', 0xC3, 0xA9, 'y', 0xED, 0x95, 0x98));
  EXPECT_THAT(encoding.offsets,
              ElementsAre(CharRange{0, 1}, CharRange{1, 3}, CharRange{1, 3}, CharRange{3, 4},
                          CharRange{4, 6}, CharRange{4, 6}, CharRange{4, 6}));
}

TEST(PreTokenizer, SplitsAndPutsASpaceBefore) {
  json file = ByteTokenizer();
  file["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"use_regex", true}};
  const OffsetEncoding encoding = Loaded(file)->EncodeWithOffsets("a's a", false);
  EXPECT_THAT(encoding.ids, ElementsAre(258, '\'', 's', 258));
  EXPECT_THAT(encoding.offsets,
              ElementsAre(CharRange{0, 1}, CharRange{1, 2}, CharRange{2, 3}, CharRange{3, 5}));
}

TEST(PreTokenizer, HonoursEveryBehavior) {
  // The words stand apart where "ab" is not merged across a cut.
  const auto encode = [](const char* behavior, bool invert) {
    json file = ByteTokenizer();
    const json split = {{"type", "Split"},
                        {"pattern", {{"String", "b"}}},
                        {"behavior", behavior},
                        {"invert", invert}};
    file["pre_tokenizer"] = {{"type", "Sequence"},
                             {"pretokenizers", {split, file["pre_tokenizer"]}}};
    return Encode(file, "abbab");
  };
  EXPECT_THAT(encode("Isolated", false), ElementsAre('a', 'b', 'b', 'a', 'b'));
  EXPECT_THAT(encode("Removed", false), ElementsAre('a', 'a'));
  EXPECT_THAT(encode("Removed", true), ElementsAre('b', 'b', 'b'));
  EXPECT_THAT(encode("MergedWithPrevious", false), ElementsAre(256, 'b', 256));
  EXPECT_THAT(encode("MergedWithNext", false), ElementsAre('a', 'b', 'b', 'a', 'b'));
  EXPECT_THAT(encode("Contiguous", false), ElementsAre('a', 'b', 'b', 'a', 'b'));
}

TEST(PreTokenizer, TreatsUnicodeSpacesAsTheLibrary) {
  json file = ByteTokenizer();
  const json split = {{"type", "Split"},
                      {"pattern", {{"Regex", "\\s+"}}},
                      {"behavior", "Removed"},
                      {"invert", false}};
  file["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {split, file["pre_tokenizer"]}}};
  EXPECT_THAT(Encode(file, " \u0085\u2003\u3000"), IsEmpty());
  EXPECT_THAT(Encode(file, "\u180E"), ElementsAre(0xE1, 0xA0, 0x8E))
      << "no space since Unicode 6.3";
}

TEST(PostProcessor, AddsTheTemplate) {
  json file = ByteTokenizer();
  file["added_tokens"] = {Added(300, "<s>"), Added(301, "</s>")};
  const auto special = [](const char* id) {
    return json{{"SpecialToken", {{"id", id}, {"type_id", 0}}}};
  };
  file["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single", {special("<s>"), {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}, special("</s>")}},
      {"special_tokens",
       {{"<s>", {{"id", "<s>"}, {"ids", {300}}}}, {"</s>", {{"id", "</s>"}, {"ids", {301}}}}}}};
  const OffsetEncoding encoding = Loaded(file)->EncodeWithOffsets("ab", true);
  EXPECT_THAT(encoding.ids, ElementsAre(300, 256, 301));
  EXPECT_THAT(encoding.offsets, ElementsAre(CharRange{0, 0}, CharRange{0, 2}, CharRange{2, 2}));
}

TEST(Tokenizer, FallsBackToBytesWithoutByteLevel) {
  json vocab = {{"<unk>", 0}, {"▁", 1}, {"a", 2}, {"▁a", 3}, {"<0xC3>", 4}, {"<0xA9>", 5}};
  json file = ByteTokenizer();
  file["normalizer"] = {
      {"type", "Sequence"},
      {"normalizers",
       {{{"type", "Prepend"}, {"prepend", "▁"}},
        {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}}}}};
  file["pre_tokenizer"] = nullptr;
  file["model"] = {{"type", "BPE"},        {"vocab", vocab},        {"merges", {"▁ a"}},
                   {"unk_token", "<unk>"}, {"byte_fallback", true}, {"fuse_unk", true}};
  file["decoder"] = {{"type", "Sequence"},
                     {"decoders",
                      {{{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}},
                       {{"type", "ByteFallback"}},
                       {{"type", "Fuse"}},
                       {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}};
  const auto tokenizer = Loaded(file);
  const OffsetEncoding encoding = tokenizer->EncodeWithOffsets("a \u00E9 a\u4E2D\u4E2D", false);
  EXPECT_THAT(encoding.ids, ElementsAre(3, 1, 4, 5, 3, 0));
  EXPECT_THAT(encoding.offsets, ElementsAre(CharRange{0, 1}, CharRange{1, 2}, CharRange{2, 3},
                                            CharRange{2, 3}, CharRange{3, 5}, CharRange{5, 7}));
  EXPECT_EQ(tokenizer->Decode(Ids{3, 1, 4, 5, 3}, false), "a \u00E9 a");
  EXPECT_EQ(tokenizer->Decode(Ids{3, 4}, false), "a\uFFFD");
}

TEST(Tokenizer, LongWordsAreNotQuadratic) {
  json file = ByteTokenizer();
  std::string word;
  for (int i = 0; i < 300'000; ++i) word += "abc";
  const Ids ids = Encode(file, word);
  EXPECT_EQ(ids, Ids(300'000, 257));
}

TEST(Tokenizer, ReadsBosEosAndTemplateBesideIt) {
  const ModelDir dir;
  json file = ByteTokenizer();
  file["added_tokens"] = {Added(300, "<s>"), Added(301, "</s>")};
  dir.Write("tokenizer.json", file.dump());
  const auto bare = Tokenizer::Load(dir.path());
  ASSERT_TRUE(bare.ok()) << bare.status();
  EXPECT_EQ((*bare)->bos_id(), std::nullopt);
  EXPECT_THAT((*bare)->eos_ids(), IsEmpty());
  EXPECT_EQ((*bare)->digest().size(), 64u);

  dir.Write("tokenizer_config.json",
            R"({"bos_token": {"content": "<s>"}, "eos_token": "</s>", "chat_template": "x"})");
  const auto configured = Tokenizer::Load(dir.path());
  ASSERT_TRUE(configured.ok()) << configured.status();
  EXPECT_EQ((*configured)->bos_id(), 300);
  EXPECT_THAT((*configured)->eos_ids(), ElementsAre(301));
  EXPECT_NE((*configured)->digest(), (*bare)->digest()) << "the chat template counts";

  dir.Write("config.json", R"({"eos_token_id": 7})");
  EXPECT_THAT((*Tokenizer::Load(dir.path()))->eos_ids(), ElementsAre(7));
  dir.Write("generation_config.json", R"({"eos_token_id": [301, 5]})");
  EXPECT_THAT((*Tokenizer::Load(dir.path()))->eos_ids(), ElementsAre(5, 301));
}

TEST(Tokenizer, DigestIsTheFilesSha256) {
  const ModelDir dir;
  dir.Write("tokenizer.json", R"({"model": {"type": "BPE", "vocab": {}, "merges": []}})");
  const auto tokenizer = Tokenizer::Load(dir.path());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->digest(),
            "64fdd31b225b49ce1b940829b72474318e139d78ab17cff20545e81c29bfeac6");
}

TEST(Tokenizer, EncodesFromManyThreads) {
  const auto tokenizer = Loaded(ByteTokenizer());
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const std::string text = std::string(i, 'a') + "abc abc";
      const Ids expected = tokenizer->Encode(text, false);
      for (int k = 0; k < 200; ++k) wrong += tokenizer->Encode(text, false) != expected;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace kvscope::inference
