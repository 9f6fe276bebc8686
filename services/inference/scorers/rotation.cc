#include "services/inference/scorers/rotation.h"

#include <cassert>
#include <cmath>

namespace kvscope::inference {

RowMatrix Rotation::Rows(const RowMatrix& x) const {
  const Eigen::Index half = cos.size();
  assert(x.cols() == 2 * half);
  const auto left = x.leftCols(half).array().rowwise();
  const auto right = x.rightCols(half).array().rowwise();
  RowMatrix turned(x.rows(), x.cols());
  turned.leftCols(half) = left * cos.array() - right * sin.array();
  turned.rightCols(half) = right * cos.array() + left * sin.array();
  return turned;
}

Rotation MeanRotation(const RopeParameters& rope, int first, int count) {
  assert(count > 0);
  const Eigen::Index pairs = static_cast<Eigen::Index>(rope.inv_freq.size());
  Rotation mean{.cos = Eigen::RowVectorXf(pairs), .sin = Eigen::RowVectorXf(pairs)};
  for (Eigen::Index pair = 0; pair < pairs; ++pair) {
    double cos_sum = 0, sin_sum = 0;
    for (int position = first; position < first + count; ++position) {
      const float angle = static_cast<float>(position) * rope.inv_freq[pair];
      cos_sum += std::cos(angle);
      sin_sum += std::sin(angle);
    }
    mean.cos(pair) = static_cast<float>(cos_sum / count * rope.scale);
    mean.sin(pair) = static_cast<float>(sin_sum / count * rope.scale);
  }
  return mean;
}

}  // namespace kvscope::inference
