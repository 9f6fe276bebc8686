// The metrics' plain structs as messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kvscope/v1/metrics.pb.h"
#include "services/metrics/answer_metrics.h"
#include "services/metrics/survival/survival.h"

namespace kvscope::metrics {

// `pairs` is layers * kv_heads * tokens. Without indices and answers.
v1::CellMetrics ToProto(const SurvivalMetrics& metrics, int64_t pairs);

// Without question_index and answer_mass_mean. A layer without a value becomes NaN.
v1::AnswerMetrics ToProto(const AnswerMetrics& metrics);

// Distributes the cells of one passage over messages of at most `max_bytes` (one answer that is
// larger by itself has a message of its own), as PassageMetrics describes.
class PassageSplitter {
 public:
  PassageSplitter(int32_t passage_index, size_t max_bytes)
      : passage_index_(passage_index), max_bytes_(max_bytes) {}

  void Add(v1::CellMetrics cell);
  std::vector<v1::PassageMetrics> Finish();  // at least one; the last has `last_part`

 private:
  v1::PassageMetrics& Part(size_t more_bytes);  // the part that has room

  int32_t passage_index_;
  size_t max_bytes_;
  size_t part_bytes_ = 0;
  std::vector<v1::PassageMetrics> parts_;
};

}  // namespace kvscope::metrics
