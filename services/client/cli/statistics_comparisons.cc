// Which press is better on the same questions, and whether random would have done.
#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "services/client/cli/answer_columns.h"
#include "services/client/cli/statistics.h"
#include "services/metrics/estimate/compare.h"

namespace kvscope::cli {
namespace {

using orchestrator::ReportStatistics;

struct Pair {
  std::string press, against;
  double ratio = 0;
};

// The two arms' F1 on all data sets and regimes, paired.
struct Arms {
  std::vector<int32_t> passage;
  std::vector<double> a, b;
  int32_t passages = 0;
};

// Where the passages of each data set begin when all are numbered one after the other. A passage
// that several models read is one cluster.
std::map<std::string, int32_t> FirstPassages(const SweepAnswers& answers, int32_t* count) {
  std::map<std::string, int32_t> first;
  *count = 0;
  for (const auto& [name, part] : answers.parts) {
    if (first.try_emplace(part.dataset, *count).second) *count += part.passages;
  }
  return first;
}

Arms ArmsOf(const SweepAnswers& answers, const std::map<std::string, int32_t>& first,
            int32_t passages, const Pair& pair) {
  Arms arms;
  arms.passages = passages;
  for (const auto& [key, cell] : answers.cells) {
    const auto& [part, regime, press, ratio] = key;
    if (press != pair.press || ratio != pair.ratio) continue;
    const auto other = answers.cells.find({part, regime, pair.against, ratio});
    if (other == answers.cells.end()) continue;
    const int32_t offset = first.at(answers.parts.at(part).dataset);
    ForEachPair(cell, other->second, [&](const AnswerPoint& a, const AnswerPoint* b) {
      if (b == nullptr) return;
      arms.passage.push_back(offset + a.passage);
      arms.a.push_back(a.f1);
      arms.b.push_back(b->f1);
    });
  }
  return arms;
}

bool IsRandom(const std::string& press) { return press.rfind("random", 0) == 0; }

// Every press against random, and all others two by two, at every ratio above 0.
std::vector<Pair> PairsOf(const SweepAnswers& answers) {
  std::set<std::string> presses;
  std::set<double> ratios;
  for (const auto& [key, cell] : answers.cells) {
    presses.insert(std::get<2>(key));
    if (std::get<3>(key) > 0) ratios.insert(std::get<3>(key));
  }
  std::vector<Pair> pairs;
  for (const double ratio : ratios) {
    for (auto a = presses.begin(); a != presses.end(); ++a) {
      for (auto b = std::next(a); b != presses.end(); ++b) {
        pairs.push_back(IsRandom(*a) ? Pair{*b, *a, ratio} : Pair{*a, *b, ratio});
      }
    }
  }
  return pairs;
}

}  // namespace

void AddComparisons(const SweepAnswers& answers, ReportStatistics& statistics) {
  const std::vector<Pair> pairs = PairsOf(answers);
  int32_t passages = 0;
  const auto first = FirstPassages(answers, &passages);
  std::vector<metrics::Comparison> found(pairs.size());
  std::vector<std::string> notes(pairs.size());
  metrics::ComparisonOptions options;
  options.family_size = static_cast<int>(pairs.size());
  ForEachInParallel(pairs.size(), "comparisons", [&](size_t i) {
    const Arms arms = ArmsOf(answers, first, passages, pairs[i]);
    const auto comparison = metrics::ComparePaired(
        {.of_answer = arms.passage, .count = arms.passages}, arms.a, arms.b, options);
    if (comparison.ok()) {
      found[i] = *comparison;
    } else {
      notes[i] = std::string(comparison.status().message());
    }
  });
  metrics::CorrectFamily(found);
  for (size_t i = 0; i < pairs.size(); ++i) {
    const metrics::Comparison& c = found[i];
    statistics.comparisons.push_back({.press = pairs[i].press,
                                      .against = pairs[i].against,
                                      .ratio = pairs[i].ratio,
                                      .difference = c.difference.value,
                                      .interval = IntervalOf(c.difference),
                                      .p = c.p_value,
                                      .p_corrected = c.adjusted_p_value,
                                      .mde = c.minimum_detectable_family,
                                      .note = notes[i].empty() ? c.difference.note : notes[i]});
  }
  statistics.comparison_method =
      "paired on the same questions over all data sets and regimes; sign flips of whole passages; "
      "Holm's correction over all comparisons of the table; smallest detectable difference at 80 % "
      "power after the correction";
}

}  // namespace kvscope::cli
