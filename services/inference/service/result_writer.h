// ResultWriter: rows of a unit's result into chunks.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "kvscope/v1/inference.pb.h"

namespace kvscope::inference {

// Add the rows of one passage in any order, then EndPassage: rows leave in the order press, ratio,
// question. Holds one passage and up to one chunk.
class ResultWriter {
 public:
  explicit ResultWriter(std::function<absl::Status(v1::ResultChunk&&)> emit)
      : emit_(std::move(emit)) {}

  void Add(v1::CellResult cell) { cells_.push_back(std::move(cell)); }
  void Add(v1::AnswerResult answer) { answers_.push_back(std::move(answer)); }
  void Add(v1::Heatmap heatmap) { heatmaps_.push_back(std::move(heatmap)); }

  absl::Status EndPassage();
  absl::Status Finish();  // emits what is left; at least one chunk in all

 private:
  absl::Status MakeRoom(size_t bytes);
  absl::Status Flush();

  std::function<absl::Status(v1::ResultChunk&&)> emit_;
  std::vector<v1::CellResult> cells_;
  std::vector<v1::AnswerResult> answers_;
  std::vector<v1::Heatmap> heatmaps_;
  v1::ResultChunk chunk_;
  size_t chunk_bytes_ = 0;
  bool emitted_ = false;
};

}  // namespace kvscope::inference
