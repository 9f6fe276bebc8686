// Press: a scorer and a budget, as the user writes them: `adakv(expected_attention(epsilon=0.01))`.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/inference/budgets/budget.h"
#include "services/inference/scorers/scorer.h"

namespace kvscope::inference {

struct Press {
  // Canonical: our names, and every parameter that is not the default, in the entry's order. Equal
  // presses have equal expressions.
  std::string expression;
  std::string score_key;  // equal keys score alike: canonical scorer, its seed and span of tokens
  std::shared_ptr<const Scorer> scorer;
  std::shared_ptr<const Budget> budget;
};

// expression = name [ "(" [ argument {"," argument} ] ")" ]
// argument   = expression | "press" "=" expression | parameter "=" value
// Names are the registries' and, as aliases, kvpress's class names (`SnapKVPress`); only budgets
// take an inner expression, which is a scorer. A scorer alone has the uniform budget. Values are as
// in Python: 32, 0.2, 1e-2, true or True. `seed` (its low 53 bits) is what `random` draws from
// unless the expression says `seed=`.
// Errors: InvalidArgument that quotes the expression and says what was found and what is allowed,
// the nearest known press or parameter among it.
absl::StatusOr<Press> ParsePress(std::string_view expression, uint64_t seed);

// One line of `kvscope presses`.
struct PressInfo {
  std::string name;
  std::string kvpress_name;  // accepted as an alias; may be empty
  std::string kind;          // "scorer" or "budget"
  std::string summary;
  std::string source;
  std::string example;
  std::vector<ParameterInfo> parameters;
};
std::vector<PressInfo> ListPresses();

}  // namespace kvscope::inference
