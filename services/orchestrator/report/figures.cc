#include "services/orchestrator/report/figures.h"

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "services/orchestrator/report/embedded.h"

namespace kvscope::orchestrator {
namespace {

constexpr std::string_view kNoCells = "the sweep has no finished cell yet";
constexpr std::string_view kNoConsensus =
    "no attention was captured (capture: {consensus: true} in the sweep)";
constexpr std::string_view kNoSpan =
    "no gold answer of this sweep has a place in its context, so GER is not defined";

constexpr FigureInfo kFigures[] = {
    {"f1", "F1", "Mean token F1 of the answers; higher is better.", "cells", "f1", kNoCells},
    {"degradation", "Degradation and cliff",
     "F1 as a share of the uncompressed run's. The broad band marks each press's cliff: its "
     "steepest drop of F1 between two neighbouring ratios, if it loses 0.05 or more; the number is "
     "the share lost there.",
     "degradation", "retained_f1",
     "a curve needs its uncompressed run (ratio 0) with an F1 above 0"},
    {"exact", "Exact answers",
     "Answers that equal gold or an alias, but for case, spacing and outer punctuation.", "cells",
     "exact", kNoCells},
    {"hallucination", "Hallucinations", "Wrong answers that do not abstain; lower is better.",
     "cells", "hallucination_rate", kNoCells},
    {"unknown", "Abstentions",
     "Answers that say they do not know although the passage has the answer.", "cells",
     "unknown_rate", kNoCells},
    {"ger", "Global eviction ratio (GER)",
     "Tokens of the gold answer that no head of any layer keeps: erasure. Only answers that occur "
     "in their context, or have evidence there, count.",
     "cells", "ger", kNoSpan},
    {"ger_hallucination", "GER against hallucinations",
     "One point a cell; the dashed line is the least-squares fit over all presses. High "
     "hallucination at a low GER speaks for rigidity rather than erasure.",
     "cells", "ger", kNoSpan},
    {"eviction_rate", "Eviction rate", "Context tokens that no head of any layer keeps.", "cells",
     "eviction_rate", kNoCells},
    {"evicted_share", "Evicted share",
     "KV pairs that were evicted, as measured: it follows the compression ratio unless a press "
     "keeps more or less than asked.",
     "cells", "evicted_share", kNoCells},
    {"consensus", "Head consensus",
     "Distinct top-attended context tokens over query heads at the last prompt token, mean over "
     "layers. Low: the heads agree and attention cannot re-route.",
     "cells", "consensus_mean", kNoConsensus},
    {"consensus_by_layer", "Head consensus by layer",
     "The same for each layer, at the ratios nearest to 10, 50 and 90 %, beside the uncompressed "
     "cache where it was run.",
     "consensus_by_layer", "consensus", kNoConsensus},
};

}  // namespace

constexpr FigureInfo kSurvivalMapFigure = {
    "survival_map",
    "Survival map",
    "Each row is a KV head (or a layer, where there are many), each column a context token (or a "
    "few neighbours); blue survives. Orange marks above a map point at the tokens of a gold "
    "answer.",
    "survival_rows",
    "kept",
    "no survival map was captured (capture: {heatmaps: {passages: N}} in the sweep)"};

std::span<const FigureInfo> Figures() { return kFigures; }

nlohmann::json FigureSpec(const FigureInfo& figure) {
  const std::string_view text = EmbeddedFile(std::string(figure.id) + ".vl.json");
  nlohmann::json spec = nlohmann::json::parse(text, nullptr, false);
  if (!spec.is_object()) std::abort();  // our own file, which a test reads
  spec.erase("$schema");
  return spec;
}

}  // namespace kvscope::orchestrator
