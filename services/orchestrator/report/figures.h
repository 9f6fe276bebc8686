// The report's figures: which spec draws which query, and what stands there without data.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kvscope::orchestrator {

// The parts of the page that hold figures, in its order.
enum class FigureSection { kAnswers, kTags, kLayers, kSurvival, kFailure, kRoutes, kProbes };
struct SectionInfo {
  FigureSection section;
  std::string_view id;
  std::string_view title;
};
std::span<const SectionInfo> FigureSections();

struct FigureInfo {
  FigureSection section;
  std::string_view id;  // the spec is figures/<id>.vl.json
  std::string_view title;
  std::string_view caption;  // how to read it
  std::string_view query;    // the spec's `data.name`
  std::string_view measure;  // the field it draws: where no row has it, the figure has no data
  std::string_view empty;    // why there may be none, and what to switch on
};

// In the page's order; the survival maps, which repeat for each passage, stand at the end of their
// section.
std::span<const FigureInfo> Figures();
extern const FigureInfo kSurvivalMapFigure;

// The spec of a figure, without its `$schema` (the page names no address).  Every scale over
// presses gets `presses` as its domain, so that a press has one colour in all figures; one of
// presses beside the uncompressed cache has that as well.
nlohmann::json FigureSpec(const FigureInfo& figure, const std::vector<std::string>& presses);

}  // namespace kvscope::orchestrator
