#include "services/inference/presses/press.h"

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/inference/presses/expression.h"
#include "services/inference/presses/parameters.h"

namespace kvscope::inference {
namespace {

constexpr size_t kQuotedBytes = 200;
constexpr uint64_t kSeedMask = (uint64_t{1} << 53) - 1;  // a double holds these exactly

template <typename Info>
const Info* Find(std::span<const Info* const> entries, std::string_view name) {
  if (name.empty()) return nullptr;
  for (const Info* entry : entries) {
    if (entry->name == name || entry->kvpress_name == name) return entry;
  }
  return nullptr;
}

absl::Status UnknownPress(std::string_view name) {
  std::vector<std::string_view> names, own_names;
  const auto add = [&](const auto& entries) {
    for (const auto* entry : entries) {
      own_names.push_back(entry->name);
      names.push_back(entry->name);
      if (!entry->kvpress_name.empty()) names.push_back(entry->kvpress_name);
    }
  };
  add(Scorers());
  add(Budgets());
  const std::string_view nearest = Nearest(name, names);
  const std::string known = absl::StrJoin(
      own_names, ", ", [](std::string* out, std::string_view own) { out->append(own); });
  return absl::InvalidArgumentError(
      absl::StrCat("unknown press \"", std::string(name), "\"",
                   nearest.empty() ? std::string()
                                   : absl::StrCat("; did you mean \"", std::string(nearest), "\"?"),
                   nearest.empty() ? "; known are " : " Known are ", known));
}

// `name(part, part)`, or the bare name.
std::string Call(std::string_view name, const std::vector<std::string>& parts) {
  if (parts.empty()) return std::string(name);
  return absl::StrCat(std::string(name), "(", absl::StrJoin(parts, ", "), ")");
}

struct BuiltScorer {
  const ScorerInfo* info;
  ParameterValues values;

  std::string Expression() const {
    return Call(info->name, PrintParameters(info->parameters, values));
  }
};

absl::StatusOr<BuiltScorer> BuildScorer(const Expression& expression, double seed) {
  const ScorerInfo* info = Find(Scorers(), expression.word);
  if (info == nullptr) return UnknownPress(expression.word);
  for (const Argument& argument : expression.arguments) {
    if (!argument.keyword.empty() && argument.keyword != "press") continue;
    return absl::InvalidArgumentError(absl::StrCat(
        std::string(info->name), " is a scorer and takes only parameters, as name=value; found \"",
        argument.value.word, "\""));
  }
  absl::StatusOr<ParameterValues> values =
      ReadParameters(info->name, info->parameters, expression.arguments, seed);
  if (!values.ok()) return values.status();
  return BuiltScorer{info, *std::move(values)};
}

// Takes the inner press out of a budget's arguments; the rest are its parameters.
absl::StatusOr<Expression> TakeInner(const BudgetInfo& info, std::vector<Argument>& arguments) {
  std::optional<Expression> inner;
  std::vector<Argument> parameters;
  for (Argument& argument : arguments) {
    if (!argument.keyword.empty() && argument.keyword != "press") {
      parameters.push_back(std::move(argument));
      continue;
    }
    if (inner) {
      return absl::InvalidArgumentError(absl::StrCat(std::string(info.name),
                                                     " takes one scorer; found \"", inner->word,
                                                     "\" and \"", argument.value.word, "\""));
    }
    inner = std::move(argument.value);
  }
  arguments = std::move(parameters);
  if (!inner) {
    return absl::InvalidArgumentError(
        absl::StrCat(std::string(info.name), " needs a scorer, as in \"", std::string(info.name),
                     "(expected_attention)\""));
  }
  if (const BudgetInfo* other = Find(Budgets(), inner->word)) {
    return absl::InvalidArgumentError(absl::StrCat(std::string(info.name),
                                                   " takes a scorer, but \"",
                                                   std::string(other->name), "\" is a budget"));
  }
  return *std::move(inner);
}

// A scorer's own random numbers are part of what it computes, but not of how it is written.
std::string ScoreKey(const BuiltScorer& scorer, int span_tokens) {
  std::string key = scorer.Expression();
  for (size_t i = 0; i < scorer.values.size(); ++i) {
    if (!scorer.info->parameters[i].default_value.empty()) continue;
    absl::StrAppend(&key, " seed ", static_cast<uint64_t>(scorer.values[i]));
  }
  if (span_tokens > 0) absl::StrAppend(&key, " every ", span_tokens);
  return key;
}

absl::StatusOr<Press> BuildPress(Expression expression, double seed) {
  const BudgetInfo* budget_info = Find(Budgets(), expression.word);
  std::vector<Argument> arguments;
  if (budget_info == nullptr) {
    budget_info = Budgets().front();
  } else {
    arguments = std::move(expression.arguments);
    absl::StatusOr<Expression> inner = TakeInner(*budget_info, arguments);
    if (!inner.ok()) return inner.status();
    expression = *std::move(inner);
  }
  const absl::StatusOr<BuiltScorer> scorer = BuildScorer(expression, seed);
  if (!scorer.ok()) return scorer.status();
  const absl::StatusOr<ParameterValues> values =
      ReadParameters(budget_info->name, budget_info->parameters, arguments, seed);
  if (!values.ok()) return values.status();

  Press press;
  press.scorer = scorer->info->make(scorer->values);
  press.budget = budget_info->make(*values);
  const int span_tokens = press.budget->score_span_tokens();
  if (span_tokens > 0 && span_tokens < press.scorer->min_tokens()) {
    return absl::InvalidArgumentError(
        absl::StrCat("chunks of ", span_tokens, " tokens are too short for ", scorer->Expression(),
                     ", which needs at least ", press.scorer->min_tokens()));
  }
  press.score_key = ScoreKey(*scorer, span_tokens);
  press.expression = scorer->Expression();
  if (budget_info != Budgets().front()) {
    std::vector<std::string> parts = PrintParameters(budget_info->parameters, *values);
    parts.insert(parts.begin(), press.expression);
    press.expression = Call(budget_info->name, parts);
  }
  return press;
}

template <typename Info>
PressInfo Describe(const Info& info, std::string kind, std::vector<std::string> example) {
  for (const ParameterInfo& parameter : info.parameters) {
    const std::string_view value = parameter.default_value.empty() ? "1" : parameter.default_value;
    example.push_back(absl::StrCat(std::string(parameter.name), "=", std::string(value)));
  }
  return {.name = std::string(info.name),
          .kvpress_name = std::string(info.kvpress_name),
          .kind = std::move(kind),
          .summary = std::string(info.summary),
          .source = std::string(info.source),
          .example = Call(info.name, example),
          .parameters = {info.parameters.begin(), info.parameters.end()}};
}

}  // namespace

absl::StatusOr<Press> ParsePress(std::string_view expression, uint64_t seed) {
  absl::StatusOr<Expression> parsed = ParseExpression(expression);
  absl::StatusOr<Press> press =
      parsed.ok() ? BuildPress(*std::move(parsed), static_cast<double>(seed & kSeedMask))
                  : parsed.status();
  if (press.ok()) return press;
  const bool cut = expression.size() > kQuotedBytes;
  return absl::InvalidArgumentError(
      absl::StrCat("press \"", absl::CEscape(std::string(expression.substr(0, kQuotedBytes))),
                   cut ? "...\": " : "\": ", press.status().message()));
}

std::vector<PressInfo> ListPresses() {
  std::vector<PressInfo> presses;
  for (const ScorerInfo* info : Scorers()) presses.push_back(Describe(*info, "scorer", {}));
  for (const BudgetInfo* info : Budgets()) {
    presses.push_back(Describe(*info, "budget", {"expected_attention"}));
  }
  return presses;
}

}  // namespace kvscope::inference
