// Opens the page in headless Chromium: every figure must be drawn, and nothing may go wrong.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>

#include "services/orchestrator/report/report.h"
#include "tests/orchestrator/report/example_input.h"

namespace kvscope::orchestrator {
namespace {

std::string Run(const std::string& command) {
  std::string output;
  FILE* pipe = popen(command.c_str(), "r");
  char part[4096];
  for (size_t n; (n = fread(part, 1, sizeof(part), pipe)) > 0;) output.append(part, n);
  pclose(pipe);
  return output;
}

// The document after its scripts ran; `name`: of the page's file, which stays to be looked at.
std::string Open(const ReportInput& input, const std::string& name) {
  const std::filesystem::path folder = KVSCOPE_BINARY_DIR "/report";
  std::filesystem::create_directories(folder);
  const std::string file = (folder / (name + ".html")).string();
  std::ofstream(file, std::ios::binary) << RenderReport(input);
  return Run(
      "chromium --headless --no-sandbox --disable-gpu --virtual-time-budget=20000 "
      "--user-data-dir='" +
      (folder / ("profile-" + name)).string() + "' --dump-dom 'file://" + file + "' 2>/dev/null");
}

// What the script left behind: "drawn=N failed=N svg=N canvas=N".
std::string Drawn(const std::string& document) {
  std::string page = document;  // without the scripts, whose text has the same words
  for (size_t at; (at = page.find("<script")) != page.npos;) {
    const size_t end = page.find("</script>", at);
    page.erase(at, end == page.npos ? end : end + 9 - at);
  }
  const auto count = [&page](const std::string& pattern) {
    const std::regex regex(pattern);
    return std::distance(std::sregex_iterator(page.begin(), page.end(), regex), {});
  };
  std::smatch drawn;
  std::regex_search(page, drawn, std::regex("<body data-drawn=\"(\\d+)\" data-failed=\"(\\d+)\""));
  return "drawn=" + drawn[1].str() + " failed=" + drawn[2].str() +
         " svg=" + std::to_string(count("<svg[^>]*class=\"marks\"")) +
         " canvas=" + std::to_string(count("<canvas[^>]*class=\"marks\""));
}

class ReportBrowserTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::system("command -v chromium >/dev/null") != 0) GTEST_SKIP() << "no chromium here";
  }
};

TEST_F(ReportBrowserTest, DrawsEveryFigure) {
  EXPECT_EQ(Drawn(Open(ExampleInput(), "small")), "drawn=12 failed=0 svg=11 canvas=1");
}

TEST_F(ReportBrowserTest, DrawsEverythingThatTheStatisticsAdd) {
  const ExampleSize size = {.datasets = 2, .models = 2, .statistics = true};
  EXPECT_EQ(Drawn(Open(ExampleInput(size), "complete")), "drawn=34 failed=0 svg=30 canvas=4");
}

TEST_F(ReportBrowserTest, DrawsALargeModelOnSeveralDataSets) {
  const ExampleSize size = {.datasets = 3, .layers = 28, .kv_heads = 8, .tokens = 700};
  EXPECT_EQ(Drawn(Open(ExampleInput(size), "large")), "drawn=14 failed=0 svg=11 canvas=3");
}

TEST_F(ReportBrowserTest, TextFromDataStaysText) {
  ReportInput input = ExampleInput();
  for (ReportRow& row : input.rows) row.press = "</script><script>document.body.remove()</script>";
  EXPECT_EQ(Drawn(Open(input, "evil")), "drawn=12 failed=0 svg=11 canvas=1");
}

}  // namespace
}  // namespace kvscope::orchestrator
