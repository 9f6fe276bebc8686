#include "services/metrics/registry.h"

#include <algorithm>

namespace kvscope::metrics {
namespace {

using enum MetricLevel;

constexpr std::string_view kPaper = "arXiv:2603.01426, metrics";
constexpr std::string_view kExtension = "KVScope";
constexpr std::string_view kNoSpan =
    "the gold answer neither occurs in the context nor has evidence there, or it abstains";
constexpr std::string_view kNoRow = "consensus was not captured, or no head has a surviving token";
constexpr std::string_view kNoHead = "a layer is null if none of its heads has a surviving token";
constexpr std::string_view kAlgorithm2 = "arXiv:2603.01426, algorithm 2";
constexpr std::string_view kNoProbe =
    "hidden states were not captured or are not finite, or fewer than two types have enough rows";
constexpr std::string_view kGraph = "arXiv:2603.01426, token-attention graph";
constexpr std::string_view kNoGraph =
    "the passage's graph was not captured or is too large, or the answer has no token";
constexpr std::string_view kNoRoute =
    "as reached_defined, or the query token does not reach the answer";
constexpr std::string_view kNoUncutRoute =
    "as reached_defined, or there is no route even without eviction";
constexpr std::string_view kNoStep = "no token was generated, or consensus was not captured";

constexpr MetricInfo kMetrics[] = {
    {"f1", "Token-level F1 of the answer, the best over gold and aliases.", "share in [0, 1]",
     kPaper, "", kAnswer},
    {"exact", "The answer equals gold or an alias, but for case, spacing and outer punctuation.",
     "0 or 1", kExtension, "", kAnswer},
    {"outcome", "How the answer went: correct, partial, hallucination or unknown.", "class", kPaper,
     "", kAnswer},
    {"exact_rate", "Answers that are exact.", "share of answers in [0, 1]", kExtension,
     "the group has no answer", kRate},
    {"correct_rate", "Answers with an F1 of at least 0.5, or a right abstention.",
     "share of answers in [0, 1]", kPaper, "the group has no answer", kRate},
    {"partial_rate", "Answers with an F1 between 0 and 0.5.", "share of answers in [0, 1]", kPaper,
     "the group has no answer", kRate},
    {"hallucination_rate", "Wrong answers that do not abstain.", "share of answers in [0, 1]",
     kPaper, "the group has no answer", kRate},
    {"unknown_rate", "Abstentions though the passage has the answer.", "share of answers in [0, 1]",
     kPaper, "the group has no answer", kRate},

    {"ger", "Answer tokens that no head of any layer keeps.", "share of answer tokens in [0, 1]",
     kPaper, kNoSpan, kAnswer},
    {"ger_layer", "Answer tokens that no head of the layer keeps, for each layer.",
     "share of answer tokens in [0, 1]", kPaper, kNoSpan, kAnswer},
    {"ger_layer_mean", "Mean of ger_layer over the layers.", "share of answer tokens in [0, 1]",
     kPaper, kNoSpan, kAnswer},

    {"eviction_rate", "Context tokens that no head of any layer keeps.",
     "share of context tokens in [0, 1]", kPaper, "", kCell},
    {"eviction_rate_layer", "Context tokens that no head of the layer keeps, for each layer.",
     "share of context tokens in [0, 1]", kPaper, "", kCell},
    {"evicted_share", "KV pairs of the context that were evicted.", "share of KV pairs in [0, 1]",
     kExtension, "", kCell},
    {"evicted_share_layer", "KV pairs of the context evicted in the layer, for each layer.",
     "share of KV pairs in [0, 1]", kExtension, "", kCell},
    {"kept_ratio", "KV pairs of the context that were kept, as measured.",
     "share of KV pairs in [0, 1]", kExtension, "", kCell},
    {"kept_pairs", "KV pairs of the context that were kept, over all layers and heads.", "KV pairs",
     kExtension, "", kCell},
    {"empty_heads", "KV heads, over all layers, that keep no context token.", "heads", kExtension,
     "", kCell},

    {"consensus_mean",
     "Distinct top-attended context tokens over query heads at the last prompt token, mean over "
     "layers; low = the heads agree.",
     "share of heads in (0, 1]", kPaper, kNoRow, kAnswer},
    {"consensus_layer", "The same for each layer.", "share of heads in (0, 1]", kPaper, kNoHead,
     kAnswer},
    {"agreement_max",
     "Largest share of query heads that look at one context token first, at the last prompt token, "
     "maximum over layers.",
     "share of heads in (0, 1]", kPaper, kNoRow, kAnswer},
    {"agreement_layer", "The same for each layer (rho).", "share of heads in (0, 1]", kPaper,
     kNoHead, kAnswer},
    {"generated_consensus_mean", "consensus_mean of each generated token, averaged.",
     "share of heads in (0, 1]", kPaper, kNoStep, kAnswer},
    {"generated_consensus_layer", "consensus_layer of each generated token, averaged.",
     "share of heads in (0, 1]", kPaper, kNoStep, kAnswer},
    {"generated_agreement_max", "agreement_max of each generated token, averaged.",
     "share of heads in (0, 1]", kPaper, kNoStep, kAnswer},
    {"generated_agreement_layer", "agreement_layer of each generated token, averaged.",
     "share of heads in (0, 1]", kPaper, kNoStep, kAnswer},

    {"reached_defined",
     "The query token reaches a token of the answer in the graph where eviction cuts every edge "
     "through an evicted pair.",
     "0 or 1", kGraph, kNoGraph, kAnswer},
    {"reached_computed",
     "The same in the graph as computed: context rows ran before eviction, so only the rows behind "
     "them are cut.",
     "0 or 1", kGraph, kNoGraph, kAnswer},
    {"routes_defined", "Head-disjoint routes from the answer to the query token, as defined.",
     "routes", kGraph, kNoGraph, kAnswer},
    {"routes_computed", "The same as computed.", "routes", kGraph, kNoGraph, kAnswer},
    {"reachable_defined", "Context tokens that the query token reaches, as defined.", "tokens",
     kGraph, kNoGraph, kAnswer},
    {"reachable_computed", "The same as computed.", "tokens", kGraph, kNoGraph, kAnswer},
    {"route_length_defined", "Attention edges of the shortest route, as defined.", "edges", kGraph,
     kNoRoute, kAnswer},
    {"route_length_computed", "The same as computed.", "edges", kGraph, kNoRoute, kAnswer},
    {"reach_bound",
     "Prop. 1's lower bound on reached_defined: 1 - (1 - p)^k with the k head-disjoint routes of "
     "the uncompressed graph and p the smallest product of the kept shares along one of them.",
     "probability in [0, 1]", kGraph, kNoUncutRoute, kAnswer},
    {"must_reroute_layer",
     "Heads of the query token that looked first at the consensus token and lost it, for each "
     "layer (Prop. 3: rho where the layer evicts it).",
     "share of heads in [0, 1]", kGraph, kNoGraph, kAnswer},

    {"probe_macro_f1",
     "How well softmax regression tells the gold answer's type from pooled hidden states of a "
     "layer, or of all, on passages that it was not fitted on: F1, mean over types.",
     "F1 in [0, 1]", kAlgorithm2, kNoProbe, kRate},
    {"probe_f1", "The same for one type.", "F1 in [0, 1]", kAlgorithm2,
     "the type has too few rows, or there is no probe_macro_f1", kRate},
};

}  // namespace

std::string_view MetricLevelName(MetricLevel level) {
  switch (level) {
    case kAnswer:
      return "answer";
    case kCell:
      return "cell";
    case kRate:
      return "rate";
  }
  return "";
}

std::span<const MetricInfo> AllMetrics() { return kMetrics; }

const MetricInfo* FindMetric(std::string_view name) {
  const MetricInfo* found =
      std::find_if(std::begin(kMetrics), std::end(kMetrics),
                   [name](const MetricInfo& metric) { return metric.name == name; });
  return found == std::end(kMetrics) ? nullptr : found;
}

}  // namespace kvscope::metrics
