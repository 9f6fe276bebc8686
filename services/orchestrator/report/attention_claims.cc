// Claims about what happens inside: depth shapes, probes, evicted answers.
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "services/orchestrator/report/bounds.h"
#include "services/orchestrator/report/claims.h"

namespace kvscope::orchestrator {
namespace {

using Verdict = ReportFinding::Verdict;

struct DepthClaim {
  const char* claim;
  const char* label;
  const char* family;
};

DepthClaim DepthClaimOf(ModelFamily family) {
  if (family == ModelFamily::kLlama) {
    return {"LLaMA: early consensus, late diversity", "early consensus", "LLaMA"};
  }
  return {"Qwen: early diversity, late consensus (funnel)", "funnel", "Qwen"};
}

std::string DepthRule(const DepthClaim& depth) {
  return absl::StrFormat(
      "more than half of the depth shapes (one a data set and regime) are labelled "
      "\"%s\", at ratio 0 and, for each press, at %.1f; it fails where more than "
      "half have another label",
      depth.label, kCliffRatio);
}

// Labels by (data set, regime), at the ratio nearest to `ratio`; of equals the first.
using Labels = std::map<std::pair<std::string, std::string>, std::string>;

Labels LabelsAt(const ReportInput& input, const SweepModel& model, double ratio,
                const std::string* press) {
  std::map<std::pair<std::string, std::string>, std::map<double, std::string>> by_ratio;
  for (const ReportDepthShape& row : input.statistics.depth_shapes) {
    const auto dataset = model.DatasetOf(row.dataset);
    if (!dataset || row.label.empty() || (press && row.press != *press)) continue;
    if (row.regime != "agnostic" && row.regime != "aware") continue;
    by_ratio[{*dataset, row.regime}].emplace(row.ratio, row.label);
  }
  Labels labels;
  for (const auto& [key, series] : by_ratio) {
    const auto* at = Nearest(series, ratio, ratio == 0 ? 0 : kRatioReach);
    if (at) labels[key] = at->second;
  }
  return labels;
}

ClaimCase JudgeLabels(const std::string& arm, const Labels& labels, const std::string& expected) {
  if (labels.empty()) {
    return {arm, Verdict::kNotDecidable,
            "no depth shape; have consensus: true in capture, and this ratio in ratios"};
  }
  std::map<std::string, size_t> counts;
  for (const auto& [key, label] : labels) ++counts[label];
  const size_t right = counts[expected];
  Verdict verdict = Verdict::kNotDecidable;
  if (2 * right > labels.size()) verdict = Verdict::kConfirmed;
  if (2 * right < labels.size()) verdict = Verdict::kRefuted;
  std::vector<std::string> texts;
  texts.reserve(counts.size());
  for (const auto& [label, count] : counts) texts.push_back(absl::StrCat(count, " ", label));
  return {arm, verdict, absl::StrCat(absl::StrJoin(texts, ", "), " of ", labels.size())};
}

// Of one arm: probes' macro-F1 and answers' F1 at ratio 0 and near 0.9, the means over data sets.
struct ProbeMeans {
  std::vector<Bounds> probe_full, probe_cut, answers_full, answers_cut;  // by data set
};

// Macro-F1 by ratio of the probe on all layers or, where there is none, on the last one.
std::map<double, Bounds> WholeProbe(const std::vector<const ReportProbeRow*>& rows) {
  std::map<int, std::map<double, Bounds>> by_layer;
  for (const ReportProbeRow* row : rows) {
    if (!row->tag.empty() || !row->f1) continue;
    if (const auto f1 = BoundsOf(*row->f1, row->interval, row->count)) {
      by_layer[row->layer].emplace(row->ratio, *f1);
    }
  }
  if (by_layer.empty()) return {};
  return by_layer.contains(-1) ? by_layer.at(-1) : by_layer.rbegin()->second;
}

using ProbeSeries = std::map<SeriesKey, std::vector<const ReportProbeRow*>>;

ProbeMeans GatherProbes(const ProbeSeries& probes, const SweepModel& model,
                        const std::string& press, const std::string& regime) {
  ProbeMeans means;
  for (const auto& [key, series] : model.rows) {
    if (key.press != press || key.regime != regime) continue;
    const auto rows = probes.find(key);
    if (rows == probes.end()) continue;
    const std::map<double, Bounds> probe = WholeProbe(rows->second);
    const F1Curve answers = CurveOf(series);
    const auto* probe_full = Nearest(probe, 0);
    const auto* probe_cut = Nearest(probe, kCliffRatio, kRatioReach);
    if (!probe_full || !probe_cut) continue;
    const auto* full = Nearest(answers, 0);
    const auto* cut = Nearest(answers, probe_cut->first);
    if (!full || !cut) continue;
    means.probe_full.push_back(probe_full->second);
    means.probe_cut.push_back(probe_cut->second);
    means.answers_full.push_back(full->second);
    means.answers_cut.push_back(cut->second);
  }
  return means;
}

ClaimCase JudgeProbeArm(const std::string& arm, const ProbeMeans& means) {
  const auto probe_full = Mean(means.probe_full, Dependence::kIndependent);
  const auto probe_cut = Mean(means.probe_cut, Dependence::kIndependent);
  const auto full = Mean(means.answers_full, Dependence::kIndependent);
  const auto cut = Mean(means.answers_cut, Dependence::kIndependent);
  if (!probe_full || !probe_cut || !full || !cut) {
    return {arm, Verdict::kNotDecidable,
            "no probe at ratio 0 and near 0.9; have probes: {pool: mean} in capture, and 0 and 0.9 "
            "in ratios"};
  }
  const std::string numbers =
      absl::StrCat("probe macro-F1 ", BoundsText(*probe_full), " at ratio 0 and ",
                   BoundsText(*probe_cut), " near 0.9, answers F1 ", BoundsText(*full), " and ",
                   BoundsText(*cut), ", mean of ", means.probe_full.size(), " data sets");
  const auto answers_kept = Retained(*cut, *full);
  const auto probe_kept = Retained(*probe_cut, *probe_full);
  if (!answers_kept || !probe_kept || answers_kept->high >= kFailed) {
    return {arm, Verdict::kNotDecidable, absl::StrCat("answers do not clearly fail: ", numbers)};
  }
  if (probe_full->low < kDecodableF1) {
    return {arm, Verdict::kNotDecidable,
            absl::StrCat("probes do not clearly work uncompressed: ", numbers)};
  }
  Verdict verdict = Verdict::kNotDecidable;
  if (probe_kept->low >= kDecodableShare) verdict = Verdict::kConfirmed;
  if (probe_kept->high < kDecodableShare) verdict = Verdict::kRefuted;
  return {arm, verdict,
          absl::StrCat(numbers, "; the probe retains ", BoundsText(*probe_kept), ", answers ",
                       BoundsText(*answers_kept))};
}

}  // namespace

ReportFinding JudgeDepth(const ReportInput& input, const SweepModel& model) {
  const DepthClaim depth = DepthClaimOf(model.family);
  std::vector<ClaimCase> cases = {
      JudgeLabels("ratio 0", LabelsAt(input, model, 0, nullptr), depth.label)};
  for (const std::string& press : model.PaperPresses()) {
    cases.push_back(JudgeLabels(absl::StrCat(press, " near 0.9"),
                                LabelsAt(input, model, kCliffRatio, &press), depth.label));
  }
  const std::string claim = ClaimOf(depth.claim, model);
  if (cases.size() == 1) return JudgeCases(claim, DepthRule(depth), {});
  return JudgeCases(claim, DepthRule(depth), cases);
}

ReportFinding NoModelForDepth(ModelFamily family) {
  const DepthClaim depth = DepthClaimOf(family);
  return Undecided(depth.claim, DepthRule(depth),
                   absl::StrCat("the sweep has no ", depth.family, " model; have one in model"));
}

ReportFinding JudgeProbes(const ReportInput& input, const SweepModel& model) {
  const ProbeSeries probes = BySeries(model, input.statistics.probes);
  std::vector<ClaimCase> cases;
  for (const auto& [press, regime] : model.PaperArms()) {
    cases.push_back(JudgeProbeArm(absl::StrCat(press, " ", regime),
                                  GatherProbes(probes, model, press, regime)));
  }
  return JudgeCases(
      ClaimOf("Probes stay decodable while generation fails", model),
      absl::StrFormat(
          "from ratio 0 to 0.9 answers retain less than %.2f of their F1 while probes, of "
          "macro-F1 %.2f or more uncompressed, retain %.2f or more, each with its whole "
          "interval; it fails where probes retain less",
          kFailed, kDecodableF1, kDecodableShare),
      cases);
}

}  // namespace kvscope::orchestrator
