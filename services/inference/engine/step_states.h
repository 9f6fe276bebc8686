// StepStates: hidden states of the rows of one decoding step after which a token is taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "services/inference/models/decoder.h"
#include "services/inference/models/workspace.h"

namespace kvscope::inference {

// Holds [layers, rows, hidden] on the host until the step has shown which of its rows count.
class StepStates {
 public:
  // `layers`: ascending, of 0 .. the model's: which hidden states, as Grid::probe_layers.
  // `workspace` is the decoder's.
  StepStates(const Decoder& decoder, std::span<const int> layers, Workspace& workspace)
      : decoder_(decoder), layers_(layers), ws_(workspace) {}

  // Takes hidden state `index` of the given rows of the step's residual stream, if it is one of
  // the layers. 0 begins a step; the others follow in order.
  void Take(int index, std::span<const int32_t> rows);
  // Adds what was taken of the i-th of those rows to `sums` [layers, hidden]; sized if empty.
  void AddTo(size_t i, std::vector<float>& sums) const;

 private:
  const Decoder& decoder_;
  const std::span<const int> layers_;
  Workspace& ws_;
  size_t rows_ = 0, taken_ = 0;  // of the step; layers of it so far
  std::vector<float> states_;    // [layers, rows, hidden] of the step; memory is kept
};

}  // namespace kvscope::inference
