#include "services/orchestrator/sweep/sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kFull[] = R"yaml(name: pocket-cliff
model: models/pocket-llama
device: cpu
dtype: bfloat16
seed: 18446744073709551615
datasets:
  - {name: knowledge, scale: paper, passages: 40, seed: 1}
  - {name: knowledge, passages: 40}
  - {file: my questions.jsonl}
  - {file: other.jsonl, passages: 3}
regimes: [aware_each, agnostic]
presses: ["chunk(expected_attention, chunk_length=64)", " snapkv "]
ratios: [0.9, 0, 1e-1]
max_new_tokens: 7
prompt:
  instruction: "Read.\n\tÜber \"all\" \\ \x01"
  question_suffix: ""
capture: {consensus: false, graph: {passages: 5, epsilon: 0.1},
          probes: {pool: mean, layers: [6, 0]}, heatmaps: {passages: 2}}
score: {tokenizer: models/other, correct: 0.75, partial: 0.25,
        abstentions: ["no \"answer\"", keine Angabe, 无可奉告]}
)yaml";

constexpr char kSmall[] = R"yaml(name: s
model: m
datasets:
  - {name: knowledge, passages: 4}
presses: [random]
ratios: [0]
)yaml";

std::string ErrorOf(const std::string& yaml) {
  const auto sweep = ParseSweep(yaml, "s.yaml");
  if (sweep.ok()) return "no error";
  EXPECT_EQ(sweep.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(sweep.status().message());
}

// kSmall with one line replaced, or with a line added where `from` is empty.
std::string ErrorWith(const std::string& from, const std::string& to) {
  if (from.empty()) return ErrorOf(absl::StrCat(kSmall, to));
  const std::string yaml = absl::StrReplaceAll(kSmall, {{from, to}});
  EXPECT_NE(yaml, kSmall) << "nothing was replaced";
  return ErrorOf(yaml);
}

TEST(ParseSweep, ReadsEveryField) {
  const auto sweep = ParseSweep(kFull, "s.yaml");
  ASSERT_TRUE(sweep.ok()) << sweep.status();
  EXPECT_EQ(sweep->name, "pocket-cliff");
  EXPECT_THAT(sweep->models, ElementsAre("models/pocket-llama"));
  EXPECT_EQ(sweep->device, "cpu");
  EXPECT_EQ(sweep->dtype, "bfloat16");
  EXPECT_EQ(sweep->seed, 18446744073709551615u);
  const DatasetEntry generated{"knowledge", Scale::kPaper, 40, 1, ""};
  const DatasetEntry inherits{"knowledge", Scale::kPocket, 40, 18446744073709551615u, ""};
  const DatasetEntry file{"", Scale::kPocket, 0, 0, "my questions.jsonl"};
  const DatasetEntry first_three{"", Scale::kPocket, 3, 0, "other.jsonl"};
  EXPECT_THAT(sweep->datasets, ElementsAre(generated, inherits, file, first_three));
  EXPECT_TRUE(sweep->datasets[2].is_file());
  EXPECT_THAT(sweep->regimes, ElementsAre(Regime::kAwareEach, Regime::kAgnostic));
  EXPECT_THAT(sweep->presses, ElementsAre("chunk(expected_attention, chunk_length=64)", "snapkv"));
  EXPECT_THAT(sweep->ratios, ElementsAre(0, 0.1, 0.9));  // ascending
  EXPECT_EQ(sweep->max_new_tokens, 7);
  EXPECT_EQ(sweep->prompt.instruction, "Read.\n\tÜber \"all\" \\ \x01");
  EXPECT_EQ(sweep->prompt.question_suffix, "");
  EXPECT_EQ(sweep->prompt.aware_line, std::nullopt);
  EXPECT_EQ(sweep->capture, (CaptureOptions{false, 5, 0.1, "mean", {0, 6}, 2}));
  EXPECT_EQ(
      sweep->score,
      (ScoreOptions{"models/other", 0.75, 0.25, {"no \"answer\"", "keine Angabe", "无可奉告"}}));
}

TEST(ParseSweep, FillsInTheDefaults) {
  const auto sweep = ParseSweep(kSmall, "s.yaml");
  ASSERT_TRUE(sweep.ok()) << sweep.status();
  EXPECT_EQ(sweep->device, "auto");
  EXPECT_EQ(sweep->dtype, "auto");
  EXPECT_THAT(sweep->regimes, ElementsAre(Regime::kAgnostic));
  EXPECT_EQ(sweep->max_new_tokens, 32);
  EXPECT_EQ(sweep->prompt, PromptPieces{});
  EXPECT_EQ(sweep->capture, CaptureOptions{});
  EXPECT_EQ(sweep->score, (ScoreOptions{"model", 0.5, 0}));
  EXPECT_EQ(sweep->seed, 0u);
}

TEST(ParseSweep, ReadsOneModelOrSeveral) {
  const auto with = [](const char* model) {
    const auto sweep = ParseSweep(absl::StrReplaceAll(kSmall, {{"model: m", model}}), "s.yaml");
    EXPECT_TRUE(sweep.ok()) << sweep.status();
    return *sweep;
  };
  EXPECT_THAT(with("model: [b, a/x, a/y]").models, ElementsAre("b", "a/x", "a/y"));
  EXPECT_EQ(with("model: [m]"), with("model: m"));
  EXPECT_EQ(CanonicalSweep(with("model: [m]")), CanonicalSweep(with("model: m")));
  EXPECT_THAT(CanonicalSweep(with("model: m")), HasSubstr("\nmodel: \"m\"\n"));
  EXPECT_THAT(CanonicalSweep(with("model: [m, \"n, o\"]")),
              HasSubstr("\nmodel: [\"m\", \"n, o\"]\n"));
  EXPECT_NE(CanonicalSweep(with("model: [a, b]")), CanonicalSweep(with("model: [b, a]")));

  EXPECT_EQ(ErrorWith("model: m", "model: []"),
            "s.yaml:2: model: is an empty list, must have at least one element");
  EXPECT_EQ(ErrorWith("model: m", "model: [m, n, m]"),
            "s.yaml:2: model[2]: is \"m\", the same model as model[0]");
  EXPECT_EQ(ErrorWith("model: m", "model: [a/m, ./a//m/]"),
            "s.yaml:2: model[1]: is \"./a//m/\", the same model as model[0]");
  EXPECT_THAT(ErrorWith("model: m", "model: [m, '']"), HasSubstr("model[1]: is empty"));
  EXPECT_THAT(ErrorWith("model: m", "model: [m, [n]]"), HasSubstr("model[1]: is a list"));
}

TEST(CanonicalSweep, RoundTrips) {
  const std::string several =
      absl::StrReplaceAll(kSmall, {{"model: m", "model: [models/a, \"b \\\" c\"]"}});
  for (const char* yaml : {kFull, kSmall, several.c_str()}) {
    const auto sweep = ParseSweep(yaml, "s.yaml");
    ASSERT_TRUE(sweep.ok());
    const std::string canonical = CanonicalSweep(*sweep);
    const auto again = ParseSweep(canonical, "canonical");
    ASSERT_TRUE(again.ok()) << again.status() << "\n" << canonical;
    EXPECT_EQ(*again, *sweep) << canonical;
    EXPECT_EQ(CanonicalSweep(*again), canonical);
  }
}

TEST(CanonicalSweep, IgnoresLayoutAndSeesEveryChange) {
  const std::string a =
      "{ratios: [ 0.50 ], presses: ['random'], model: \"m\", name: s, "
      "datasets: [{passages: 4, name: knowledge}]}";
  const std::string b = absl::StrReplaceAll(kSmall, {{"ratios: [0]", "ratios: [.5]"}});
  ASSERT_TRUE(ParseSweep(a, "a").ok()) << ParseSweep(a, "a").status();
  const std::string canonical = CanonicalSweep(*ParseSweep(a, "a"));
  EXPECT_EQ(canonical, CanonicalSweep(*ParseSweep(b, "b")));
  for (const char* line : {"seed: 1", "device: cpu", "dtype: float32", "regimes: [aware]",
                           "max_new_tokens: 31", "prompt: {answer_prefix: ''}",
                           "capture: {consensus: false}", "capture: {heatmaps: {passages: 1}}",
                           "score: {partial: 0.1}", "score: {abstentions: [no answer]}"}) {
    const auto changed = ParseSweep(absl::StrCat(b, line, "\n"), "b");
    ASSERT_TRUE(changed.ok()) << changed.status();
    EXPECT_NE(CanonicalSweep(*changed), canonical) << line;
  }
}

TEST(ParseSweep, NamesTheUnknownKeyItsLineAndTheNearest) {
  EXPECT_THAT(ErrorWith("", "max_new_token: 3\n"),
              AllOf(StartsWith("s.yaml:7: unknown key \"max_new_token\""),
                    HasSubstr("did you mean \"max_new_tokens\"?")));
  EXPECT_THAT(ErrorWith("passages: 4", "pasages: 4"),
              AllOf(StartsWith("s.yaml:4: datasets[0]: unknown key"), HasSubstr("\"passages\"?")));
  EXPECT_THAT(ErrorWith("", "capture: {heatmap: {passages: 1}}\n"), HasSubstr("\"heatmaps\"?"));
  EXPECT_THAT(ErrorWith("", "<<: {seed: 1}\n"), HasSubstr("unknown key \"<<\""));
}

TEST(ParseSweep, RefusesRepeatedAndMissingKeys) {
  EXPECT_EQ(ErrorWith("", "name: t\n"), "s.yaml:7: name: is given twice");
  for (const char* line : {"name: s\n", "model: m\n", "presses: [random]\n", "ratios: [0]\n"}) {
    EXPECT_THAT(ErrorWith(line, ""), HasSubstr("is missing and has no default")) << line;
  }
  EXPECT_THAT(ErrorWith("datasets:\n  - {name: knowledge, passages: 4}\n", ""),
              HasSubstr("datasets: is missing"));
  EXPECT_THAT(ErrorWith(", passages: 4", ""), HasSubstr("datasets[0].passages: is missing"));
}

TEST(ParseSweep, RefusesWrongTypes) {
  EXPECT_THAT(ErrorWith("model: m", "model: {m: 1}"), HasSubstr("model: is a map, must be text"));
  EXPECT_THAT(ErrorWith("model: m", "model:"), HasSubstr("model: is empty, must be text"));
  EXPECT_THAT(ErrorWith("model: m", "model: ''"), HasSubstr("model: is empty, must be text"));
  EXPECT_THAT(ErrorWith("ratios: [0]", "ratios: 0"), HasSubstr("must be a list"));
  EXPECT_THAT(ErrorWith("ratios: [0]", "ratios: ['0']"), HasSubstr("must be a number"));
  EXPECT_THAT(ErrorWith("ratios: [0]", "ratios: [.nan]"), HasSubstr("must be a number"));
  EXPECT_THAT(ErrorWith("ratios: [0]", "ratios: [nan]"), HasSubstr("must be a number"));
  EXPECT_THAT(ErrorWith("[random]", "[{random: 1}]"), HasSubstr("presses[0]: is a map"));
  EXPECT_THAT(ErrorWith("", "capture: {consensus: yes}\n"), HasSubstr("must be true or false"));
  EXPECT_THAT(ErrorWith("", "prompt: text\n"), HasSubstr("prompt: is \"text\", must be a map"));
  EXPECT_THAT(ErrorWith("", "seed: -1\n"), HasSubstr("seed: is \"-1\""));
  EXPECT_THAT(ErrorWith("", "max_new_tokens: 2.5\n"), HasSubstr("must be a whole number"));
  EXPECT_THAT(ErrorOf("- a\n- b\n"), HasSubstr("the file is a list"));
  EXPECT_THAT(ErrorOf(""), HasSubstr("s.yaml"));
  EXPECT_THAT(ErrorOf(absl::StrCat(kSmall, "---\nname: t\n")),
              HasSubstr("s.yaml:7: a second YAML document starts here"));
}

TEST(ParseSweep, RefusesValuesOutOfRange) {
  EXPECT_EQ(ErrorWith("ratios: [0]", "ratios: [0, 1]"),
            "s.yaml:6: ratios[1]: is \"1\", must be in [0, 1): the fraction of KV pairs removed");
  EXPECT_THAT(ErrorWith("ratios: [0]", "ratios: [-0.1]"), HasSubstr("\"-0.1\", must be in [0, 1)"));
  EXPECT_THAT(ErrorWith("passages: 4", "passages: 0"),
              HasSubstr("datasets[0].passages: is \"0\", must be a whole number from 1 to"));
  EXPECT_THAT(ErrorWith("passages: 4", "passages: 99999999999"), HasSubstr("passages"));
  EXPECT_THAT(ErrorWith("", "max_new_tokens: 0\n"), HasSubstr("from 1 to 4096"));
  EXPECT_THAT(ErrorWith("", "max_new_tokens: 4097\n"), HasSubstr("from 1 to 4096"));
  EXPECT_THAT(ErrorWith("", "score: {correct: 1.1}\n"), HasSubstr("must be in [0, 1]"));
  EXPECT_THAT(ErrorWith("", "score: {correct: 0}\n"),
              HasSubstr("score.correct: is 0, must be in (0, 1]"));
  EXPECT_THAT(ErrorWith("", "score: {partial: 0.6}\n"),
              HasSubstr("score.partial: is 0.6, must be at most score.correct, which is 0.5"));
  EXPECT_THAT(ErrorWith("", "capture: {graph: {epsilon: 1}}\n"), HasSubstr("must be in [0, 1)"));
  EXPECT_THAT(ErrorWith("name: s", "name: ../s"), HasSubstr("must be 1 to 100 letters"));
  EXPECT_THAT(ErrorWith("name: s", "name: a b"), HasSubstr("must be 1 to 100 letters"));
}

TEST(ParseSweep, RefusesPhrasesThatSayNothing) {
  EXPECT_EQ(ErrorWith("", "score: {abstentions: [no answer, ' ... ']}\n"),
            "s.yaml:7: score.abstentions[1]: is \" ... \", must have a letter or a digit");
  EXPECT_THAT(ErrorWith("", "score: {abstentions: ['']}\n"),
              HasSubstr("score.abstentions[0]: is \"\", must have a letter or a digit"));
  EXPECT_THAT(ErrorWith("", "score: {abstentions: []}\n"),
              HasSubstr("score.abstentions: is an empty list"));
  EXPECT_THAT(ErrorWith("", "score: {abstentions: no answer}\n"),
              HasSubstr("score.abstentions: is \"no answer\", must be a list"));
  EXPECT_THAT(ErrorWith("", "score: {abstentions: [[a]]}\n"),
              HasSubstr("score.abstentions[0]: is a list, must be text"));
  EXPECT_THAT(ErrorWith("", "score: {abstentions: [a, b, a]}\n"),
              HasSubstr("score.abstentions[2]: lists \"a\" twice"));
  EXPECT_THAT(ErrorWith("", absl::StrCat("score: {abstentions: [", std::string(201, 'a'), "]}\n")),
              HasSubstr("score.abstentions[0]: has 201 bytes, allowed are at most 200"));
  std::string many = "score: {abstentions: [a0";
  for (int i = 1; i <= 100; ++i) absl::StrAppend(&many, ", a", i);
  EXPECT_THAT(ErrorWith("", many + "]}\n"),
              HasSubstr("score.abstentions: has 101 elements, allowed are at most 100"));
}

TEST(ParseSweep, RefusesUnknownWords) {
  EXPECT_EQ(ErrorWith("", "regimes: [agnostik]\n"),
            "s.yaml:7: regimes[0]: is \"agnostik\"; did you mean \"agnostic\"? "
            "(known: agnostic, aware, aware_each)");
  EXPECT_THAT(ErrorWith("passages: 4", "passages: 4, scale: big"),
              HasSubstr("scale: is \"big\" (known: paper, pocket)"));
  for (const char* device : {"gpu", "cuda:", "cuda:01", "cuda:100", "cuda:-1", "cuda:1 0"}) {
    EXPECT_THAT(ErrorWith("", absl::StrCat("device: \"", device, "\"\n")),
                HasSubstr("known: auto, cpu, cuda"));
  }
  EXPECT_THAT(ErrorWith("", "dtype: float23\n"), HasSubstr("did you mean \"float32\"?"));
  EXPECT_THAT(ErrorWith("", "capture: {probes: {pool: men}}\n"), HasSubstr("\"mean\"?"));
  EXPECT_THAT(ErrorWith("", "capture: {probes: {layers: [1]}}\n"),
              HasSubstr("capture.probes.pool"));
  for (const char* layer : {"-1", "1.5", "2000", "3, 3"}) {
    EXPECT_THAT(
        ErrorWith("", absl::StrCat("capture: {probes: {pool: last, layers: [", layer, "]}}\n")),
        HasSubstr("must be a whole number from 0"));
  }
}

TEST(ParseSweep, RefusesEmptyListsAndDuplicates) {
  EXPECT_THAT(ErrorWith("ratios: [0]", "ratios: []"), HasSubstr("ratios: is an empty list"));
  EXPECT_THAT(ErrorWith("[random]", "[]"), HasSubstr("presses: is an empty list"));
  EXPECT_THAT(ErrorWith("", "regimes: []\n"), HasSubstr("regimes: is an empty list"));
  EXPECT_THAT(ErrorWith("[random]", "['']"), HasSubstr("presses[0]: is empty"));
  EXPECT_THAT(ErrorWith("ratios: [0]", "ratios: [0.5, 0.50]"),
              HasSubstr("ratios[1]: lists \"0.50\" twice"));
  EXPECT_THAT(ErrorWith("ratios: [0]", "ratios: [0, -0.0]"), HasSubstr("twice"));
  EXPECT_THAT(ErrorWith("[random]", "['a(b, c)', 'a( b,c )']"), HasSubstr("presses[1]: lists"));
  EXPECT_THAT(ErrorWith("", "regimes: [aware, aware]\n"),
              HasSubstr("regimes[1]: lists aware twice"));
  EXPECT_THAT(ErrorWith("passages: 4}", "passages: 4}\n  - {name: knowledge, passages: 9}"),
              HasSubstr("datasets[1]: has the same passages as datasets[0]"));
}

TEST(ParseSweep, ADataSetIsAFileOrGenerated) {
  EXPECT_THAT(ErrorWith("name: knowledge", "file: a.jsonl, name: knowledge"),
              HasSubstr("datasets[0].name: stands beside file"));
  EXPECT_THAT(ErrorWith("name: knowledge", "file: a.jsonl, seed: 1"),
              HasSubstr("datasets[0].seed: stands beside file"));
  EXPECT_THAT(ErrorWith("name: knowledge, ", ""), HasSubstr("needs either name"));
  EXPECT_THAT(ErrorWith("name: knowledge", "file: ''"), HasSubstr("file: is empty"));
}

TEST(LoadSweep, ReadsAFileAndNamesOneThatIsMissing) {
  const auto path = std::filesystem::path(testing::TempDir()) / "load_sweep.yaml";
  std::ofstream(path) << kSmall;
  const auto sweep = LoadSweep(path.string());
  ASSERT_TRUE(sweep.ok()) << sweep.status();
  EXPECT_EQ(sweep->name, "s");
  std::filesystem::remove(path);
  EXPECT_EQ(LoadSweep(path.string()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(LoadSweep(testing::TempDir()).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace kvscope::orchestrator
