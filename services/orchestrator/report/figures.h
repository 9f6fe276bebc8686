// The report's figures: which spec draws which query, and what stands there without data.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string_view>

namespace kvscope::orchestrator {

struct FigureInfo {
  std::string_view id;  // the spec is figures/<id>.vl.json
  std::string_view title;
  std::string_view caption;  // how to read it
  std::string_view query;    // the spec's `data.name`
  std::string_view measure;  // the field it draws: where no row has it, the figure has no data
  std::string_view empty;    // why there may be none
};

// In the page's order; the survival maps, which repeat for each passage, come after them.
std::span<const FigureInfo> Figures();
extern const FigureInfo kSurvivalMapFigure;

// The spec of a figure, without its `$schema` (the page names no address).
nlohmann::json FigureSpec(const FigureInfo& figure);

}  // namespace kvscope::orchestrator
