// Foreign bytes never crash an import, and what it writes can always be read back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/import/collector.h"
#include "services/orchestrator/datasets/import/format.h"
#include "tests/orchestrator/datasets/import/imported.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::HasSubstr;

struct Sample {
  const char* format;
  std::string_view text;  // valid and small
};

constexpr Sample kSamples[] = {
    {"jsonl", R"({"context":"Ann é saw.","questions":[{"question":"W?","answer":"Ann"}]}
{"context":"Bob \u00e9 \ud83d\ude00.","question":"W?","answers":{"text":["Bob"],"answer_start":[0]}}
{"context":"Cy.","question":"W?","answer":"Cy","aliases":["C"],"id":"q","hop":1,"evidence":[[0,2]]}
)"},
    {"jsonl", R"([{"context":"Ann.","question":"W?","answer":"Ann"},{"context":"Bob.","question":)"
              R"("W?","answer":["Bob","B"],"passage_id":"p","dataset":"d"}])"},
    {"csv",
     "\xEF\xBB\xBF"
     "context,question,answer,aliases,id,hop\r\n\"Ann, \"\"é\"\"\r\nsaw\",W?,saw,a|b,"
     "1,2\r\nBob.,W?,Bob,,2,\r\n"},
    {"squad", R"({"version":"v2.0","data":[{"title":"T","paragraphs":[{"context":"Ann é.","qas":[)"
              R"({"id":"a","question":"W?","answers":[{"text":"Ann","answer_start":0}]},{"id":"b",)"
              R"("question":"Y?","is_impossible":true,"answers":[]}]}]}]})"},
    {"longbench", R"({"input":"W?","context":"Ann é.","answers":["Ann"],"length":2,"dataset":"d",)"
                  R"("language":"en","all_classes":null,"_id":"x"})"},
    {"ruler", R"({"index":0,"input":"Hidden: 7, 8.\nWhat?","outputs":["7","8"],"length":9,)"
              R"("answer_prefix":" Answer:"})"},
};

// Imports `text`; whatever it is, the account adds up and the file can be read.
Imported Survive(const ScratchFile& file, std::string_view format, std::string_view text) {
  ImportOptions options;
  options.format = std::string(format);
  options.skip_bad = true;
  std::filesystem::remove(file.path());  // a new file is not waited for, an old one may be
  std::ofstream(file.path(), std::ios::binary) << text;
  Imported imported = ImportFile(file, options);
  const ImportReport& report = imported.report;
  int64_t left_out = 0;
  for (const auto& [reason, count] : report.left_out) left_out += count;
  EXPECT_EQ(report.rows_left_out(), left_out) << text;
  int64_t questions = 0;
  for (const Passage& passage : imported.passages) {
    questions += static_cast<int64_t>(passage.questions.size());
  }
  EXPECT_EQ(questions, report.written ? report.rows_taken() : 0) << text;
  EXPECT_EQ(report.problems.empty(), left_out == 0) << text;
  for (const std::string& problem : report.problems) EXPECT_THAT(problem, HasSubstr("f.x"));
  if (imported.status.ok()) return imported;
  EXPECT_THAT(imported.status.message(), HasSubstr("f.x"));
  return imported;
}

class HostileImport : public testing::TestWithParam<Sample> {
 protected:
  Imported Survive(std::string_view text) const {
    return orchestrator::Survive(file_, GetParam().format, text);
  }

  const ScratchFile file_{"f.x"};
};

TEST_P(HostileImport, TheSampleIsGood) {
  const auto imported = Survive(GetParam().text);
  EXPECT_TRUE(imported.report.written) << imported.status;
  EXPECT_EQ(imported.report.rows_left_out(), 0) << testing::PrintToString(imported.report.problems);
  EXPECT_EQ(ImportFrom("f.x", GetParam().text).report.files.at(0).format, GetParam().format);
}

TEST_P(HostileImport, CutAtEveryByte) {
  const std::string_view text = GetParam().text;
  const int64_t all = Survive(text).report.rows_taken();
  for (size_t size = 0; size < text.size(); ++size) {
    const auto imported = Survive(text.substr(0, size));
    EXPECT_LE(imported.report.rows_taken(), all) << size;
    orchestrator::Survive(file_, "auto", text.substr(0, size));
  }
}

TEST_P(HostileImport, MutationsNeverCrash) {
  std::mt19937 random(1);  // raw draws only: the same on every machine
  static constexpr char kBytes[] =
      "[]{}:,\"\\0123456789-.eEnulltrueu|? \n\r\t\0\x01\x7F\xC3\xA9\xFF";
  constexpr std::string_view kBits(kBytes, sizeof(kBytes) - 1);
  int written = 0;
  for (int round = 0; round < 3'000; ++round) {
    std::string text(GetParam().text);
    const int edits = 1 + static_cast<int>(random() % 4);
    for (int edit = 0; edit < edits && !text.empty(); ++edit) {
      const size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = kBits[random() % kBits.size()];
          break;
        case 1:
          text.insert(at, 1, kBits[random() % kBits.size()]);
          break;
        case 2:
          text.insert(at, text.substr(random() % text.size(), random() % 40));
          break;
        default:
          text.erase(at, 1 + random() % 5);
      }
    }
    written += Survive(text).report.written ? 1 : 0;
    if (HasFailure()) FAIL() << "round " << round << "\n" << text;
  }
  EXPECT_GT(written, 100);
}

TEST_P(HostileImport, AnotherFormatsFileIsAnErrorOrHasNoRows) {
  for (const FormatInfo* format : Formats()) {
    if (format->name == GetParam().format) continue;
    orchestrator::Survive(file_, format->name, GetParam().text);
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, HostileImport, testing::ValuesIn(kSamples), [](const auto& test) {
  return absl::StrCat(test.param.format, test.index);
});

TEST(HostileImportLimits, DeepNestingIsAnError) {
  const ScratchFile file("f.x");
  for (const char* bracket : {"[", "{\"a\":"}) {
    std::string deep = R"({"context": "a", "x": )";
    for (int i = 0; i < 200'000; ++i) deep += bracket;
    EXPECT_THAT(Survive(file, "jsonl", deep).report.problems.at(0),
                HasSubstr("f.x:1: brackets nest more than 16 deep"));
    EXPECT_THAT(Survive(file, "squad", deep).status.message(),
                HasSubstr("brackets nest more than 64"));
    Survive(file, "auto", deep);
  }
}

TEST(HostileImportLimits, APassageThatCannotBeReadBackIsNotWritten) {
  // As JSON every control character takes six bytes: 3 MB of them are more than a line may hold.
  const std::string context = absl::StrCat("Ann ", std::string(3'000'000, '\x01'));
  const auto imported =
      Survive(ScratchFile("f.x"), "csv",
              absl::StrCat("context,question,answer\n", context, ",W?,Ann\nAnn.,W?,Ann\n"));
  EXPECT_EQ(imported.report.rows_taken(), 1);
  EXPECT_EQ(imported.report.left_out.at(Reason::kTooLong), 1);
}

TEST(HostileImportLimits, APassageHasAtMostTenThousandQuestions) {
  std::string rows = "context,question,answer\n";
  for (int i = 0; i < 10'001; ++i) rows += "Ann.,W?,Ann\n";
  const auto imported = Survive(ScratchFile("f.x"), "csv", rows);
  EXPECT_EQ(imported.report.rows_taken(), 10'000);
  EXPECT_THAT(imported.report.problems.at(0), HasSubstr("f.x:10002: its passage would have 10001"));
}

}  // namespace
}  // namespace kvscope::orchestrator
