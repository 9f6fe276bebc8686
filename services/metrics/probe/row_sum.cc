#include "services/metrics/probe/row_sum.h"

#include <algorithm>

namespace kvscope::metrics {
namespace {

constexpr int64_t kBlockFloats = 1 << 17;  // with as many doubles, what a core's cache holds
constexpr int64_t kChunks = 64;            // what threads take in turn

// The rows [begin, end) in blocks.
absl::Status AddRows(const FeatureSource& source, const AddBlock& add, int64_t begin, int64_t end,
                     std::vector<float>* features, std::vector<double>* scratch, double* sums) {
  const int64_t block_rows = std::clamp<int64_t>(kBlockFloats / source.width(), 1, 256);
  features->resize(static_cast<size_t>(block_rows * source.width()));
  for (int64_t first = begin; first < end; first += block_rows) {
    const int64_t count = std::min(block_rows, end - first);
    if (absl::Status status = source.Read(first, count, features->data()); !status.ok()) {
      return status;
    }
    add({first, count, features->data(), scratch}, sums);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SumOverRows(const FeatureSource& source, const AddBlock& add,
                         std::vector<double>* totals) {
  const int64_t rows = source.rows();
  const int64_t chunks = std::min(kChunks, rows);
  std::fill(totals->begin(), totals->end(), 0.0);
  absl::Status failed;
#pragma omp parallel
  {
    std::vector<float> features;
    std::vector<double> scratch, sums(totals->size());
#pragma omp for ordered schedule(static, 1)
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      std::fill(sums.begin(), sums.end(), 0.0);
      absl::Status status = AddRows(source, add, rows * chunk / chunks, rows * (chunk + 1) / chunks,
                                    &features, &scratch, sums.data());
#pragma omp ordered
      {
        failed.Update(status);
        for (size_t i = 0; i < sums.size(); ++i) (*totals)[i] += sums[i];
      }
    }
  }
  return failed;
}

}  // namespace kvscope::metrics
