// The shape of consensus over depth: early consensus, funnel or flat.
// Source: arXiv:2603.01426, section on head consensus, which names the shapes by eye; the rule is
// ours.
//
// Consensus is low where the heads agree.  With `early` and `late` the means over the first and
// last third of the layers (rounded down, at least one), `middle` the mean over the rest:
//   late - early >= threshold:     early consensus (agree early, diverse late; Llama in the paper)
//   late - early <= -threshold:    funnel (diverse early, agree late; Qwen in the paper)
//   else |middle - mean of early and late| >= threshold:  uneven (the middle stands out)
//   else:                          flat
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace kvscope::metrics {

enum class DepthShape { kUndefined, kEarlyConsensus, kFunnel, kUneven, kFlat };

// "", "early consensus", "funnel", "uneven", "flat".
std::string_view DepthShapeName(DepthShape shape);

inline constexpr double kDepthThreshold = 0.05;  // of consensus, which lies in (0, 1]

struct DepthProfile {
  DepthShape shape = DepthShape::kUndefined;
  std::optional<double> early, middle, late;  // null with no value there
  std::optional<double> difference;           // late - early
  int layers_without_value = 0;
  std::string rule;  // the rule that gave the label, with the numbers; or why there is none
};

// `layers`: a value a layer, first layer first; null (or NaN) where none is known.  With fewer than
// three layers, or a third without any value, the shape is undefined and `rule` says why.
DepthProfile ProfileDepth(std::span<const std::optional<double>> layers,
                          double threshold = kDepthThreshold);

}  // namespace kvscope::metrics
