// Questions often begin with the same tokens: what the streams of one keep set share of them is
// computed once.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "services/inference/engine/decode.h"

namespace kvscope::inference {

// Positions [begin, end) of a stream's suffix whose keys and values another stream computes.
struct SharedPart {
  size_t stream;
  size_t begin;
  size_t end;
};

struct SharedPrefixes {
  std::vector<size_t> own_begin;                   // [streams] the first position it computes
  std::vector<std::vector<SharedPart>> followers;  // [streams] who else takes what it computes
};

// For each stream the longest prefix that an earlier stream through the same keep set begins with
// too; at least its last token stays its own, since its answer is chosen after it. Every position
// of every stream is computed by exactly one stream, itself or an earlier one.
SharedPrefixes FindSharedPrefixes(std::span<const Stream> streams);

}  // namespace kvscope::inference
