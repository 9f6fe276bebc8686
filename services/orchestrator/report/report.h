// The report of a sweep: one HTML page that opens offline.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/orchestrator/report/statistics_rows.h"

namespace kvscope::orchestrator {

// One cell of the results table: a data set, regime, press and ratio, averaged over its answers.
// Shares and F1 lie in [0, 1]; null = not defined for any answer of the cell.
struct ReportRow {
  std::string dataset = {};  // of several models, with the model: their rows are told apart by it
  std::string regime = {};
  std::string press = {};
  double ratio = 0;         // compression ratio: the share of KV pairs removed
  int64_t answers = 0;      // answers that were averaged
  int64_t ger_answers = 0;  // those of them with a GER
  double f1 = 0;
  double exact = 0;
  double hallucination_rate = 0;
  double unknown_rate = 0;
  std::optional<double> ger = {};
  double eviction_rate = 0;
  double evicted_share = 0;
  double kept_ratio = 0;
  std::optional<double> consensus_mean = {};
  // [layers] means of each layer, NaN where undefined; empty = not captured.
  std::vector<double> consensus_layer = {};
  std::vector<double> agreement_layer = {};
  std::vector<double> ger_layer = {};            // answer tokens that no head of the layer keeps
  std::vector<double> eviction_rate_layer = {};  // context tokens that no head of the layer keeps
  // Null = not calculated.
  std::optional<ReportInterval> f1_interval = {};
  std::optional<ReportInterval> hallucination_interval = {};
  std::optional<ReportInterval> unknown_interval = {};
  std::optional<ReportInterval> ger_interval = {};
};

// Some answers of a cell: those whose questions have one tag's value.
struct ReportTagRow {
  std::string dataset = {};
  std::string regime = {};
  std::string press = {};
  double ratio = 0;
  std::string tag = {};    // "direction", "answer_type", "question_type", "hop"
  std::string value = {};  // "forward" ...; empty = not tagged
  int64_t answers = 0;
  double f1 = 0;
  double hallucination_rate = 0;
  double unknown_rate = 0;
  std::optional<ReportInterval> f1_interval = {};  // null = not calculated
};

// Which tokens of one passage survive at one press and ratio.
struct ReportSurvivalMap {
  std::string dataset = {};
  std::string passage_id = {};
  std::string regime = {};
  std::string press = {};
  double ratio = 0;
  int layers = 0;
  int kv_heads = 0;
  std::vector<std::string> tokens = {};  // [tokens] their text
  std::vector<bool> answer_tokens = {};  // [tokens] part of a gold answer; empty = none known
  // Keep bits [layers, kv_heads, ceil(tokens / 8)]: bit t of a row is bit t % 8 of its byte t / 8.
  std::vector<uint8_t> bits = {};
};

struct ReportInput {
  std::string title = {};
  // What was run, in the order it is shown: ("model", "models/pocket-llama") ...
  std::vector<std::pair<std::string, std::string>> provenance = {};
  std::vector<ReportRow> rows = {};
  std::vector<ReportTagRow> tag_rows = {};
  std::string no_tags = "no tag tells the questions of a data set apart";  // why there are none
  std::vector<ReportSurvivalMap> survival_maps = {};
  ReportStatistics statistics = {};
};

// Writes the whole page, UTF-8: provenance, summary, figures, the table of results and F1 by tag.
// It fetches nothing; the figures are drawn by the Vega bundle inside it.  All text is escaped,
// invalid UTF-8 becomes U+FFFD.  A figure without data is replaced by a sentence that says so; a
// survival map whose bits do not match its shape is left out.  Rows may come in any order.  Memory:
// about that of the input once more; the page itself, hundreds of MB for 10^5 cells, is never held.
void WriteReport(const ReportInput& input, std::ostream& out);

}  // namespace kvscope::orchestrator
