// MemoryPlan: what a model and its evaluations take of a device's memory, before anything runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/inference/engine/decode.h"
#include "services/inference/engine/engine.h"
#include "services/inference/engine/evaluate.h"

namespace kvscope::inference {

struct MemoryPart {
  std::string name;  // in words
  int64_t bytes = 0;
};

struct MemoryPlan {
  std::vector<MemoryPart> weights;     // once a model
  std::vector<MemoryPart> evaluation;  // of one passage; passages come one after the other

  int64_t weight_bytes() const;
  int64_t evaluation_bytes() const;
  int64_t bytes() const { return weight_bytes() + evaluation_bytes(); }
};

// For the largest passage. An upper bound, but for the graph of token routes, which a few passages
// make: every keep set of the grid counts as another. Dtypes are the engine's.
MemoryPlan PlanMemory(const Engine::State& engine, const Grid& grid, const PassageSize& size,
                      const DecodeSlices& slices = {});

// Whether all of the plan fits into so much memory. ResourceExhausted: both numbers and the largest
// parts.
absl::Status CheckFits(const MemoryPlan& plan, int64_t available_bytes);

}  // namespace kvscope::inference
