#include "services/orchestrator/report/figure_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "services/orchestrator/report/figures.h"
#include "tests/orchestrator/report/example_input.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;
namespace fs = std::filesystem;

class FigureFilesTest : public ::testing::Test {
 protected:
  ~FigureFilesTest() override { fs::remove_all(folder_); }

  FigureFiles Write(const ReportInput& input) {
    const absl::StatusOr<FigureFiles> files = WriteFigureFiles(input, folder_.string());
    EXPECT_TRUE(files.ok()) << files.status();
    return files.value_or(FigureFiles());
  }

  std::string Read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(folder_ / name, std::ios::binary).rdbuf();
    return std::move(text).str();
  }

  static size_t Lines(const std::string& csv) { return std::count(csv.begin(), csv.end(), '\n'); }

  const fs::path folder_ =
      fs::temp_directory_path() / ("kvscope-figure-files-" + std::to_string(getpid()));
};

TEST_F(FigureFilesTest, EveryFigureIsASpecWithItsRows) {
  const FigureFiles files = Write(ExampleInput({.datasets = 2, .models = 2, .statistics = true}));
  EXPECT_EQ(files.written.size(), Figures().size() + 4);  // 4 survival maps
  EXPECT_TRUE(files.left_out.empty());
  for (const std::string& id : files.written) {
    const json spec = json::parse(Read(id + ".vl.json"), nullptr, false);
    ASSERT_TRUE(spec.is_object()) << id;
    EXPECT_EQ(spec["data"]["url"], id + ".csv");
    EXPECT_THAT(spec["$schema"].get<std::string>(), HasSubstr("vega-lite/v4.json"));
    EXPECT_FALSE(spec["usermeta"]["title"].get<std::string>().empty());
    EXPECT_EQ(spec.dump().find("\"flatten\""), std::string::npos) << id;  // long form already
    EXPECT_EQ(spec.dump().find("\"lookup\""), std::string::npos) << id;
    EXPECT_EQ(spec.dump().find("currentColor"), std::string::npos);
    const std::string csv = Read(id + ".csv");
    EXPECT_GT(Lines(csv), 2u) << id;
    EXPECT_EQ(csv.find("nan"), std::string::npos) << id;
    for (const auto& [column, type] : spec["data"]["format"]["parse"].items()) {
      EXPECT_THAT(csv.substr(0, csv.find("\r\n")), HasSubstr(column)) << id;
    }
  }
}

TEST_F(FigureFilesTest, RowsAreCsvInLongForm) {
  ReportInput input;
  ReportRow row{.dataset = "a, \"b\"", .regime = "r", .press = "p", .ratio = 0.5, .answers = 7};
  row.f1 = 0.125;
  row.consensus_layer = {0.25, 0.5};
  row.agreement_layer = {0.75};
  input.rows = {row};
  Write(input);
  EXPECT_EQ(Read("f1.csv"),
            "answers,dataset,f1,f1_hi,f1_lo,press,ratio,regime\r\n"
            "7,\"a, \"\"b\"\"\",0.125,,,p,0.5,r\r\n");
  EXPECT_EQ(Read("consensus_by_layer.csv"),
            "agreement,answers,consensus,dataset,layer,order,panel,press,ratio,regime\r\n"
            "0.75,7,0.25,\"a, \"\"b\"\"\",0,0,50 % removed,p,0.5,r\r\n"
            ",7,0.5,\"a, \"\"b\"\"\",1,0,50 % removed,p,0.5,r\r\n");
  const json spec = json::parse(Read("f1.vl.json"));
  EXPECT_EQ(spec["data"]["format"]["parse"]["f1"], "number");
  EXPECT_EQ(spec["data"]["format"]["parse"]["dataset"], "string");
}

TEST_F(FigureFilesTest, ASurvivalMapHasARowForEveryTokenAndHead) {
  Write(ExampleInput({.layers = 2, .kv_heads = 2, .tokens = 20}));
  const std::string csv = Read("survival_map-0.csv");
  EXPECT_THAT(csv, StartsWith("answer,columns,end,first,kept,panel,press,ratio,row,row_index,"
                              "text\r\n"));
  EXPECT_EQ(Lines(csv), 1u + 20 * 4 * 12);  // 4 heads, 4 presses at 3 ratios
}

TEST_F(FigureFilesTest, WithoutDataThereIsNoFileAndAReason) {
  Write(ExampleInput({.statistics = true}));
  EXPECT_TRUE(fs::exists(folder_ / "probes.csv"));
  const FigureFiles files = Write(ExampleInput());
  EXPECT_EQ(files.written.size() + files.left_out.size(), Figures().size() + 1);
  EXPECT_FALSE(fs::exists(folder_ / "probes.csv"));
  EXPECT_FALSE(fs::exists(folder_ / "probes.vl.json"));
  bool told = false;
  for (const auto& [id, why] : files.left_out) {
    told = told || (id == "probes" && why.find("capture: {probes:") != why.npos);
  }
  EXPECT_TRUE(told);
}

TEST_F(FigureFilesTest, AFolderThatCannotBeMadeIsAnError) {
  std::ofstream(folder_).put('x');
  const auto files = WriteFigureFiles({}, (folder_ / "in").string());
  EXPECT_EQ(files.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(files.status().message()), HasSubstr((folder_ / "in").string()));
}

TEST_F(FigureFilesTest, TextFromDataIsReplacedWhereItIsNoUtf8) {
  ReportInput input = ExampleInput();
  for (ReportRow& row : input.rows) row.dataset = "a\xff";
  Write(input);
  EXPECT_THAT(Read("f1.csv"), HasSubstr(",a\uFFFD,"));
}

}  // namespace
}  // namespace kvscope::orchestrator
