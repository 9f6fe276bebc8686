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

// The document after its scripts ran; `name`: of the page's file, which stays to be looked at;
// `script`: what runs after the page's own.  Whatever the page writes to the console is an error.
std::string Open(const ReportInput& input, const std::string& name,
                 const std::string& script = "") {
  const std::filesystem::path folder = KVSCOPE_BINARY_DIR "/report";
  std::filesystem::create_directories(folder);
  const std::string file = (folder / (name + ".html")).string();
  const std::string log = (folder / (name + ".log")).string();
  std::ofstream(file, std::ios::binary) << RenderReport(input) << script;
  const std::string document =
      Run("chromium --headless --no-sandbox --disable-gpu --virtual-time-budget=60000 "
          "--enable-logging=stderr "
          "--user-data-dir='" +
          (folder / ("profile-" + name)).string() + "' --dump-dom 'file://" + file + "' 2>'" + log +
          "'");
  std::ifstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_EQ(line.find(":CONSOLE("), line.npos) << line;
  }
  return document;
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
  EXPECT_EQ(Drawn(Open(ExampleInput(), "small")), "drawn=14 failed=0 svg=13 canvas=1");
}

TEST_F(ReportBrowserTest, DrawsEverythingThatTheStatisticsAdd) {
  const ExampleSize size = {.datasets = 2, .models = 2, .statistics = true};
  EXPECT_EQ(Drawn(Open(ExampleInput(size), "complete")), "drawn=35 failed=0 svg=31 canvas=4");
}

TEST_F(ReportBrowserTest, ShowsTheDataSetThatIsChosen) {
  const ExampleSize size = {.datasets = 2};
  const std::string document = Open(ExampleInput(size), "chosen", R"(<script>
    const wait = setInterval(() => {
      if (!document.body.dataset.drawn) return;
      clearInterval(wait);
      const select = document.querySelector("#choice select");
      select.value = "knowledge";
      select.dispatchEvent(new Event("change"));
    }, 50);
  </script>)");
  const size_t f1 = document.find("<figure id=\"f1\">");
  const std::string figure = document.substr(f1, document.find("</figure>", f1) - f1);
  EXPECT_NE(figure.find("knowledge \u00B7 agnostic"), figure.npos);
  EXPECT_EQ(figure.find("coreference"), figure.npos);
  EXPECT_NE(document.find("<figure id=\"survival_map-0\" hidden=\"\">"), document.npos);
  EXPECT_NE(document.find("<figure id=\"survival_map-1\">"), document.npos);
}

TEST_F(ReportBrowserTest, DrawsALargeModelOnSeveralDataSets) {
  const ExampleSize size = {.datasets = 3, .layers = 28, .kv_heads = 8, .tokens = 700};
  EXPECT_EQ(Drawn(Open(ExampleInput(size), "large")), "drawn=16 failed=0 svg=13 canvas=3");
}

TEST_F(ReportBrowserTest, TextFromDataStaysText) {
  ReportInput input = ExampleInput();
  for (ReportRow& row : input.rows) row.press = "</script><script>document.body.remove()</script>";
  EXPECT_EQ(Drawn(Open(input, "evil")), "drawn=14 failed=0 svg=13 canvas=1");
}

}  // namespace
}  // namespace kvscope::orchestrator
