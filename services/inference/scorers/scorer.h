// Scorer: what a KV pair is worth. One scorer a file; `registry.cc` lists them all.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "services/inference/flow/capture.h"
#include "services/inference/flow/score_table.h"

namespace kvscope::inference {

// A parameter of a scorer or budget, as the user writes it: `window_size=32`.
struct ParameterInfo {
  std::string_view name = {};
  std::string_view type = {};           // "int", "float", "bool"
  std::string_view default_value = {};  // as written in an expression: "32", "0.2", "true"; empty:
                                        // the seed that the press is parsed with
  std::string_view range = {};          // in words for `--help` and errors: "[1, 4096]"; empty: any
  double min = 0, max = 0;              // checked where `range` is not empty; both ends allowed
  bool odd = false;                     // an int that must be odd; `range` says so
  std::string_view summary = {};
};

// Parameter values in the order of the entry's ParameterInfo list, defaults filled in, ranges
// checked. Bools are 0 or 1, ints are whole.
using ParameterValues = std::vector<double>;

class Scorer {
 public:
  virtual ~Scorer() = default;
  virtual Needs needs() const = 0;
  // The scorer refuses a context (or chunk) of fewer tokens.
  virtual int min_tokens() const { return 1; }
  // Fills scores [kv_heads, tokens]. Called once a layer; must be thread-safe and deterministic.
  virtual void Score(const LayerView& layer, ScoreMatrix scores) const = 0;
};

struct ScorerInfo {
  std::string_view name;
  std::string_view kvpress_name;  // its class in kvpress, accepted as an alias
  std::string_view summary;
  std::string_view source;  // "arXiv:2404.14469", or a paper's title
  std::span<const ParameterInfo> parameters;
  std::unique_ptr<Scorer> (*make)(const ParameterValues& values);
};

// A `ScorerInfo::make` that constructs T from its values, or from nothing.
template <typename T>
std::unique_ptr<Scorer> Make(const ParameterValues& values) {
  if constexpr (std::is_constructible_v<T, const ParameterValues&>) {
    return std::make_unique<T>(values);
  } else {
    return std::make_unique<T>();
  }
}

// All scorers, in the order in which `kvscope presses` lists them.
std::span<const ScorerInfo* const> Scorers();

}  // namespace kvscope::inference
