// SweepPlan: what of a checked sweep decides the units of one of its models: how they are cut and
// what they are called.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/orchestrator/datasets/sha256.h"
#include "services/orchestrator/sweep/sweep.h"

namespace kvscope::orchestrator {

// The fields of the spec that decide results, and what the checking worker found out.
struct SweepPlan {
  std::vector<std::string> regimes;  // "agnostic", "aware", "aware_each"
  std::vector<std::string> presses;  // canonical
  std::vector<double> ratios;
  int max_new_tokens = 0;
  PromptPieces prompt;
  bool capture_consensus = false;
  int64_t heatmap_passages = 0;  // the first of each data set
  int64_t graph_passages = 0;    // the same
  double graph_epsilon = 0;
  std::string probe_pool;
  std::vector<int> probe_layers;
  std::string scoring_tokenizer_digest;  // empty: the model's own
  double correct_min_f1 = 0;
  double partial_above_f1 = 0;
  std::vector<std::string> abstentions;  // ascending
  uint64_t seed = 0;

  std::string weights_digest;
  std::string tokenizer_digest;
  std::string device;  // resolved
  std::string dtype;
  std::string code_version;
  int64_t parameter_count = 0;
  int layers = 0;
  int q_heads = 0;
  int head_dim = 0;
  int64_t context_tokens_total = 0;  // of all passages, in one regime
};

// Hashes one unit: SHA-256 over all that decides its result, every field with its length before it.
// Two units with equal keys have equal results, whatever sweeps, names or places in a data set
// they come from.
class UnitKey {
 public:
  // `first_passage`: where the slice starts in its data set; it decides which passages' heat maps
  // and graphs are kept, and nothing else.
  UnitKey(const SweepPlan& plan, const std::string& regime, int64_t first_passage);
  void AddPassage(const std::string& body);
  std::string Hex() const;

 private:
  void Add(std::string_view field);
  void Add(int64_t number);
  void Add(double number);

  Sha256 hash_;
  int64_t heatmaps_left_;  // of the passages still to come
  int64_t graphs_left_;
};

}  // namespace kvscope::orchestrator
