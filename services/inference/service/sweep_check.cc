#include "services/inference/service/sweep_check.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "services/inference/presses/apply.h"
#include "services/inference/service/conversions.h"
#include "services/status_macros.h"

namespace kvscope::inference {

void SweepCheck::Take(const v1::CheckPart& part, const Cancellation& cancellation) {
  complete_ = part.last_part();
  if (!reply_.error().empty()) return;
  absl::Status status;
  if (!started_) {
    started_ = true;
    reply_.set_sweep_id(part.sweep_id());
    status = Open(part.spec());
  }
  for (const v1::Passage& passage : part.passages()) {
    if (!status.ok() || cancellation.cancelled()) break;
    status = CheckPassage(passage);
  }
  if (status.ok()) return;
  reply_.set_error(std::string(status.message().data(), status.message().size()));
  if (reply_.error().empty()) reply_.set_error("the check failed without a reason");
}

absl::Status SweepCheck::Open(const v1::SweepSpec& spec) {
  spec_ = spec;
  for (const int regime : spec.regimes()) {
    KVSCOPE_ASSIGN_OR_RETURN(Grid grid, ToGrid(GridOf(spec, static_cast<v1::Regime>(regime))));
    grids_.push_back(std::move(grid));
  }
  if (grids_.empty()) return absl::InvalidArgumentError("regimes: there is none");
  EngineOptions options = ToEngineOptions(spec.device(), spec.dtype(), spec.scoring());
  if (options.device == "auto") options.device = device_;
  KVSCOPE_ASSIGN_OR_RETURN(engine_, cache_.Open(spec.model(), options));
  *reply_.mutable_model() = ToModelInfo(engine_->info(), spec.model());
  for (const Press& press : grids_.front().presses) reply_.add_presses(press.expression);
  return absl::OkStatus();
}

absl::Status SweepCheck::CheckPassage(const v1::Passage& passage) {
  const Passage plain = ToPassage(passage);
  int longest = 0;
  for (size_t g = 0; g < grids_.size(); ++g) {
    const absl::StatusOr<int> tokens = CountTokens(grids_[g], plain);
    if (!tokens.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("data set \"", passage.dataset(),
                                                     "\", passage \"", passage.passage_id(),
                                                     "\": ", tokens.status().message()));
    }
    longest = std::max(longest, *tokens);
    if (g == 0) reply_.set_context_tokens_total(reply_.context_tokens_total() + *tokens);
  }
  reply_.set_context_tokens_max(std::max(reply_.context_tokens_max(), longest));
  return CheckHeatmap(passage, longest);
}

// Of the longest context, which every press must be able to compress.
absl::StatusOr<int> SweepCheck::CountTokens(const Grid& grid, const Passage& passage) {
  KVSCOPE_ASSIGN_OR_RETURN(const PassageSize size, MeasurePassage(*engine_, grid, passage));
  const bool compresses =
      std::any_of(grid.ratios.begin(), grid.ratios.end(), [](double ratio) { return ratio > 0; });
  if (!compresses) return size.context_tokens;
  for (const Press& press : grid.presses) {
    KVSCOPE_RETURN_IF_ERROR(CheckTokens(press, size.context_tokens));
  }
  return size.context_tokens;
}

// A keep set that is too large to store is told now and not after hours.
absl::Status SweepCheck::CheckHeatmap(const v1::Passage& passage, int tokens) {
  while (dataset_ < spec_.datasets_size() &&
         passage_in_dataset_ >= spec_.datasets(dataset_).passage_count()) {
    ++dataset_;
    passage_in_dataset_ = 0;
  }
  if (passage_in_dataset_++ >= spec_.capture().heatmap_passages()) return absl::OkStatus();
  const EngineInfo& info = engine_->info();
  const int64_t bytes = int64_t{info.layers} * info.kv_heads * ((tokens + 7) / 8) +
                        static_cast<int64_t>(passage.context().size()) + int64_t{tokens} * 8;
  if (bytes <= kMaxHeatmapBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "capture.heatmaps: the heat map of passage \"", passage.passage_id(), "\" would take about ",
      bytes, " bytes, but at most ", kMaxHeatmapBytes, " are stored; ask for fewer passages"));
}

}  // namespace kvscope::inference
