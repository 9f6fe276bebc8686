// The claims that findings.h judges, one function each, and the thresholds of their rules.
//
// Numbers are compared with their intervals (bounds.h): what holds for the whole interval is
// decided, the rest is open.  Ratios may be missing by the reach named with them.
#pragma once

#include <string>
#include <vector>

#include "services/orchestrator/report/report.h"
#include "services/orchestrator/report/sweep_model.h"

namespace kvscope::orchestrator {

// A claim in one arm.
struct ClaimCase {
  std::string arm = {};
  ReportFinding::Verdict verdict = ReportFinding::Verdict::kNotDecidable;
  std::string numbers = {};  // no full stop
};

// By findings.h's rule for arms; not decidable without any.  `rule`: without a full stop.
ReportFinding JudgeCases(const std::string& claim, const std::string& rule,
                         const std::vector<ClaimCase>& cases);
// Not decidable; `why`: without a full stop.
ReportFinding Undecided(const std::string& claim, const std::string& rule, const std::string& why);
// The claim with the model that it is judged on.
std::string ClaimOf(const std::string& claim, const SweepModel& model);

// There is a cliff near ratio 0.9.  In each press's curves (data set and regime, uncompressed F1 at
// least kSmallestF1, run up to 0.9) F1's change point is near 0.9 (no more than kCliffReach away,
// its interval within kCliffReach + kCliffSlack), elsewhere (interval wholly more than kCliffReach
// away), absent, or open.  Holds where more than half of the curves have it near and more than half
// of the susceptibility's peaks are within kCliffReach; fails where more than half have it
// elsewhere or not at all.  A bend is where F1 turns: a fall from 0.8 to 0.9 bends at 0.8.
inline constexpr double kCliffRatio = 0.9;
inline constexpr double kCliffReach = 0.1;
inline constexpr double kCliffSlack = 0.05;
inline constexpr size_t kFewestCurvePoints = 5;  // to say that a curve has no change point
ReportFinding JudgeCliff(const ReportInput& input, const SweepModel& model);

// Knowledge: F1 above kKnowledgeF1 at every ratio up to kKnowledgeRatio; the last one that was run
// may lie kRatioReach below.
inline constexpr double kKnowledgeF1 = 0.9;
inline constexpr double kKnowledgeRatio = 0.4;
inline constexpr double kRatioReach = 0.05;
ReportFinding JudgeKnowledge(const SweepModel& model);

// Coreference at ratio 0: F1 agnostic less F1 aware is above 0.
ReportFinding JudgeCoreference(const SweepModel& model);

// Multi-presence: reverse questions retain more of their uncompressed F1 than forward ones, on
// average over the ratios from kFirstRatio to kLastRatio.
ReportFinding JudgeDirections(const SweepModel& model);

// Hops falls to half of its uncompressed F1 (kHalf, straight lines between ratios) at a lower ratio
// than every other of the paper's data sets, of which at least kFewestRivals were run.
inline constexpr double kHalf = 0.5;
inline constexpr size_t kFewestRivals = 2;
ReportFinding JudgeHops(const SweepModel& model);

// LLaMA: most depth shapes are "early consensus" (early layers agree, late ones are diverse); Qwen:
// most are "funnel", the inverse.  At ratio 0 and, for each press, at 0.9 (or kRatioReach from it).
ReportFinding JudgeDepth(const ReportInput& input, const SweepModel& model);
ReportFinding NoModelForDepth(ModelFamily family);  // where the sweep has none of it

// From ratio 0 to 0.9, in the mean over data sets, answers retain less than kFailed of their F1
// while the probes' macro-F1, at least kDecodableF1 uncompressed, retains kDecodableShare or more.
// Where answers do not fail there is nothing to judge.
inline constexpr double kFailed = 0.5;
inline constexpr double kDecodableF1 = 0.5;
inline constexpr double kDecodableShare = 0.8;
ReportFinding JudgeProbes(const ReportInput& input, const SweepModel& model);

// GER and hallucination rate: the intervals of Pearson's and, where told, Spearman's coefficient
// lie above 0, and Pearson's is at least kSmallestCorrelation both over the scope and over the
// cells of the paper's arms.  Refuted where an interval lies below 0.  The scope is the model's,
// "NAME" or "all cells · NAME"; where not every model has one, it is the first, and one finding
// stands for all models.
inline constexpr double kSmallestCorrelation = 0.3;
inline constexpr size_t kFewestCells = 5;
std::vector<ReportFinding> JudgeCorrelation(const ReportInput& input,
                                            const std::vector<SweepModel>& models);

// Event, Organization and Creature answers retain less of their F1 than all answers of the same
// cells, Person and Location answers more (tag_contrast.h).
ReportFinding JudgeAnswerTypes(const SweepModel& model);

}  // namespace kvscope::orchestrator
