// RowsBySet: the rows of a grid's step in the order of their keep set, so that those of one set can
// share what is gathered for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace kvscope::inference {

// Rows of one keep set: [begin, end) of RowsBySet::rows().
struct SetRun {
  int32_t set;
  size_t begin, end;
};

class RowsBySet {
 public:
  explicit RowsBySet(std::span<const int32_t> row_set);

  const std::vector<int32_t>& rows() const { return rows_; }  // of one set in their own order
  const std::vector<SetRun>& runs() const { return runs_; }   // by set
  std::span<const int32_t> rows(const SetRun& run) const {
    return std::span(rows_).subspan(run.begin, run.end - run.begin);
  }

 private:
  std::vector<int32_t> rows_;
  std::vector<SetRun> runs_;
};

}  // namespace kvscope::inference
