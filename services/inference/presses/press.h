// Press: a scorer and a budget, as the user writes them: `adakv(expected_attention(epsilon=0.01))`.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/inference/budgets/budget.h"
#include "services/inference/scorers/scorer.h"

namespace kvscope::inference {

struct Press {
  std::string
      expression;  // canonical: every parameter that is not the default, in the entry's order
  std::string score_key;  // equal keys score alike: canonical scorer and its span of tokens
  std::shared_ptr<const Scorer> scorer;
  std::shared_ptr<const Budget> budget;
};

// expression = name [ "(" argument {"," argument} ")" ];  argument = expression | parameter "="
// value. Names are the registries' and, as aliases, kvpress's class names (`SnapKVPress`). A scorer
// alone has the uniform budget. `seed` is what `random` draws from unless the expression says
// `seed=`. Errors: InvalidArgument that quotes the expression and names the nearest known press or
// parameter.
absl::StatusOr<Press> ParsePress(std::string_view expression, uint64_t seed);

// One line of `kvscope presses`.
struct PressInfo {
  std::string name;
  std::string kind;  // "scorer" or "budget"
  std::string summary;
  std::string source;
  std::string example;
  std::vector<ParameterInfo> parameters;
};
std::vector<PressInfo> ListPresses();

}  // namespace kvscope::inference
