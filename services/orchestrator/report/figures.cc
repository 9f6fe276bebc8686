#include "services/orchestrator/report/figures.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "services/orchestrator/report/embedded.h"
#include "services/orchestrator/report/queries.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::json;

constexpr SectionInfo kSections[] = {
    {FigureSection::kAnswers, "answers", "Answers"},
    {FigureSection::kTags, "by-tag", "Answers by tag"},
    {FigureSection::kLayers, "layers", "Heads and layers"},
    {FigureSection::kSurvival, "survival", "Survival"},
    {FigureSection::kFailure, "failure", "Failure"},
    {FigureSection::kRoutes, "routes", "Routes"},
    {FigureSection::kProbes, "probes", "Probes"},
};

constexpr std::string_view kNoCells = "the sweep has no finished cell yet";
constexpr std::string_view kNoConsensus =
    "no attention was captured (capture: {consensus: true} in the sweep)";
constexpr std::string_view kNoSpan =
    "no gold answer of this sweep has a place in its context, so GER is not defined";
constexpr std::string_view kNoDecomposition =
    "it takes failed answers whose gold answer has a place in its context";
constexpr std::string_view kNoGraph =
    "no token-attention graph was captured (capture: {graph: {passages: 5, epsilon: 0.02}} in the "
    "sweep)";
constexpr std::string_view kNoProbes =
    "no hidden states were captured (capture: {probes: {pool: mean}} in the sweep, on data whose "
    "questions have an answer_type)";

constexpr FigureInfo kFigures[] = {
    {FigureSection::kAnswers, "f1", "F1", "Mean token F1 of the answers; higher is better.",
     "cells", "f1", kNoCells},
    {FigureSection::kAnswers, "degradation", "Degradation and cliff",
     "F1 as a share of the uncompressed run's. The broad band marks each press's cliff: its "
     "steepest drop of F1 between two neighbouring ratios, if it loses 0.05 or more; the number is "
     "the share lost there.",
     "degradation", "retained_f1",
     "a curve needs its uncompressed run (ratios: [0, ...] in the sweep) with an F1 above 0"},
    {FigureSection::kAnswers, "change_points", "Where F1 breaks",
     "The change point of each press's curve of F1, with its 95 % interval. A press whose curve "
     "has "
     "none is left out.",
     "change_points", "ratio",
     "it takes a curve of several ratios that breaks (ratios: [0, 0.1, ..., 0.9] in the sweep)"},
    {FigureSection::kAnswers, "comparisons", "Press against press",
     "F1 of a press less that of another on the same questions; above 0 the press is better. An "
     "interval that holds 0 tells nothing apart.",
     "comparisons", "difference",
     "it takes two presses, best with a random arm (presses: [..., random] in the sweep)"},
    {FigureSection::kAnswers, "exact", "Exact answers",
     "Answers that equal gold or an alias, but for case, spacing and outer punctuation.", "cells",
     "exact", kNoCells},
    {FigureSection::kTags, "direction", "Forward against reverse",
     "Mean token F1 of questions from the subject to its attribute (forward) and back (reverse).",
     "direction", "f1", "no data set has questions of two directions (direction in its JSONL)"},
    {FigureSection::kTags, "hop", "By hop",
     "Mean token F1 by the number of links between the entity in the question and the answer.",
     "hop", "f1", "no data set has questions of two hops (hop in its JSONL)"},
    {FigureSection::kTags, "answer_type", "By answer type",
     "Mean token F1 by what the gold answer is.", "answer_type", "f1",
     "no data set has answers of two types (answer_type in its JSONL)"},
    {FigureSection::kTags, "question_type", "By question type",
     "Mean token F1 by whether the answer stands there (Standard), must be transformed "
     "(Manipulated) or gathered from several places (Part).",
     "question_type", "f1", "no data set has questions of two types (question_type in its JSONL)"},
    {FigureSection::kLayers, "consensus", "Head consensus",
     "Distinct top-attended context tokens over query heads at the last prompt token, mean over "
     "layers. Low: the heads agree and attention cannot re-route.",
     "cells", "consensus_mean", kNoConsensus},
    {FigureSection::kLayers, "consensus_across_layers", "Head consensus across layers",
     "The same for each layer, a line for each ratio.", "layers", "consensus", kNoConsensus},
    {FigureSection::kLayers, "consensus_by_layer", "Head consensus by layer, press against press",
     "The same at the ratios nearest to 10, 50 and 90 %, beside the uncompressed cache where it "
     "was run.",
     "consensus_by_layer", "consensus", kNoConsensus},
    {FigureSection::kLayers, "agreement_by_layer", "Head agreement across layers",
     "The share of query heads that look first at the token that most of them look at first.",
     "layers", "agreement", kNoConsensus},
    {FigureSection::kLayers, "ger_by_layer", "GER across layers",
     "Tokens of the gold answer that no head of the layer keeps.", "layers", "ger", kNoSpan},
    {FigureSection::kLayers, "eviction_by_layer", "Eviction rate across layers",
     "Context tokens that no head of the layer keeps.", "layers", "eviction", kNoCells},
    {FigureSection::kSurvival, "eviction_rate", "Eviction rate",
     "Context tokens that no head of any layer keeps.", "cells", "eviction_rate", kNoCells},
    {FigureSection::kSurvival, "evicted_share", "Evicted share",
     "KV pairs that were evicted, as measured: it follows the compression ratio unless a press "
     "keeps more or less than asked.",
     "cells", "evicted_share", kNoCells},
    {FigureSection::kFailure, "hallucination", "Hallucinations",
     "Wrong answers that do not abstain; lower is better.", "cells", "hallucination_rate",
     kNoCells},
    {FigureSection::kFailure, "unknown", "Abstentions",
     "Answers that say they do not know although the passage has the answer.", "cells",
     "unknown_rate", kNoCells},
    {FigureSection::kFailure, "susceptibility", "Susceptibility",
     "How fast the hallucination rate grows with the compression ratio (its slope); a peak is a "
     "cliff.",
     "susceptibility", "chi",
     "it takes several ratios of each press (ratios: [0, 0.1, ..., 0.9] in the sweep)"},
    {FigureSection::kFailure, "ger", "Global eviction ratio (GER)",
     "Tokens of the gold answer that no head of any layer keeps: erasure. Only answers that occur "
     "in their context, or have evidence there, count.",
     "cells", "ger", kNoSpan},
    {FigureSection::kFailure, "ger_hallucination", "GER against hallucinations",
     "One point a cell; the dashed line is the least-squares fit over all presses. High "
     "hallucination at a low GER speaks for rigidity rather than erasure.",
     "cells", "ger", kNoSpan},
    {FigureSection::kFailure, "decomposition", "Failures by erasure and by rigidity",
     "Failed answers, stacked: those whose gold answer was evicted everywhere (erasure) and those "
     "of which something survived (rigidity). The thin line is the 95 % interval of erasure's "
     "part.",
     "decomposition", "erasure", kNoDecomposition},
    {FigureSection::kFailure, "rigidity_consensus", "Rigidity against consensus",
     "One point a cell: the share of failures by rigidity, and how much the heads differ.",
     "decomposition", "rigidity_at_consensus",
     "it takes failed answers whose gold answer has a place in its context, and captured attention "
     "(capture: {consensus: true} in the sweep)"},
    {FigureSection::kFailure, "rigidity_terciles", "Rigidity, failures parted by consensus",
     "A press's failures at all ratios in three parts of equal size, from those where the heads "
     "agree most to those where they differ most: the share by rigidity with its 95 % interval. A "
     "line that falls says that heads which agree fail although the answer is there.",
     "rigidity", "rigidity_share",
     "it takes failed answers whose gold answer has a place in its context, and captured attention "
     "(capture: {consensus: true} in the sweep)"},
    {FigureSection::kRoutes, "routes_reachable", "Is the answer reachable?",
     "The share of answers with a token that the query token reaches in the token-attention graph: "
     "as defined (eviction cuts every edge through an evicted pair), as computed (context rows ran "
     "before eviction), and the lower bound of Prop. 1 on the former.",
     "routes", "reachable_defined", kNoGraph},
    {FigureSection::kRoutes, "routes_disjoint", "Head-disjoint routes",
     "Routes from the query token to the answer that share no head of any layer; the median over "
     "answers.",
     "routes", "disjoint_defined", kNoGraph},
    {FigureSection::kRoutes, "routes_bound", "Prop. 1's bound against what was measured",
     "One point a cell. On or above the dashed line the bound holds.", "routes", "bound", kNoGraph},
    {FigureSection::kProbes, "probes", "Probe against answers",
     "How well a linear probe of the hidden states tells the answer's type, beside the F1 of the "
     "answers: decodable while generation fails?",
     "probes", "probe", kNoProbes},
    {FigureSection::kProbes, "probes_by_layer", "Probe by layer",
     "The same for each layer by itself, a line for each ratio.", "probes_by_layer", "probe",
     kNoProbes},
    {FigureSection::kProbes, "probes_radar", "Probe by answer type",
     "F1 of the probe for each answer type at the ratios nearest to 10, 50 and 90 %, beside the "
     "uncompressed cache where it was run. The rim is 1, the rings stand at 0.25, 0.5 and 0.75.",
     "probes_radar", "f1", kNoProbes},
};

// Gives every scale over presses in `node` its domain.
void SetPresses(const json& domain, json& node) {
  if (!node.is_structured()) return;
  for (auto& [key, child] : node.items()) {
    if ((key == "color" || key == "shape") && child.is_object() &&
        child.value("field", "") == "press") {
      child["scale"]["domain"] = domain;
    } else {
      SetPresses(domain, child);
    }
  }
}

}  // namespace

constexpr FigureInfo kSurvivalMapFigure = {
    FigureSection::kSurvival,
    "survival_map",
    "Survival map",
    "Each row is a KV head (or a layer, where there are many), each column a context token (or a "
    "few neighbours); blue survives. Orange marks above a map point at the tokens of a gold "
    "answer.",
    "survival_rows",
    "kept",
    "no survival map was captured (capture: {heatmaps: {passages: 1}} in the sweep)"};

std::span<const SectionInfo> FigureSections() { return kSections; }

std::span<const FigureInfo> Figures() { return kFigures; }

json FigureSpec(const FigureInfo& figure, const std::vector<std::string>& presses) {
  const std::string_view text = EmbeddedFile(std::string(figure.id) + ".vl.json");
  json spec = json::parse(text, nullptr, false);
  if (!spec.is_object()) std::abort();  // our own file, which a test reads
  spec.erase("$schema");
  json domain = presses;
  if (figure.query == "consensus_by_layer" || figure.query == "probes_radar") {
    domain.push_back(kUncompressedPress);
  }
  if (!presses.empty()) SetPresses(domain, spec);
  return spec;
}

}  // namespace kvscope::orchestrator
