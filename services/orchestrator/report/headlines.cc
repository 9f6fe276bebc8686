#include "services/orchestrator/report/headlines.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "services/orchestrator/report/bounds.h"
#include "services/orchestrator/report/median.h"
#include "services/orchestrator/report/press_ranking.h"
#include "services/orchestrator/report/sweep_model.h"
#include "services/orchestrator/report/tag_contrast.h"

namespace kvscope::orchestrator {
namespace {

// Presses that are no random arms and those that are, by name.
struct Presses {
  std::vector<std::string> scored, random;
};

Presses PressesOf(const ReportInput& input) {
  std::set<std::string> names;
  for (const ReportRow& row : input.rows) names.insert(row.press);
  Presses presses;
  for (const std::string& name : names) {
    (IsRandomPress(name) ? presses.random : presses.scored).push_back(name);
  }
  return presses;
}

std::string RatiosText(double from, double to) {
  if (from == to) return absl::StrCat("at ratio ", RatioText(from));
  return absl::StrCat("over ratios ", RatioText(from), " to ", RatioText(to));
}

std::string Percent(double share) { return absl::StrFormat("%.0f %%", 100 * share); }

// Over the common cells of harsh ratios or, where there are none, of all compressed ones.
PressRanking Rank(const ReportInput& input, const std::vector<std::string>& presses) {
  PressRanking ranking = RankPresses(input.rows, presses, kHarshFrom, kHarshTo);
  if (ranking.presses.empty()) {
    ranking = RankPresses(input.rows, presses, 10 * kSameRatio, 1);
  }
  return ranking;
}

// Whether F1 breaks at one place, from the change points of one press.
std::string CliffSentence(const ReportInput& input, const std::string& press) {
  size_t curves = 0;
  std::vector<double> places, lows, highs;
  for (const ReportChangePoint& point : input.statistics.change_points) {
    if (point.press != press) continue;
    ++curves;
    if (!point.ratio || !std::isfinite(*point.ratio)) continue;
    places.push_back(*point.ratio);
    if (!point.interval || !std::isfinite(point.interval->first + point.interval->second)) continue;
    lows.push_back(point.interval->first);
    highs.push_back(point.interval->second);
  }
  if (curves == 0) return absl::StrCat("Whether ", press, " has a cliff was not calculated.");
  if (places.empty()) {
    return absl::StrFormat("%s shows no cliff: no change point of F1 in %d curve%s.", press, curves,
                           curves == 1 ? "" : "s");
  }
  std::string text;
  if (curves == 1) {
    text = absl::StrFormat("%s has a cliff at ratio %.2f", press, places[0]);
  } else {
    text = absl::StrFormat("%s has a cliff in %s%d of %d curves, in the median at ratio %.2f",
                           press, 2 * places.size() <= curves ? "only " : "", places.size(), curves,
                           Median(places));
  }
  if (lows.empty()) return text + ", of unknown precision.";
  return absl::StrFormat("%s (%.2f to %.2f%s).", text, Median(lows), Median(highs),
                         curves == 1 ? "" : " in the median of the intervals");
}

void AddCliffs(const ReportInput& input, const std::vector<std::string>& presses,
               std::vector<std::string>& headlines) {
  if (presses.empty()) return;
  if (input.statistics.change_points.empty()) {
    headlines.push_back(
        "Whether there is a cliff is undecided: no change point was calculated, which takes "
        "several "
        "ratios and passages.");
    return;
  }
  for (const std::string& press : presses) {
    if (headlines.size() == kMostCliffs) break;
    headlines.push_back(CliffSentence(input, press));
  }
}

// "At ratio 0.7 the difference is 0.05 (0.03 to 0.07), corrected p 0.002."
std::string TypicalText(const PairTests& tests) {
  const ReportComparison& typical = *tests.typical;
  std::string where = absl::StrCat("ratio ", RatioText(typical.ratio));
  if (!typical.regime.empty()) where = absl::StrCat(typical.regime, ", ", where);
  if (!typical.dataset.empty()) where = absl::StrCat(typical.dataset, ", ", where);
  std::string text =
      absl::StrFormat("%s difference: %.3f", tests.count() == 1 ? " The" : " The median",
                      tests.sign * *typical.difference);
  if (typical.interval) {
    double low = tests.sign * typical.interval->first, high = tests.sign * typical.interval->second;
    if (low > high) std::swap(low, high);
    absl::StrAppendFormat(&text, " (%.3f to %.3f)", low, high);
  }
  if (typical.p_corrected) {
    absl::StrAppendFormat(&text, ", corrected p %.2g", *typical.p_corrected);
  } else if (typical.p) {
    absl::StrAppendFormat(&text, ", p %.2g, not corrected", *typical.p);
  }
  return absl::StrCat(text, ", at ", where, ".");
}

std::string TestsText(const PairTests& tests) {
  if (tests.count() == 0) return " No paired test of the two was calculated.";
  return absl::StrFormat(" Of %d paired test%s%s it wins %d, loses %d, and %d %s undecided.%s",
                         tests.count(), tests.count() == 1 ? "" : "s",
                         tests.pooled ? " over all data" : "", tests.better, tests.worse,
                         tests.undecided, tests.undecided == 1 ? "is" : "are", TypicalText(tests));
}

constexpr double kEqualF1 = 5e-4;  // no difference in what is printed

std::string BestSentence(const ReportInput& input, const PressRanking& ranking) {
  if (ranking.presses.empty()) {
    return "Which press is best is undecided: the presses have no compressed cell in common.";
  }
  const RankedPress& best = ranking.presses[0];
  const std::string mean =
      absl::StrFormat("%.3f %s", best.mean_f1, RatiosText(ranking.first_ratio, ranking.last_ratio));
  if (ranking.presses.size() == 1) {
    return absl::StrCat("Only one press was run, ", best.press, ": mean F1 ", mean,
                        "; which is best takes another.");
  }
  const RankedPress& second = ranking.presses[1];
  const PairTests tests = CountTests(input.statistics.comparisons, best.press, second.press,
                                     ranking.first_ratio, ranking.last_ratio, kSignificant);
  if (best.mean_f1 - second.mean_f1 < kEqualF1) {
    return absl::StrFormat("No press leads: %s and %s both have mean F1 %s.%s", best.press,
                           second.press, mean, TestsText(tests));
  }
  const bool sure = tests.better > 0 && tests.worse == 0 && 2 * tests.better > tests.count();
  return absl::StrFormat("%s %s: mean F1 %s, before %s with %.3f.%s", best.press,
                         sure ? "is the best press" : "leads, which is not certain", mean,
                         second.press, second.mean_f1, TestsText(tests));
}

std::string RandomSentence(const ReportInput& input, const std::string& best,
                           const std::vector<std::string>& random) {
  if (random.empty()) {
    return absl::StrCat("Whether ", best,
                        " is better than random is undecided: have random in presses.");
  }
  const std::vector<std::string> both = {best, random[0]};
  const PressRanking ranking = Rank(input, both);
  if (ranking.presses.size() < 2) {
    return absl::StrCat("Whether ", best, " is better than ", random[0],
                        " is undecided: they have no compressed cell in common.");
  }
  const bool first = ranking.presses[0].press == best;
  const double best_f1 = ranking.presses[first ? 0 : 1].mean_f1;
  const double random_f1 = ranking.presses[first ? 1 : 0].mean_f1;
  const PairTests tests = CountTests(input.statistics.comparisons, best, random[0],
                                     ranking.first_ratio, ranking.last_ratio, kSignificant);
  std::string verdict = "is not clearly better than";
  if (2 * tests.better > tests.count() && tests.worse == 0 && best_f1 > random_f1) {
    verdict = "is better than";
  } else if (2 * tests.worse > tests.count() && tests.better == 0 && best_f1 < random_f1) {
    verdict = "is worse than";
  }
  return absl::StrFormat("%s %s %s: mean F1 %.3f against %.3f %s.%s", best, verdict, random[0],
                         best_f1, random_f1, RatiosText(ranking.first_ratio, ranking.last_ratio),
                         TestsText(tests));
}

std::string TagText(const TagContrast& contrast) {
  std::string name = absl::StrCat("hop ", contrast.value);
  if (contrast.tag == "direction") name = absl::StrCat(contrast.value, " questions");
  if (contrast.tag == "answer_type") name = absl::StrCat("answers of type ", contrast.value);
  if (contrast.tag == "question_type") name = absl::StrCat("questions of type ", contrast.value);
  return absl::StrCat(name, " (", Percent(contrast.retained.value), " of their F1, beside ",
                      Percent(contrast.all.value), " of all answers of the same cells)");
}

std::string TagSentence(const std::vector<SweepModel>& models) {
  std::vector<TagContrast> fragile;
  size_t told = 0;
  for (const char* tag : {"answer_type", "question_type", "direction", "hop"}) {
    for (TagContrast& contrast :
         ContrastTag(models, tag, [](const SeriesKey& key) { return !IsRandomPress(key.press); })) {
      ++told;
      if (contrast.difference.high < 0) fragile.push_back(std::move(contrast));
    }
  }
  if (told == 0) {
    return absl::StrFormat(
        "Which tags are fragile is undecided: it takes tagged questions at ratio 0 and %d ratios "
        "from "
        "%.1f to %.1f.",
        kFewestRatios, kFirstRatio, kLastRatio);
  }
  if (fragile.empty()) {
    return absl::StrCat("No tag is clearly more fragile than the rest (", told, " compared).");
  }
  std::stable_sort(fragile.begin(), fragile.end(), [](const auto& a, const auto& b) {
    return a.difference.value < b.difference.value;
  });
  const size_t shown = std::min(fragile.size(), kMostFragileTags);
  std::vector<std::string> texts;
  texts.reserve(shown);
  for (size_t i = 0; i < shown; ++i) texts.push_back(TagText(fragile[i]));
  return absl::StrFormat("%s fragile, by what they retain on average over ratios %.1f to %.1f: %s.",
                         fragile.size() > shown ? "Most" : "Clearly", kFirstRatio, kLastRatio,
                         absl::StrJoin(texts, "; "));
}

// Erasure and rigidity of all presses but random ones at one ratio.
struct FailureSums {
  int64_t answers = 0, failures = 0;
  double erased = 0;
};

std::string FailuresAt(double ratio, const FailureSums& sums) {
  const double erasure = sums.erased / static_cast<double>(sums.failures);
  return absl::StrFormat("at ratio %s, %s of %d failures are erasure and %s rigidity",
                         RatioText(ratio), Percent(erasure), sums.failures, Percent(1 - erasure));
}

std::string FailureSentence(const ReportInput& input) {
  std::map<double, FailureSums> by_ratio;
  for (const ReportDecompositionRow& row : input.statistics.decomposition) {
    if (IsRandomPress(row.press) || row.answers <= 0) continue;
    if (row.failures > 0 && (!row.erasure_share || !std::isfinite(*row.erasure_share))) continue;
    FailureSums& sums = by_ratio[row.ratio];
    sums.answers += row.answers;
    sums.failures += row.failures;
    if (row.failures > 0) sums.erased += *row.erasure_share * static_cast<double>(row.failures);
  }
  std::vector<std::string> texts;
  std::set<double> shown;
  for (const double wanted : {kHarshFrom, kHarshTo}) {
    const auto* at = Nearest(by_ratio, wanted, 0.1);
    if (!at || at->second.failures == 0 || !shown.insert(at->first).second) continue;
    texts.push_back(FailuresAt(at->first, at->second));
  }
  if (texts.empty()) {
    return "How much of the failures is erasure and how much rigidity is undecided: it takes "
           "failures near ratio 0.5 or 0.9 whose gold answers stand in the passage.";
  }
  std::string text = absl::StrCat("Of the wrong answers, ", absl::StrJoin(texts, "; "), ".");
  const auto* full = Nearest(by_ratio, 0);
  if (!full) return text;
  return absl::StrCat(text, " Rigidity counts what is wrong without compression, too: ",
                      Percent(static_cast<double>(full->second.failures) /
                              static_cast<double>(full->second.answers)),
                      " of the answers.");
}

}  // namespace

std::vector<std::string> Headlines(const ReportInput& input) {
  if (input.rows.empty()) return {"Nothing can be said yet: the sweep has no finished cell."};
  const Presses presses = PressesOf(input);
  const PressRanking ranking = Rank(input, presses.scored);
  std::vector<std::string> by_rank;
  by_rank.reserve(ranking.presses.size());
  for (const RankedPress& ranked : ranking.presses) by_rank.push_back(ranked.press);
  if (by_rank.empty()) by_rank = presses.scored;

  std::vector<std::string> headlines;
  AddCliffs(input, by_rank, headlines);
  if (presses.scored.empty()) {
    headlines.push_back("Only random presses were run: no press can be best.");
  } else {
    headlines.push_back(BestSentence(input, ranking));
    headlines.push_back(RandomSentence(input, by_rank[0], presses.random));
  }
  headlines.push_back(TagSentence(SweepModels(input)));
  headlines.push_back(FailureSentence(input));
  return headlines;
}

}  // namespace kvscope::orchestrator
