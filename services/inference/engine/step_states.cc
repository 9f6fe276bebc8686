#include "services/inference/engine/step_states.h"

#include <algorithm>
#include <functional>

namespace kvscope::inference {

void StepStates::Take(int index, std::span<const int32_t> rows) {
  if (index == 0) states_.clear();
  if (!std::binary_search(layers_.begin(), layers_.end(), index)) return;
  Ops& ops = decoder_.ops();
  const bool last = index == decoder_.config().layers;
  Tensor taken;
  if (last) {
    taken = decoder_.FinalNorm(ws_.x, rows, ws_);
  } else {
    taken = ws_.Hidden(static_cast<int64_t>(rows.size()));
    ops.Rows(ws_.x, rows, taken);
  }
  rows_ = rows.size();
  const size_t before = states_.size();
  states_.resize(before + static_cast<size_t>(taken.size()));
  ops.ToHost(taken, states_.data() + before);
}

void StepStates::AddTo(size_t i, std::vector<float>& sums) const {
  const auto width = static_cast<size_t>(decoder_.config().hidden_size);
  sums.resize(layers_.size() * width);
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    const float* state = states_.data() + (layer * rows_ + i) * width;
    float* sum = sums.data() + layer * width;
    std::transform(state, state + width, sum, sum, std::plus<>());
  }
}

}  // namespace kvscope::inference
