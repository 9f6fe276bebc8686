// The parts of a report's rows that belong to one model, and which of its presses are whose.
#pragma once

#include <compare>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/orchestrator/report/report.h"

namespace kvscope::orchestrator {

enum class ModelFamily { kLlama, kQwen, kOther };

struct SeriesKey {
  std::string dataset;  // without the model
  std::string regime;
  std::string press;
  auto operator<=>(const SeriesKey&) const = default;
};

struct TagSeriesKey {
  SeriesKey series;
  std::string tag;
  std::string value;  // never empty
  auto operator<=>(const TagSeriesKey&) const = default;
};

// Points into the ReportInput that it was made of.
struct SweepModel {
  std::string name = {};    // as shown; empty if the provenance names none
  std::string suffix = {};  // what ends its data sets' names: " \u00B7 NAME", empty of one model
  ModelFamily family = ModelFamily::kOther;
  std::map<SeriesKey, std::map<double, const ReportRow*>> rows =
      {};  // by ratio; of equals the first
  std::map<TagSeriesKey, std::map<double, const ReportTagRow*>> tag_rows = {};

  // The data set's name without the model; null where the row is another model's.
  std::optional<std::string> DatasetOf(std::string_view row_dataset) const;
  // Its presses that IsPaperPress, and (press, regime) of those that were run in the paper's
  // regimes, agnostic and aware; in order.
  std::vector<std::string> PaperPresses() const;
  std::vector<std::pair<std::string, std::string>> PaperArms() const;
};

// A model's rows of one list of the statistics, in their order.
template <typename Row>
std::map<SeriesKey, std::vector<const Row*>> BySeries(const SweepModel& model,
                                                      const std::vector<Row>& rows) {
  std::map<SeriesKey, std::vector<const Row*>> series;
  for (const Row& row : rows) {
    if (const auto dataset = model.DatasetOf(row.dataset)) {
      series[{*dataset, row.regime, row.press}].push_back(&row);
    }
  }
  return series;
}

// In order of their names.  Rows name their model where the provenance has several ("model", ...)
// or, where it has none, if every row does.  The family is that of the model_type in the provenance
// ("NAME: MODEL_TYPE, ..."), else of the name.
std::vector<SweepModel> SweepModels(const ReportInput& input);

// The paper's presses: chunk or adakv over expected_attention, with any parameters.
bool IsPaperPress(std::string_view press);
// A press that draws: random, alone or inside a budget.
bool IsRandomPress(std::string_view press);

inline constexpr char kPaperPressesText[] =
    "chunk(expected_attention, chunk_length=64) or adakv(expected_attention)";

}  // namespace kvscope::orchestrator
