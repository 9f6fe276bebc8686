// Claims about the F1 of single data sets.
#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "services/orchestrator/report/bounds.h"
#include "services/orchestrator/report/claims.h"

namespace kvscope::orchestrator {
namespace {

using Verdict = ReportFinding::Verdict;

constexpr const char* kPaperDatasets[] = {
    "base", "knowledge", "multi_presence", "multi_entity", "long_context", "coreference", "hops"};

bool HasDataset(const SweepModel& model, const std::string& dataset) {
  return std::any_of(model.rows.begin(), model.rows.end(),
                     [&](const auto& entry) { return entry.first.dataset == dataset; });
}

std::string NoDataset(const std::string& dataset) {
  return absl::StrCat("the data set ", dataset, " was not run; have it in datasets");
}

F1Curve CurveAt(const SweepModel& model, const SeriesKey& key) {
  const auto series = model.rows.find(key);
  return series == model.rows.end() ? F1Curve{} : CurveOf(series->second);
}

// The data set's ratios up to kKnowledgeRatio, of whatever press.
std::set<double> EarlyRatios(const SweepModel& model, const std::string& dataset) {
  std::set<double> ratios;
  for (const auto& [key, series] : model.rows) {
    if (key.dataset != dataset) continue;
    for (const auto& [ratio, row] : series) {
      if (ratio <= kKnowledgeRatio + kSameRatio) ratios.insert(ratio);
    }
  }
  return ratios;
}

ClaimCase JudgeKnowledgeArm(const std::string& arm, const F1Curve& curve,
                            const std::set<double>& ratios) {
  std::vector<std::string> missing;
  const F1Curve::value_type* lowest = nullptr;  // the one with the lowest low end
  for (const double ratio : ratios) {
    const auto* at = Nearest(curve, ratio);
    if (!at) {
      missing.push_back(RatioText(ratio));
      continue;
    }
    if (at->second.high <= kKnowledgeF1) {
      return {arm, Verdict::kRefuted,
              absl::StrCat("F1 ", BoundsText(at->second), " already at ratio ", RatioText(ratio))};
    }
    if (!lowest || at->second.low < lowest->second.low) lowest = at;
  }
  if (!lowest || ratios.empty() || *ratios.rbegin() < kKnowledgeRatio - kRatioReach - kSameRatio) {
    return {arm, Verdict::kNotDecidable,
            absl::StrFormat("no ratio near %.1f was run; have it in ratios", kKnowledgeRatio)};
  }
  if (!missing.empty()) {
    return {arm, Verdict::kNotDecidable,
            absl::StrCat("no result at ratio ", absl::StrJoin(missing, ", "))};
  }
  const std::string numbers = absl::StrCat("lowest F1 ", BoundsText(lowest->second), " at ratio ",
                                           RatioText(lowest->first));
  return {arm, lowest->second.low > kKnowledgeF1 ? Verdict::kConfirmed : Verdict::kNotDecidable,
          numbers};
}

// Where a curve falls to kHalf of its F1 at ratio 0, with the places where its lower and upper ends
// do.  A curve that never does gets kNever.
constexpr double kNever = std::numeric_limits<double>::infinity();
struct HalfLoss {
  double place, low, high;
  double last;  // ratio
};

template <typename End>
double FirstAtHalf(const F1Curve& retained, const End& end) {
  const F1Curve::value_type* before = nullptr;
  for (const auto& point : retained) {
    const double now = end(point.second);
    if (now <= kHalf) {
      if (!before) return point.first;
      const double fall = end(before->second) - now;
      const double part = fall > 0 ? (end(before->second) - kHalf) / fall : 1;
      return before->first + part * (point.first - before->first);
    }
    before = &point;
  }
  return kNever;
}

std::optional<HalfLoss> FindHalfLoss(const F1Curve& curve) {
  const auto* full = Nearest(curve, 0);
  if (!full || curve.size() <= kFewestRatios) return std::nullopt;
  F1Curve retained;
  for (const auto& [ratio, f1] : curve) {
    const auto share = Retained(f1, full->second);
    if (!share) return std::nullopt;
    retained[ratio] = ratio == full->first ? Bounds{1, 1, 1, share->measured} : *share;
  }
  return HalfLoss{FirstAtHalf(retained, [](const Bounds& b) { return b.value; }),
                  FirstAtHalf(retained, [](const Bounds& b) { return b.low; }),
                  FirstAtHalf(retained, [](const Bounds& b) { return b.high; }),
                  retained.rbegin()->first};
}

std::string HalfText(const HalfLoss& half) {
  const auto text = [&](double place) {
    return place == kNever ? absl::StrCat("beyond ", RatioText(half.last))
                           : absl::StrFormat("%.2f", place);
  };
  if (half.low == kNever) return text(kNever);
  return absl::StrCat(text(half.place), " (", text(half.low), " to ", text(half.high), ")");
}

ClaimCase JudgeHopsArm(const SweepModel& model, const std::string& press,
                       const std::string& regime) {
  const std::string arm = absl::StrCat(press, " ", regime);
  const auto hops = FindHalfLoss(CurveAt(model, {"hops", regime, press}));
  if (!hops) {
    return {
        arm, Verdict::kNotDecidable,
        absl::StrFormat("hops has no F1 of %.1f or more at ratio 0, or fewer than %d ratios more",
                        kSmallestF1, kFewestRatios)};
  }
  std::string numbers = absl::StrCat("hops at ", HalfText(*hops));
  size_t rivals = 0, later = 0, untold = 0;
  bool earlier = false;
  for (const std::string dataset : kPaperDatasets) {
    if (dataset == "hops" || !model.rows.contains({dataset, regime, press})) continue;
    ++rivals;
    const auto half = FindHalfLoss(CurveAt(model, {dataset, regime, press}));
    if (!half) {
      ++untold;
      absl::StrAppend(&numbers, ", ", dataset, " untold");
      continue;
    }
    absl::StrAppend(&numbers, ", ", dataset, " ", HalfText(*half));
    later += hops->high < half->low;
    earlier |= half->high < hops->low;
  }
  if (rivals == 0) {
    return {arm, Verdict::kNotDecidable, "no other data set of the paper; have some in datasets"};
  }
  Verdict verdict = Verdict::kNotDecidable;
  if (earlier) {
    verdict = Verdict::kRefuted;
  } else if (later == rivals && rivals >= kFewestRivals) {
    verdict = Verdict::kConfirmed;
  }
  return {arm, verdict, numbers};
}

}  // namespace

ReportFinding JudgeKnowledge(const SweepModel& model) {
  const std::string claim = ClaimOf("Knowledge stays above 90 F1 up to ratio 0.4", model);
  const std::string rule = absl::StrFormat(
      "F1 on knowledge is above %.2f, with its whole interval, "
      "at every ratio up to %.1f",
      kKnowledgeF1, kKnowledgeRatio);
  if (!HasDataset(model, "knowledge")) return Undecided(claim, rule, NoDataset("knowledge"));
  const std::set<double> ratios = EarlyRatios(model, "knowledge");
  std::vector<ClaimCase> cases;
  for (const auto& [press, regime] : model.PaperArms()) {
    cases.push_back(JudgeKnowledgeArm(absl::StrCat(press, " ", regime),
                                      CurveAt(model, {"knowledge", regime, press}), ratios));
  }
  return JudgeCases(claim, rule, cases);
}

ReportFinding JudgeCoreference(const SweepModel& model) {
  const std::string claim = ClaimOf("Knowing the questions hurts coreference", model);
  const std::string rule =
      "on coreference at ratio 0, where no press matters, F1 agnostic less F1 aware is above 0 "
      "with "
      "its whole interval; it fails where the interval lies below 0";
  if (!HasDataset(model, "coreference")) return Undecided(claim, rule, NoDataset("coreference"));
  std::map<std::string, Bounds> full;  // by regime; of the first press
  for (const auto& [key, series] : model.rows) {
    if (key.dataset != "coreference") continue;
    const F1Curve curve = CurveOf(series);
    if (const auto* at = Nearest(curve, 0)) full.emplace(key.regime, at->second);
  }
  for (const char* regime : {"agnostic", "aware"}) {
    if (full.contains(regime)) continue;
    return Undecided(claim, rule,
                     absl::StrCat("no result in regime ", regime, " at ratio 0; have ", regime,
                                  " in regimes and 0 in ratios"));
  }
  const Bounds difference = Difference(full.at("agnostic"), full.at("aware"));
  Verdict verdict = Verdict::kNotDecidable;
  if (difference.low > 0) verdict = Verdict::kConfirmed;
  if (difference.high < 0) verdict = Verdict::kRefuted;
  return {
      claim, verdict,
      absl::StrCat("Rule: ", rule, ". F1 agnostic ", BoundsText(full.at("agnostic")), ", aware ",
                   BoundsText(full.at("aware")), ", difference ", BoundsText(difference), ".")};
}

ReportFinding JudgeHops(const SweepModel& model) {
  const std::string claim = ClaimOf("Hops collapses first", model);
  const std::string rule = absl::StrFormat(
      "the ratio at which hops has lost half of its uncompressed F1 is below that of each other "
      "data "
      "set of the paper, of which at least %d were run, and their intervals do not overlap; it "
      "fails "
      "where another one's lies wholly below",
      kFewestRivals);
  if (!HasDataset(model, "hops")) return Undecided(claim, rule, NoDataset("hops"));
  std::vector<ClaimCase> cases;
  for (const auto& [press, regime] : model.PaperArms()) {
    cases.push_back(JudgeHopsArm(model, press, regime));
  }
  return JudgeCases(claim, rule, cases);
}

}  // namespace kvscope::orchestrator
