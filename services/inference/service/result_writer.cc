#include "services/inference/service/result_writer.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "services/rpc/channel.h"
#include "services/status_macros.h"

namespace kvscope::inference {
namespace {

constexpr size_t kFramingBytes = 16;  // tag and length of a row, rounded up

std::tuple<int, int, int> Place(const v1::CellResult& cell) {
  return {cell.press_index(), cell.ratio_index(), cell.question_index()};
}
std::tuple<int, int, int> Place(const v1::AnswerResult& answer) {
  return {answer.press_index(), answer.ratio_index(), answer.metrics().question_index()};
}
std::tuple<int, int, int> Place(const v1::Heatmap& heatmap) {
  return {heatmap.press_index(), heatmap.ratio_index(), 0};
}

template <typename Row>
void Sort(std::vector<Row>& rows) {
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return Place(a) < Place(b); });
}

}  // namespace

absl::Status ResultWriter::MakeRoom(size_t bytes) {
  if (chunk_bytes_ > 0 && chunk_bytes_ + bytes > rpc::kChunkBytes) {
    KVSCOPE_RETURN_IF_ERROR(Flush());
  }
  chunk_bytes_ += bytes;
  return absl::OkStatus();
}

absl::Status ResultWriter::Flush() {
  emitted_ = true;
  chunk_bytes_ = 0;
  return emit_(std::exchange(chunk_, {}));
}

absl::Status ResultWriter::EndPassage() {
  Sort(cells_);
  Sort(answers_);
  Sort(heatmaps_);
  for (v1::CellResult& row : cells_) {
    KVSCOPE_RETURN_IF_ERROR(MakeRoom(row.ByteSizeLong() + kFramingBytes));
    *chunk_.add_cells() = std::move(row);
  }
  for (v1::AnswerResult& row : answers_) {
    KVSCOPE_RETURN_IF_ERROR(MakeRoom(row.ByteSizeLong() + kFramingBytes));
    *chunk_.add_answers() = std::move(row);
  }
  for (v1::Heatmap& row : heatmaps_) {
    KVSCOPE_RETURN_IF_ERROR(MakeRoom(row.ByteSizeLong() + kFramingBytes));
    *chunk_.add_heatmaps() = std::move(row);
  }
  cells_.clear();
  answers_.clear();
  heatmaps_.clear();
  return absl::OkStatus();
}

absl::Status ResultWriter::Finish() {
  return chunk_bytes_ > 0 || !emitted_ ? Flush() : absl::OkStatus();
}

}  // namespace kvscope::inference
