// What the report shows beside plain means: intervals, statistics, probes, routes and findings.
// Nothing here is calculated by the report; whoever can, fills it in.
//
// In every row `dataset`, `regime`, `press` and `ratio` name a cell as in ReportRow.  Shares and F1
// lie in [0, 1].  A number that cannot be told is null, never NaN, and `note` says why in a few
// words, without a full stop ("one class only"); empty where there is nothing to say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kvscope::orchestrator {

// A 95 % interval (low, high).
using ReportInterval = std::pair<double, double>;

// Susceptibility chi = dH/d(ratio), of the hallucination rate H.
struct ReportSusceptibilityRow {
  std::string dataset = {};
  std::string regime = {};
  std::string press = {};
  double ratio = 0;  // where chi is told: a ratio of the grid or a point between two of them
  std::optional<double> chi = {};
  std::optional<ReportInterval> interval = {};
  std::string note = {};
};

// Pr(F) = Pr(F|E) Pr(E) + Pr(F|not E) Pr(not E) with E = "the answer is evicted everywhere".
struct ReportDecompositionRow {
  std::string dataset = {};
  std::string regime = {};
  std::string press = {};
  double ratio = 0;
  int64_t answers = 0;   // those with a GER
  int64_t failures = 0;  // of them
  // Of the failures, those by erasure (E) and those by rigidity (not E): they sum to 1; null
  // without a failure.
  std::optional<double> erasure_share = {};
  std::optional<double> rigidity_share = {};
  std::optional<ReportInterval> erasure_interval = {};
  std::optional<ReportInterval> rigidity_interval = {};
  std::string note = {};
};

// How rigidity moves with consensus: the failures of one press at all ratios, in three parts of
// (nearly) equal size by their consensus.
struct ReportRigidityRow {
  std::string dataset = {};
  std::string regime = {};
  std::string press = {};
  std::string part = {};                     // "low", "middle" or "high" consensus
  std::optional<double> consensus_low = {};  // of the part's failures; low: heads agree
  std::optional<double> consensus_high = {};
  int64_t failures = 0;                       // with a GER and a consensus
  std::optional<double> rigidity_share = {};  // of them
  std::optional<ReportInterval> interval = {};
  // Of all three: change of the share per unit of consensus.
  std::optional<double> slope = {};
  std::optional<ReportInterval> slope_interval = {};
  std::string note = {};
};

// Correlation of GER and hallucination rate over the cells of one scope.
struct ReportCorrelation {
  std::string scope = {};  // for people: "all cells", "knowledge \u00B7 agnostic"
  int64_t n = 0;           // points
  std::optional<double> pearson = {};
  std::optional<double> spearman = {};
  std::optional<ReportInterval> pearson_interval = {};
  std::optional<ReportInterval> spearman_interval = {};
  std::string note = {};
};

// Where F1 breaks: the change point of one press's curve.
struct ReportChangePoint {
  std::string dataset = {};
  std::string regime = {};
  std::string press = {};
  std::optional<double> ratio = {};  // null: there is none
  std::optional<ReportInterval> interval = {};
  std::string note = {};
};

// A paired test: F1 of `press` less that of `against` on the same questions.
struct ReportComparison {
  std::string dataset = {};  // empty: over all data sets
  std::string regime = {};   // empty: over all regimes
  std::string press = {};
  std::string against = {};
  double ratio = 0;
  std::optional<double> difference = {};
  std::optional<ReportInterval> interval = {};
  std::optional<double> p = {};
  std::optional<double> p_corrected = {};  // for all comparisons of the sweep
  std::optional<double> mde = {};          // the smallest difference that the test would detect
  std::string note = {};
};

// How well a linear probe tells the gold answer's type on passages that it was not fitted on.
struct ReportProbeRow {
  std::string dataset = {};
  std::string regime = {};
  std::string press = {};
  double ratio = 0;
  int layer = -1;        // 0 the embeddings, i the output of layer i; -1: all layers together
  std::string tag = {};  // the answer type whose F1 it is; empty: macro-F1 over all
  std::optional<double> f1 = {};
  std::optional<ReportInterval> interval = {};
  int64_t count = 0;  // validation rows (of the tag)
  std::string note = {};
};

// The token-attention graph between the query token and the gold answer, over a cell's answers.
// "Defined": eviction cuts every edge through an evicted pair; "computed": only those of question
// and answer rows.
struct ReportRouteRow {
  std::string dataset = {};
  std::string regime = {};
  std::string press = {};
  double ratio = 0;
  int64_t answers = 0;                            // those whose graph was built
  std::optional<double> reachable_defined = {};   // share of answers with a reachable token
  std::optional<double> reachable_computed = {};  // the same
  std::optional<double> disjoint_defined = {};    // median number of head-disjoint routes
  std::optional<double> disjoint_computed = {};
  std::optional<double> route_length = {};  // median edges of the shortest route, as defined
  std::optional<double> bound = {};         // mean of Prop. 1's lower bound on reachable_defined
  std::string note = {};
};

// What shape consensus has over the layers at one ratio.
struct ReportDepthShape {
  std::string dataset = {};
  std::string regime = {};
  std::string press = {};
  double ratio = 0;
  std::string label = {};  // "early consensus", "funnel", "flat"
  std::string rule = {};   // the rule that gave it, for people; the same for all rows
};

// A claim of the paper, judged on this sweep.
struct ReportFinding {
  enum class Verdict { kConfirmed, kRefuted, kNotDecidable };
  std::string claim = {};
  Verdict verdict = Verdict::kNotDecidable;
  std::string numbers = {};  // a sentence with the numbers, or why it cannot be decided
};

// All of it; every list may be empty and in any order.
struct ReportStatistics {
  std::vector<ReportSusceptibilityRow> susceptibility = {};
  std::string susceptibility_smoothing = {};  // how chi was smoothed: a sentence
  std::vector<ReportDecompositionRow> decomposition = {};
  std::vector<ReportRigidityRow> rigidity = {};
  std::vector<ReportCorrelation> correlations = {};  // GER and hallucinations; the widest first
  std::vector<ReportChangePoint> change_points = {};
  std::vector<ReportComparison> comparisons = {};
  std::string comparison_method = {};  // test and correction: a sentence
  std::vector<ReportProbeRow> probes = {};
  std::vector<ReportRouteRow> routes = {};
  std::vector<ReportDepthShape> depth_shapes = {};
  // Sentences with numbers: is there a cliff, where, which press is best, is it better than random,
  // which tags are fragile.
  std::vector<std::string> headlines = {};
  std::vector<ReportFinding> findings = {};
  std::string interval_method = {};  // how the intervals were made: a sentence
};

}  // namespace kvscope::orchestrator
