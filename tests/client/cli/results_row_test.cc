#include "services/client/cli/results_row.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

namespace kvscope::cli {
namespace {

using nlohmann::ordered_json;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string Number(double value) {
  std::string text;
  AppendNumber(value, text);
  return text;
}

LayerList Layers(const std::vector<double>& values) { return {values.begin(), values.end()}; }

// Texts that a careless writer gets wrong.
std::vector<std::string> HardTexts() {
  std::vector<std::string> texts = {
      "",           "plain",       "a,b",          "say \"so\"",
      "back\\path", "line\nbreak", "carriage\r\n", "\u00e9\u4e2d\U0001F600",
      "\u2028",     "\x7f",        "cut \xe4\xb8", "\xff\xfe alone",
      "\xc0\x80",   "\xed\xa0\x80"};
  for (char c = 0; c < 0x20; ++c) texts.push_back(std::string("a") + c + "b");
  return texts;
}

// The document that a row stands for, as the JSON library writes it.
std::string LibraryText(const ordered_json& row) {
  return row.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

// Splits one record of CSV as RFC 4180 says.
std::vector<std::string> ReadCsv(std::string_view text) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quoted && text.substr(i, 2) == "\"\"") {
      fields.back() += text[i++];
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && text[i] == ',') {
      fields.emplace_back();
    } else if (!quoted && text.substr(i) == "\r\n") {
      return fields;
    } else {
      fields.back() += text[i];
    }
  }
  return {"no end of line"};
}

TEST(AppendNumber, WritesWhatTheJsonLibraryWrites) {
  for (const double value : {0.0,
                             -0.0,
                             1.0,
                             -1.0,
                             0.5,
                             0.1,
                             0.95,
                             1e-3,
                             1e-4,
                             9.99e-5,
                             1e-5,
                             1e-6,
                             123456.0,
                             1e14,
                             123456789012345.0,
                             999999999999999.0,
                             1e15,
                             1e16,
                             1.5e15,
                             1e21,
                             1e22,
                             1.0 / 3,
                             2.0 / 3,
                             1e100,
                             5e-324,
                             1.7e308,
                             kNan,
                             kInfinity,
                             -kInfinity}) {
    EXPECT_EQ(Number(value), ordered_json(value).dump());
  }
}

// The library's digits are not always the fewest; ours are, and mean the same number.
TEST(AppendNumber, ReadsBackAndIsNeverLongerThanTheLibrarys) {
  std::mt19937_64 random(7);
  int equal = 0;
  for (int i = 0; i < 20000; ++i) {
    const double share = std::uniform_real_distribution<double>(0, 1)(random);
    const double any = std::bit_cast<double>(random());
    for (const double value : {share, 4 * share, 1e6 * share, any}) {
      if (!std::isfinite(value)) continue;
      const std::string text = Number(value), library = ordered_json(value).dump();
      ASSERT_EQ(std::strtod(text.c_str(), nullptr), value) << text;
      ASSERT_LE(text.size(), library.size()) << text << " " << library;
      equal += text == library;
    }
  }
  EXPECT_GT(equal, 79000);
}

TEST(JsonRow, WritesWhatTheJsonLibraryWrites) {
  std::string written;
  JsonRow row(written);
  for (const std::string& text : HardTexts()) {  // one row after another, from the same object
    written.clear();
    const LayerList layers = Layers({0.25, kNan, 1});
    row.Field("text", std::string_view(text));
    row.Field("number", 0.25);
    row.Field("whole", 1.0);
    row.Field("count", int64_t{-9'007'199'254'740'993});
    row.Field("yes", true);
    row.Field("no", false);
    row.Field("defined", std::optional<double>(0.5));
    row.Field("undefined", std::optional<double>());
    row.Field("layers", layers);
    row.Field("no layers", LayerList());
    row.End();
    EXPECT_EQ(written, LibraryText({{"text", text},
                                    {"number", 0.25},
                                    {"whole", 1.0},
                                    {"count", int64_t{-9'007'199'254'740'993}},
                                    {"yes", true},
                                    {"no", false},
                                    {"defined", 0.5},
                                    {"undefined", nullptr},
                                    {"layers", {0.25, nullptr, 1.0}},
                                    {"no layers", nullptr}}));
  }
}

TEST(CsvRow, ReadsBackByteForByte) {
  const std::vector<std::string> texts = HardTexts();
  std::string written;
  CsvRow row(written);
  for (int round = 0; round < 2; ++round) {
    written.clear();
    for (const std::string& text : texts) row.Field("text", std::string_view(text));
    row.End();
    EXPECT_EQ(ReadCsv(written), texts);
  }
}

TEST(CsvRow, QuotesOnlyWhatNeedsIt) {
  std::string written;
  CsvRow row(written);
  row.Field("text", std::string_view("it's plain; \xff"));
  row.Field("comma", std::string_view("a,b"));
  row.Field("quote", std::string_view("\"q\""));
  row.Field("number", 1.0);
  row.Field("count", int64_t{24576000});
  row.Field("flag", true);
  row.Field("defined", std::optional<double>(0.125));
  row.Field("undefined", std::optional<double>());
  row.Field("layers", Layers({kNan, 0.5}));
  row.Field("one layer", Layers({0.5}));
  row.Field("no layers", LayerList());
  row.End();
  row.Field("next", std::string_view());
  row.Field("row", false);
  row.End();
  EXPECT_EQ(written,
            "it's plain; \xff,\"a,b\",\"\"\"q\"\"\",1.0,24576000,true,0.125,,\"[null,0.5]\",[0.5],"
            "\r\n,false\r\n");
}

TEST(HeaderRow, NamesTheFields) {
  std::string written;
  HeaderRow row(written);
  row.Field("press", std::string_view("snapkv"));
  row.Field("f1", 0.5);
  row.Field("ger_layer", LayerList());
  row.End();
  EXPECT_EQ(written, "press,f1,ger_layer\r\n");
}

}  // namespace
}  // namespace kvscope::cli
