#include "services/orchestrator/report/claims.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace kvscope::orchestrator {
namespace {

using Verdict = ReportFinding::Verdict;

// "A", "A and B", "A, B and C".
std::string ArmsText(const std::vector<std::string>& arms) {
  std::string text = arms[0];
  for (size_t i = 1; i < arms.size(); ++i) {
    absl::StrAppend(&text, i + 1 == arms.size() ? " and " : ", ", arms[i]);
  }
  return text;
}

// "Holds for A: numbers; B and C: numbers."; empty without a case of that verdict.
std::string CasesText(const std::string& word, const std::vector<ClaimCase>& cases,
                      Verdict verdict) {
  std::vector<std::pair<std::vector<std::string>, std::string>> groups;  // arms of equal numbers
  for (const ClaimCase& one : cases) {
    if (one.verdict != verdict) continue;
    const auto same = std::find_if(groups.begin(), groups.end(),
                                   [&](const auto& group) { return group.second == one.numbers; });
    if (same == groups.end()) {
      groups.push_back({{one.arm}, one.numbers});
    } else {
      same->first.push_back(one.arm);
    }
  }
  if (groups.empty()) return "";
  return absl::StrCat(" ", word, " ",
                      absl::StrJoin(groups, "; ",
                                    [](std::string* text, const auto& group) {
                                      absl::StrAppend(text, ArmsText(group.first), ": ",
                                                      group.second);
                                    }),
                      ".");
}

}  // namespace

std::string ClaimOf(const std::string& claim, const SweepModel& model) {
  return model.name.empty() ? claim : absl::StrCat(claim, " (", model.name, ")");
}

ReportFinding Undecided(const std::string& claim, const std::string& rule, const std::string& why) {
  return {claim, Verdict::kNotDecidable,
          absl::StrCat("Rule: ", rule, ". Not decidable: ", why, ".")};
}

ReportFinding JudgeCases(const std::string& claim, const std::string& rule,
                         const std::vector<ClaimCase>& cases) {
  if (cases.empty()) {
    return Undecided(
        claim, rule,
        absl::StrCat("no cell of the paper's presses is there; have ", kPaperPressesText,
                     " in presses and agnostic or aware in regimes"));
  }
  const auto count = [&](Verdict verdict) {
    return std::count_if(cases.begin(), cases.end(),
                         [&](const ClaimCase& one) { return one.verdict == verdict; });
  };
  Verdict verdict = Verdict::kNotDecidable;
  if (count(Verdict::kRefuted) > 0) {
    verdict = Verdict::kRefuted;
  } else if (count(Verdict::kNotDecidable) == 0) {
    verdict = Verdict::kConfirmed;
  }
  return {claim, verdict,
          absl::StrCat("Rule: ", rule, ".", CasesText("Holds for", cases, Verdict::kConfirmed),
                       CasesText("Fails for", cases, Verdict::kRefuted),
                       CasesText("Open for", cases, Verdict::kNotDecidable))};
}

}  // namespace kvscope::orchestrator
