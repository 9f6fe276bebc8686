// Press expressions: what they mean, their one canonical form, and what a wrong one is told.
#include "services/inference/presses/press.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "services/inference/presses/apply.h"

namespace kvscope::inference {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string Canonical(std::string_view expression) {
  const auto press = ParsePress(expression, 0);
  return press.ok() ? press->expression : std::string(press.status().message());
}

struct Form {
  const char* written;
  const char* canonical;
};

class WellFormed : public ::testing::TestWithParam<Form> {};

TEST_P(WellFormed, HasOneCanonicalForm) {
  EXPECT_EQ(Canonical(GetParam().written), GetParam().canonical);
  EXPECT_EQ(Canonical(GetParam().canonical), GetParam().canonical);  // which is a fixed point
}

INSTANTIATE_TEST_SUITE_P(
    Table, WellFormed,
    ::testing::ValuesIn(std::vector<Form>{
        {"knorm", "knorm"},
        {"knorm()", "knorm"},
        {"  knorm ( )\n", "knorm"},
        {"KnormPress", "knorm"},
        {"uniform(knorm)", "knorm"},
        {"snapkv(window_size=64, kernel_size=5)", "snapkv"},
        {"snapkv(kernel_size=7,window_size=32)", "snapkv(window_size=32, kernel_size=7)"},
        {"SnapKVPress(window_size=16)", "snapkv(window_size=16)"},
        {"StreamingLLMPress(n_sink=0)", "streaming_llm(n_sink=0)"},
        {"RandomPress(seed=3)", "random(seed=3)"},
        {"random(seed=9007199254740991)", "random(seed=9007199254740991)"},
        {"ExpectedAttentionPress(epsilon=1e-2)", "expected_attention(epsilon=0.01)"},
        {"expected_attention(use_vnorm=False, use_covariance=True, epsilon=0.0)",
         "expected_attention(use_vnorm=false)"},
        {"expected_attention(n_future_positions=16, n_sink=9, use_covariance=false, "
         "use_vnorm=true, epsilon=0.001)",
         "expected_attention(n_future_positions=16, n_sink=9, use_covariance=false, "
         "epsilon=0.001)"},
        {"chunk(expected_attention, chunk_length=64)",
         "chunk(expected_attention, chunk_length=64)"},
        {"chunk(chunk_length=64, press=ExpectedAttentionPress())",
         "chunk(expected_attention, chunk_length=64)"},
        {"ChunkPress(press=KnormPress(), chunk_length=1024)", "chunk(knorm)"},
        {"AdaKVPress(ExpectedAttentionPress(epsilon=0.02), alpha_safeguard=0.20)",
         "adakv(expected_attention(epsilon=0.02))"},
        {"adakv(alpha_safeguard=1,knorm)", "adakv(knorm, alpha_safeguard=1)"},
    }));

struct Fault {
  const char* written;
  const char* said;
};

class IllFormed : public ::testing::TestWithParam<Fault> {};

TEST_P(IllFormed, IsRefusedWithOneClearSentence) {
  const auto press = ParsePress(GetParam().written, 0);
  ASSERT_FALSE(press.ok());
  EXPECT_EQ(press.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(press.status().message(),
            "press \"" + std::string(GetParam().written) + "\": " + GetParam().said);
}

INSTANTIATE_TEST_SUITE_P(
    Table, IllFormed,
    ::testing::ValuesIn(std::vector<Fault>{
        {"", "expected a name, found the end"},
        {"   ", "expected a name, found the end"},
        {"(knorm)", "expected a name, found \"(\" at character 1"},
        {"knorm knorm", "expected the end, found \"k\" at character 7"},
        {"knorm)", "expected the end, found \")\" at character 6"},
        {"snapkv(", "expected a name, found the end"},
        {"snapkv(window_size=32", "expected \",\" or \")\", found the end"},
        {"snapkv(window_size=32,)", "expected a name, found \")\" at character 23"},
        {"snapkv(window_size=)", "expected a name, found \")\" at character 20"},
        {"snapkv(=32)", "expected a name, found \"=\" at character 8"},
        {"snapkv(window_size==32)", "expected a name, found \"=\" at character 20"},
        {"chunk(a(b(c(d(e(f(g(h(i)))))))))", "nested deeper than 8 levels"},
        {"snapkw",
         "unknown press \"snapkw\"; did you mean \"snapkv\"? Known are expected_attention, "
         "snapkv, streaming_llm, knorm, random, uniform, chunk, adakv"},
        {"KNormPress",
         "unknown press \"KNormPress\"; did you mean \"KnormPress\"? Known are "
         "expected_attention, snapkv, streaming_llm, knorm, random, uniform, chunk, adakv"},
        {"adakv(quest)",
         "unknown press \"quest\"; known are expected_attention, snapkv, streaming_llm, knorm, "
         "random, uniform, chunk, adakv"},
        {"expected(epsilon=1)",
         "unknown press \"expected\"; did you mean \"expected_attention\"? Known are "
         "expected_attention, snapkv, streaming_llm, knorm, random, uniform, chunk, adakv"},
        {"32",
         "unknown press \"32\"; known are expected_attention, snapkv, streaming_llm, knorm, "
         "random, uniform, chunk, adakv"},
        {"snapkv(windowsize=32)",
         "snapkv has no parameter \"windowsize\"; did you mean \"window_size\"?"},
        {"snapkv(alpha=1)", "snapkv has no parameter \"alpha\"; it has window_size, kernel_size"},
        {"knorm(window_size=32)", "knorm has no parameter \"window_size\"; it has none"},
        {"KnormPress(compression_ratio=0.5)",
         "compression_ratio is no parameter of a press here: a sweep's ratios are its own list"},
        {"snapkv(window_size=8, window_size=8)", "snapkv is given window_size twice"},
        {"snapkv(window_size=0)",
         "window_size of snapkv must be an int, [1, 1000000]; found \"0\""},
        {"snapkv(window_size=32.0)",
         "window_size of snapkv must be an int, [1, 1000000]; found \"32.0\""},
        {"snapkv(window_size=99999999999999999999)",
         "window_size of snapkv must be an int, [1, 1000000]; found \"99999999999999999999\""},
        {"snapkv(kernel_size=4)",
         "kernel_size of snapkv must be an int, odd, [1, 9999]; found \"4\""},
        {"snapkv(window_size=knorm(x=1))",
         "window_size of snapkv must be an int, [1, 1000000]; found \"knorm(...)\""},
        {"expected_attention(epsilon=nan)",
         "epsilon of expected_attention must be a float, [0, 1000]; found \"nan\""},
        {"expected_attention(use_vnorm=1)",
         "use_vnorm of expected_attention must be true or false; found \"1\""},
        {"adakv(knorm, alpha_safeguard=1.5)",
         "alpha_safeguard of adakv must be a float, [0, 1]; found \"1.5\""},
        {"random(seed=-1)", "seed of random must be an int, [0, 2^53 - 1]; found \"-1\""},
        {"adakv", "adakv needs a scorer, as in \"adakv(expected_attention)\""},
        {"chunk(chunk_length=64)", "chunk needs a scorer, as in \"chunk(expected_attention)\""},
        {"chunk(adakv(knorm))", "chunk takes a scorer, but \"adakv\" is a budget"},
        {"adakv(press=ChunkPress(knorm))", "adakv takes a scorer, but \"chunk\" is a budget"},
        {"adakv(knorm, snapkv)", "adakv takes one scorer; found \"knorm\" and \"snapkv\""},
        {"adakv(knorm, press=random)", "adakv takes one scorer; found \"knorm\" and \"random\""},
        {"snapkv(32)", "snapkv is a scorer and takes only parameters, as name=value; found \"32\""},
        {"knorm(adakv)",
         "knorm is a scorer and takes only parameters, as name=value; found \"adakv\""},
        {"snapkv(press=knorm)",
         "snapkv is a scorer and takes only parameters, as name=value; found \"knorm\""},
        {"chunk(snapkv, chunk_length=64)",
         "chunks of 64 tokens are too short for snapkv, which needs at least 65"},
    }));

TEST(ParsePress, QuotesHostileTextHarmlessly) {
  EXPECT_EQ(ParsePress("kn\"\n\xff\x1b[31m", 0).status().message(),
            "press \"kn\\\"\\n\\377\\033[31m\": expected the end, found \"\\\"\" at character 3");
  EXPECT_THAT(Canonical(std::string_view("knorm\0", 6)), HasSubstr("has a NUL byte"));
  const std::string long_text(5000, 'a');
  EXPECT_THAT(Canonical(long_text),
              AllOf(HasSubstr("...\": has 5000 bytes; at most 1000 are allowed"),
                    ::testing::SizeIs(::testing::Lt(300u))));
  std::string deep;
  for (int i = 0; i < 400; ++i) deep += "a(";
  EXPECT_THAT(Canonical(deep), HasSubstr("nested deeper than 8 levels"));
}

TEST(ParsePress, SurvivesArbitraryBytes) {
  std::mt19937 generator(1);
  const std::string pieces[] = {"(", ")", ",",     "=",    "chunk", "adakv", "snapkv", "press",
                                "1", "-", "1e999", "true", "\xc3",  " ",     ".",      "seed"};
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (int i = generator() % 12; i > 0; --i) text += pieces[generator() % std::size(pieces)];
    const auto press = ParsePress(text, 0);
    if (!press.ok()) continue;
    EXPECT_EQ(Canonical(press->expression), press->expression) << text;
  }
}

TEST(ParsePress, KeysScoresByWhatDecidesThem) {
  const auto key = [](std::string_view expression, uint64_t seed) {
    return ParsePress(expression, seed)->score_key;
  };
  EXPECT_EQ(key("expected_attention", 0), key("adakv(expected_attention, alpha_safeguard=0)", 0));
  EXPECT_NE(key("expected_attention", 0), key("chunk(expected_attention)", 0));
  EXPECT_NE(key("chunk(knorm, chunk_length=64)", 0), key("chunk(knorm, chunk_length=65)", 0));
  EXPECT_NE(key("snapkv", 0), key("snapkv(window_size=32)", 0));
  EXPECT_NE(key("random", 0), key("random", 1));
  EXPECT_EQ(key("knorm", 0), key("knorm", 1));
}

TEST(ParsePress, GivesRandomTheSeedUnlessItHasItsOwn) {
  const auto draw = [](std::string_view expression, uint64_t seed) {
    RowMatrix scores(1, 8);
    LayerView view;
    view.tokens = view.sequence_tokens = 8;
    view.q_heads = view.kv_heads = 1;
    ScoreLayer(*ParsePress(expression, seed), view, {scores.data(), 1, 8});
    return scores;
  };
  EXPECT_NE(draw("random", 1), draw("random", 2));
  EXPECT_EQ(draw("random(seed=5)", 1), draw("random(seed=5)", 2));
  EXPECT_EQ(draw("random(seed=5)", 1), draw("random", 5));
  EXPECT_EQ(draw("random", ~uint64_t{0}), draw("random(seed=9007199254740991)", 0));
}

TEST(ListPresses, ShowsEveryEntryWithAnExampleThatParses) {
  const std::vector<PressInfo> presses = ListPresses();
  EXPECT_EQ(presses.size(), Scorers().size() + Budgets().size());
  for (const PressInfo& press : presses) {
    EXPECT_TRUE(ParsePress(press.example, 0).ok()) << press.example;
    EXPECT_THAT(press.example, HasSubstr(press.name));
    EXPECT_TRUE(press.kind == "scorer" || press.kind == "budget") << press.kind;
    if (press.kvpress_name.empty()) continue;
    const std::string inner = press.kind == "budget" ? "(press=KnormPress())" : "";
    EXPECT_TRUE(ParsePress(press.kvpress_name + inner, 0).ok()) << press.kvpress_name;
  }
}

}  // namespace
}  // namespace kvscope::inference
