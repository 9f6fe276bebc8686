// The generated data sets.  A suite is one .cc file that defines a GeneratorInfo, and one line in
// generator.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/orchestrator/datasets/passage.h"
#include "services/orchestrator/datasets/random.h"
#include "services/orchestrator/sweep/sweep.h"

namespace kvscope::orchestrator {

// Which invented names the pocket scale draws from; the paper's scale has no such parts.
enum class Names {
  kHeldOut,   // those that the pocket models never met in training: for evaluation
  kTraining,  // the others
};

struct GeneratorInfo {
  std::string_view name;
  std::string_view summary;
  std::string_view source;
  int64_t paper_passages;  // how many the paper has
  // Passage `index` (from 0) of the paper's scale, with its ids.
  Passage (*make_paper)(uint64_t seed, int64_t index);
  // Writes context and questions of a pocket passage into an empty one.  A passage whose answers
  // are ambiguous is thrown away and written again.
  void (*write_pocket)(Random& random, Names names, Passage& passage);
};

// Passage `index` of a suite.  Equal arguments give equal passages on every machine, and a passage
// does not depend on the others.  Every tag is filled, every id set, every answer grounded, and the
// ids of different scales, names, seeds and indices differ.
Passage MakePassage(const GeneratorInfo& suite, Scale scale, Names names, uint64_t seed,
                    int64_t index);

struct GeneratorSpec {
  std::string name;
  Scale scale = Scale::kPocket;
  int64_t passages = 0;  // [1, 1,000,000]
  uint64_t seed = 0;
  Names names = Names::kHeldOut;
};

using PassageSink = std::function<absl::Status(const Passage&)>;

// All suites, in the paper's order.
std::span<const GeneratorInfo* const> Generators();

// The suite of that name.  Errors: InvalidArgument naming the nearest one.
absl::StatusOr<const GeneratorInfo*> FindGenerator(std::string_view name);

// Hands the passages to `sink` in order; equal specs give equal passages.
// Errors: those of FindGenerator, InvalidArgument for a count out of range, and what `sink`
// returns, which ends the generation.
absl::Status Generate(const GeneratorSpec& spec, const PassageSink& sink);

}  // namespace kvscope::orchestrator
