// Claims about questions with one tag.
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "services/orchestrator/report/bounds.h"
#include "services/orchestrator/report/claims.h"
#include "services/orchestrator/report/tag_contrast.h"

namespace kvscope::orchestrator {
namespace {

using Verdict = ReportFinding::Verdict;

F1Curve TagCurve(const SweepModel& model, const TagSeriesKey& key) {
  const auto series = model.tag_rows.find(key);
  return series == model.tag_rows.end() ? F1Curve{} : CurveOf(series->second);
}

ClaimCase JudgeDirectionArm(const SweepModel& model, const std::string& press,
                            const std::string& regime) {
  const std::string arm = absl::StrCat(press, " ", regime);
  const SeriesKey series = {"multi_presence", regime, press};
  const F1Curve forward = TagCurve(model, {series, "direction", "forward"});
  const F1Curve reverse = TagCurve(model, {series, "direction", "reverse"});
  if (forward.empty() || reverse.empty()) {
    return {arm, Verdict::kNotDecidable,
            "no questions with direction forward and reverse; have the data set multi_presence in "
            "datasets"};
  }
  const std::set<double> ratios = SharedRatios(forward, reverse);
  const auto forward_kept = MeanRetained(forward, ratios);
  const auto reverse_kept = MeanRetained(reverse, ratios);
  if (!forward_kept || !reverse_kept) {
    return {arm, Verdict::kNotDecidable,
            absl::StrFormat("needs an F1 of %.1f or more at ratio 0 and results of both directions "
                            "at %d ratios from %.1f to %.1f",
                            kSmallestF1, kFewestRatios, kFirstRatio, kLastRatio)};
  }
  const Bounds difference = Difference(*reverse_kept, *forward_kept);
  Verdict verdict = Verdict::kNotDecidable;
  if (difference.low > 0) verdict = Verdict::kConfirmed;
  if (difference.high < 0) verdict = Verdict::kRefuted;
  return {
      arm, verdict,
      absl::StrCat("forward retains ", BoundsText(*forward_kept), ", reverse ",
                   BoundsText(*reverse_kept), ", reverse less forward ", BoundsText(difference))};
}

struct TypeClaim {
  const char* name;
  const char* other_name;  // how data sets may write it
  bool fragile;
};
constexpr TypeClaim kTypes[] = {{"Events", "Event", true},
                                {"Organization", "Organizations", true},
                                {"Creature", "Creatures", true},
                                {"Person", "Persons", false},
                                {"Location", "Locations", false}};

ClaimCase JudgeTypesArm(const SweepModel& model, const std::string& press,
                        const std::string& regime) {
  const std::vector<TagContrast> contrasts =
      ContrastTag({&model, 1}, "answer_type",
                  [&](const SeriesKey& key) { return key.press == press && key.regime == regime; });
  std::vector<std::string> numbers;
  size_t right = 0;
  bool wrong = false;
  for (const TypeClaim& type : kTypes) {
    const TagContrast* of = nullptr;
    for (const TagContrast& contrast : contrasts) {
      if (contrast.value == type.name || contrast.value == type.other_name) of = &contrast;
    }
    if (!of) {
      numbers.push_back(absl::StrCat(type.name, " untold"));
      continue;
    }
    const bool below = of->difference.high<0, above = of->difference.low> 0;
    right += type.fragile ? below : above;
    wrong |= type.fragile ? above : below;
    numbers.push_back(absl::StrFormat("%s retains %.2f, against all %s", of->value,
                                      of->retained.value, BoundsText(of->difference)));
  }
  Verdict verdict = Verdict::kNotDecidable;
  if (wrong) {
    verdict = Verdict::kRefuted;
  } else if (right == std::size(kTypes)) {
    verdict = Verdict::kConfirmed;
  }
  std::string text = absl::StrJoin(numbers, ", ");
  if (contrasts.empty()) {
    text = absl::StrFormat(
        "needs answer types with an F1 of %.1f or more at ratio 0 and results at "
        "%d ratios from %.1f to %.1f; base, multi_presence, multi_entity, "
        "long_context and hops have all types",
        kSmallestF1, kFewestRatios, kFirstRatio, kLastRatio);
  }
  return {absl::StrCat(press, " ", regime), verdict, text};
}

}  // namespace

ReportFinding JudgeDirections(const SweepModel& model) {
  std::vector<ClaimCase> cases;
  for (const auto& [press, regime] : model.PaperArms()) {
    cases.push_back(JudgeDirectionArm(model, press, regime));
  }
  return JudgeCases(
      ClaimOf("Forward questions degrade faster than reverse ones in multi-presence", model),
      absl::StrFormat(
          "on multi_presence, reverse questions retain more of their uncompressed F1 than "
          "forward ones, on average over the ratios from %.1f to %.1f, with the whole "
          "interval; it fails where the interval lies below 0",
          kFirstRatio, kLastRatio),
      cases);
}

ReportFinding JudgeAnswerTypes(const SweepModel& model) {
  std::vector<ClaimCase> cases;
  for (const auto& [press, regime] : model.PaperArms()) {
    cases.push_back(JudgeTypesArm(model, press, regime));
  }
  return JudgeCases(
      ClaimOf("Event, Organization and Creature are fragile, Person and Location stable", model),
      absl::StrFormat(
          "of their uncompressed F1, on average over the ratios from %.1f to %.1f, answers "
          "of type Event, Organization and Creature retain less than all answers of the "
          "same cells, Person and Location more, each with its whole interval; it fails "
          "where one does the opposite",
          kFirstRatio, kLastRatio),
      cases);
}

}  // namespace kvscope::orchestrator
