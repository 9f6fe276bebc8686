#include "services/orchestrator/datasets/source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/generator.h"
#include "services/orchestrator/datasets/passage_json.h"
#include "tests/orchestrator/datasets/scratch_file.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Line(const std::string& id) {
  return absl::StrCat(R"({"passage_id":")", id,
                      R"(","context":"Ann.","questions":[{"question":"Who?","answer":"Ann"}]})",
                      "\n");
}

DatasetEntry File(const std::string& name, int64_t passages = 0) {
  DatasetEntry entry;
  entry.file = name;
  entry.passages = passages;
  return entry;
}

DatasetEntry Knowledge(int64_t passages, uint64_t seed) {
  DatasetEntry entry;
  entry.name = "knowledge";
  entry.passages = passages;
  entry.seed = seed;
  return entry;
}

Sweep SweepOf(std::vector<DatasetEntry> entries) {
  Sweep sweep;
  sweep.datasets = std::move(entries);
  return sweep;
}

TEST(PassageSource, StreamsEntryAfterEntry) {
  const ScratchFile file("a.jsonl", Line("x") + Line("y") + Line("z"));
  const Sweep sweep = SweepOf({Knowledge(2, 1), File("a.jsonl", 2), Knowledge(1, 2)});
  auto source = PassageSource::Open(sweep, file.folder());
  ASSERT_TRUE(source.ok()) << source.status();
  std::vector<std::string> seen;
  Sha256 hash;
  while (true) {
    const auto next = source->Next();
    ASSERT_TRUE(next.ok()) << next.status();
    if (!next->has_value()) break;
    seen.push_back(absl::StrCat(source->entry(), "/", source->index(), " ", (*next)->passage_id));
    hash.Update(FormatPassage(**next) + "\n");
  }
  EXPECT_THAT(seen, ElementsAre("0/0 knowledge-pocket-1-0000", "0/1 knowledge-pocket-1-0001",
                                "1/0 x", "1/1 y", "2/0 knowledge-pocket-2-0000"));
  EXPECT_EQ(source->ContentDigest(), hash.HexDigest());
  EXPECT_FALSE(source->Next()->has_value());  // the end stays the end
}

TEST(PassageSource, OpensNothingThatIsNotThere) {
  const ScratchFile file("a.jsonl", Line("x"));
  const auto missing =
      PassageSource::Open(SweepOf({File("a.jsonl"), File("b.jsonl")}), file.folder()).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(missing.message(), HasSubstr("datasets[1].file: "));
  DatasetEntry typo = Knowledge(1, 1);
  typo.name = "knowlegde";
  EXPECT_THAT(PassageSource::Open(SweepOf({typo}), ".").status().message(),
              HasSubstr("datasets[0].name: \"knowlegde\" is no generated data set; did you mean"));
}

TEST(PassageSource, IdsAreUniqueInTheWholeSweep) {
  const ScratchFile file("a.jsonl", Line("x"));
  std::ofstream(file.folder() + "/b.jsonl") << Line("y") << Line("x");
  const auto summary = SummarizeSource(SweepOf({File("a.jsonl"), File("b.jsonl")}), file.folder());
  EXPECT_THAT(summary.status().message(),
              HasSubstr("b.jsonl:2: passage_id: \"x\" was already used in"));
  EXPECT_THAT(summary.status().message(), HasSubstr("a.jsonl:1"));
}

TEST(PassageSource, DigestSeesContentAndNotLayout) {
  const ScratchFile file("a.jsonl", Line("x") + Line("y"));
  const auto digest = [&](const std::string& text) {
    std::ofstream(file.path()) << text;
    return SummarizeSource(SweepOf({File("a.jsonl")}), file.folder())->content_digest;
  };
  const std::string plain = digest(Line("x") + Line("y"));
  EXPECT_EQ(digest("\n " + Line("x") + "\r\n" + Line("y")), plain);
  EXPECT_NE(digest(Line("y") + Line("x")), plain);
  EXPECT_NE(digest(Line("x")), plain);
}

TEST(BundledSweep, IsSmallAndWhole) {
  const std::string folder = KVSCOPE_SOURCE_DIR "/sweeps";
  const auto sweep = LoadSweep(folder + "/pocket.yaml");
  ASSERT_TRUE(sweep.ok()) << sweep.status();
  const auto summary = SummarizeSource(*sweep, folder);
  ASSERT_TRUE(summary.ok()) << summary.status();
  const auto streams =
      static_cast<int64_t>(summary->questions * sweep->models.size() * sweep->regimes.size() *
                           sweep->presses.size() * sweep->ratios.size());
  EXPECT_GT(streams, 10'000);
  EXPECT_LE(streams, 60'000);
  EXPECT_THAT(sweep->models, ElementsAre("models/pocket-llama", "models/pocket-qwen2"));
  for (const std::string& model : sweep->models) {
    EXPECT_TRUE(std::filesystem::exists(folder + "/../" + model + "/config.json")) << model;
  }
}

// Every suite in the order of the paper's Table 1.
TEST(PaperSweeps, CoverThePapersGrid) {
  for (const std::string name : {"paper", "paper-small"}) {
    const auto sweep = LoadSweep(KVSCOPE_SOURCE_DIR "/sweeps/" + name + ".yaml");
    ASSERT_TRUE(sweep.ok()) << sweep.status();
    EXPECT_EQ(sweep->name, name);
    const bool whole = name == "paper";
    EXPECT_EQ(sweep->models.size(), whole ? 5u : 2u);
    EXPECT_THAT(sweep->regimes, ElementsAre(Regime::kAgnostic, Regime::kAware));
    EXPECT_EQ(sweep->presses.size(), whole ? 2u : 3u);
    EXPECT_EQ(sweep->ratios.size(), whole ? 10u : 11u);
    EXPECT_EQ(sweep->ratios.front(), 0);
    ASSERT_EQ(sweep->datasets.size(), Generators().size());
    for (size_t i = 0; i < sweep->datasets.size(); ++i) {
      const DatasetEntry& entry = sweep->datasets[i];
      EXPECT_EQ(entry.name, Generators()[i]->name);
      EXPECT_EQ(entry.scale, whole ? Scale::kPaper : Scale::kPocket);
      if (whole) {
        EXPECT_EQ(entry.passages, Generators()[i]->paper_passages) << entry.name;
      }
    }
  }
}

}  // namespace
}  // namespace kvscope::orchestrator
