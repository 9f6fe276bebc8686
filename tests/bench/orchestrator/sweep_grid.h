// A sweep of any size with made-up data and results, for benchmarks of what surrounds the engine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kvscope/v1/orchestrator.pb.h"
#include "kvscope/v1/worker.pb.h"

namespace kvscope::bench {

// The default has 100,000 cells and 1,000,000 answers.
struct SweepGrid {
  int datasets = 125;
  int regimes = 2;  // at most 3
  int presses = 20;
  int ratios = 20;
  int passages = 5;   // of each data set
  int questions = 2;  // of each passage
  int layers = 24;    // lengths of per-layer lists
  int64_t parameter_count =
      494'000'000;  // decides, by its arithmetic, how many passages a unit has

  int64_t cells() const { return int64_t{datasets} * regimes * presses * ratios; }
  int64_t answers() const { return cells() * passages * questions; }
};

v1::Passage MakePassage(const SweepGrid& grid, int dataset, int passage);
// `datasets`: as uploaded. Sweeps of different seeds share no unit.
v1::SweepSpec MakeSpec(const SweepGrid& grid, const std::string& name, uint64_t seed,
                       const std::vector<v1::Dataset>& datasets);
// What a worker that holds the model would answer.
v1::CheckReply MakeCheckReply(const SweepGrid& grid, const std::string& sweep_id,
                              const v1::SweepSpec& spec);
// A full result, in chunks that each fit a message. Numbers follow from the places alone.
std::vector<v1::ResultChunk> MakeResult(const SweepGrid& grid, const v1::Unit& unit);

inline constexpr char kCodeVersion[] = "scale-1";

}  // namespace kvscope::bench
