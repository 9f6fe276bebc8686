#include "services/orchestrator/report/tag_contrast.h"

#include <map>
#include <utility>

namespace kvscope::orchestrator {
namespace {

struct SeriesContrast {
  Bounds retained, all, difference;
};

std::optional<SeriesContrast> ContrastSeries(const F1Curve& tagged, const F1Curve& all) {
  const std::set<double> ratios = SharedRatios(tagged, all);
  const auto retained = MeanRetained(tagged, ratios);
  const auto of_all = MeanRetained(all, ratios);
  if (!retained || !of_all) return std::nullopt;
  return SeriesContrast{*retained, *of_all, Difference(*retained, *of_all)};
}

// One field's mean: of each data set's series first.
template <typename Series>
Bounds MeanOf(const std::map<std::string, std::vector<Series>>& by_dataset, Bounds Series::*field) {
  std::vector<Bounds> datasets;
  for (const auto& [dataset, series] : by_dataset) {
    std::vector<Bounds> numbers;
    for (const Series& one : series) numbers.push_back(one.*field);
    datasets.push_back(*Mean(numbers, Dependence::kAnything));
  }
  return *Mean(datasets, Dependence::kIndependent);
}

}  // namespace

std::vector<TagContrast> ContrastTag(std::span<const SweepModel> models, const std::string& tag,
                                     const std::function<bool(const SeriesKey&)>& chosen) {
  std::map<std::string, std::map<std::string, std::vector<SeriesContrast>>> by_value;
  for (const SweepModel& model : models) {
    std::map<SeriesKey, int> values;
    for (const auto& [key, rows] : model.tag_rows) {
      if (key.tag == tag) ++values[key.series];
    }
    for (const auto& [key, rows] : model.tag_rows) {
      if (key.tag != tag || values[key.series] < 2 || !chosen(key.series)) continue;
      const auto all = model.rows.find(key.series);
      if (all == model.rows.end()) continue;
      const auto contrast = ContrastSeries(CurveOf(rows), CurveOf(all->second));
      if (contrast) by_value[key.value][key.series.dataset].push_back(*contrast);
    }
  }
  std::vector<TagContrast> contrasts;
  contrasts.reserve(by_value.size());
  for (const auto& [value, by_dataset] : by_value) {
    contrasts.push_back({tag, value, MeanOf(by_dataset, &SeriesContrast::retained),
                         MeanOf(by_dataset, &SeriesContrast::all),
                         MeanOf(by_dataset, &SeriesContrast::difference), by_dataset.size()});
  }
  return contrasts;
}

}  // namespace kvscope::orchestrator
