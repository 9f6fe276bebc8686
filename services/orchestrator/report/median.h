// The median of a few numbers.
#pragma once

#include <algorithm>
#include <vector>

namespace kvscope::orchestrator {

// Of an even count the mean of the middle two.  `numbers` is not empty and has no NaN.
inline double Median(std::vector<double> numbers) {
  std::sort(numbers.begin(), numbers.end());
  const size_t middle = numbers.size() / 2;
  if (numbers.size() % 2 == 1) return numbers[middle];
  return (numbers[middle - 1] + numbers[middle]) / 2;
}

}  // namespace kvscope::orchestrator
