#include "services/inference/engine/step_states.h"

#include <Eigen/Core>
#include <algorithm>

namespace kvscope::inference {

void StepStates::Take(int index, std::span<const int32_t> rows) {
  if (index == 0) taken_ = 0;
  if (!std::binary_search(layers_.begin(), layers_.end(), index)) return;
  Ops& ops = decoder_.ops();
  Tensor states;
  if (index == decoder_.config().layers) {
    states = decoder_.FinalNorm(ws_.x, rows, ws_);
  } else {
    states = ws_.Hidden(static_cast<int64_t>(rows.size()));
    ops.Rows(ws_.x, rows, states);
  }
  rows_ = rows.size();
  const auto size = static_cast<size_t>(states.size());
  if (states_.size() < layers_.size() * size) states_.resize(layers_.size() * size);
  ops.ToHost(states, states_.data() + taken_ * size);
  ++taken_;
}

void StepStates::AddTo(size_t i, std::vector<float>& sums) const {
  const auto width = static_cast<size_t>(decoder_.config().hidden_size);
  sums.resize(layers_.size() * width);
  const auto columns = static_cast<Eigen::Index>(width);
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    Eigen::Map<Eigen::RowVectorXf>(sums.data() + layer * width, columns) +=
        Eigen::Map<const Eigen::RowVectorXf>(states_.data() + (layer * rows_ + i) * width, columns);
  }
}

}  // namespace kvscope::inference
