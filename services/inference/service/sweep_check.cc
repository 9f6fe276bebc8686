#include "services/inference/service/sweep_check.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/inference/engine/memory_plan.h"
#include "services/inference/presses/apply.h"
#include "services/inference/service/conversions.h"
#include "services/status_macros.h"

namespace kvscope::inference {
namespace {

// Adds a passage's contexts to what is replied of a model: `first` of the first regime, the
// `longest` of any.
template <typename Reply>  // v1::CheckReply, v1::ModelCheck
void Count(int first, int longest, Reply& reply) {
  reply.set_context_tokens_total(reply.context_tokens_total() + first);
  reply.set_context_tokens_max(std::max(reply.context_tokens_max(), longest));
}

}  // namespace

void SweepCheck::Take(const v1::CheckPart& part, const Cancellation& cancellation) {
  complete_ = part.last_part();
  if (!status_.ok()) return;
  if (!started_) {
    started_ = true;
    reply_.set_sweep_id(part.sweep_id());
    status_ = Open(part.spec());
  }
  for (const v1::Passage& passage : part.passages()) {
    if (!status_.ok() || cancellation.cancelled()) break;
    status_ = CheckPassage(passage);
  }
  if (status_.ok()) return;
  reply_.set_error(std::string(status_.message().data(), status_.message().size()));
  if (reply_.error().empty()) reply_.set_error("the check failed without a reason");
}

absl::Status SweepCheck::Open(const v1::SweepSpec& spec) {
  spec_ = spec;
  for (const int regime : spec.regimes()) {
    KVSCOPE_ASSIGN_OR_RETURN(Grid grid, ToGrid(GridOf(spec, static_cast<v1::Regime>(regime))));
    grids_.push_back(std::move(grid));
  }
  if (grids_.empty()) return absl::InvalidArgumentError("regimes: there is none");
  for (const Press& press : grids_.front().presses) reply_.add_presses(press.expression);
  KVSCOPE_RETURN_IF_ERROR(InModel(0, OpenModel(0, spec.model())));
  for (const std::string& model : spec.more_models()) {
    KVSCOPE_RETURN_IF_ERROR(InModel(engines_.size(), OpenModel(engines_.size(), model)));
  }
  return absl::OkStatus();
}

absl::Status SweepCheck::OpenModel(size_t ordinal, const std::string& name) {
  EngineOptions options = ToEngineOptions(spec_.device(), spec_.dtype(), spec_.scoring());
  options.device = OwnDevice(options.device, device_);
  KVSCOPE_ASSIGN_OR_RETURN(std::shared_ptr<const Engine> engine, cache_.Open(name, options));
  v1::ModelInfo& info =
      ordinal == 0 ? *reply_.mutable_model() : *reply_.add_more_models()->mutable_model();
  info = ToModelInfo(engine->info(), name);
  for (const Grid& grid : grids_) {
    KVSCOPE_RETURN_IF_ERROR(CheckProbeLayers(grid, engine->info()));
  }
  device_memory_.push_back(engine->memory());
  if (spec_.more_models_size() > 0) {  // what measures passages is kept, not all their weights
    options.scoring_tokenizer.clear();
    const std::string directory = engine->info().model_dir;
    engine.reset();
    KVSCOPE_ASSIGN_OR_RETURN(engine, Engine::Load(directory, options, /*info_only=*/true));
  }
  engines_.push_back(std::move(engine));
  return absl::OkStatus();
}

// Says which of several models it is.
absl::Status SweepCheck::InModel(size_t ordinal, const absl::Status& status) const {
  if (status.ok() || spec_.more_models_size() == 0) return status;
  absl::string_view message = status.message();
  absl::ConsumePrefix(&message, "model: ");
  return absl::Status(status.code(), absl::StrCat("model[", ordinal, "]: ", message));
}

absl::Status SweepCheck::CheckPassage(const v1::Passage& passage) {
  while (dataset_ < spec_.datasets_size() &&
         passage_in_dataset_ >= spec_.datasets(dataset_).passage_count()) {
    ++dataset_;
    passage_in_dataset_ = 0;
  }
  const bool heatmap = passage_in_dataset_++ < spec_.capture().heatmap_passages();
  const Passage plain = ToPassage(passage);
  for (size_t m = 0; m < engines_.size(); ++m) {
    int longest = 0, first = 0;
    for (size_t g = 0; g < grids_.size(); ++g) {
      const absl::StatusOr<int> tokens = CountTokens(*engines_[m], m, grids_[g], plain);
      if (!tokens.ok()) {
        return InModel(m, absl::InvalidArgumentError(absl::StrCat(
                              "data set \"", passage.dataset(), "\", passage \"",
                              passage.passage_id(), "\": ", tokens.status().message())));
      }
      longest = std::max(longest, *tokens);
      if (g == 0) first = *tokens;
    }
    m == 0 ? Count(first, longest, reply_)
           : Count(first, longest, *reply_.mutable_more_models(static_cast<int>(m) - 1));
    if (!heatmap) continue;
    KVSCOPE_RETURN_IF_ERROR(InModel(m, CheckHeatmap(engines_[m]->info(), passage, longest)));
  }
  return absl::OkStatus();
}

// Of the longest context, which every press must be able to compress.
absl::StatusOr<int> SweepCheck::CountTokens(const Engine& engine, size_t ordinal, const Grid& grid,
                                            const Passage& passage) {
  KVSCOPE_ASSIGN_OR_RETURN(const PassageSize size, MeasurePassage(engine, grid, passage));
  KVSCOPE_RETURN_IF_ERROR(CheckMemory(engine, ordinal, grid, size));
  const bool compresses =
      std::any_of(grid.ratios.begin(), grid.ratios.end(), [](double ratio) { return ratio > 0; });
  if (!compresses) return size.context_tokens;
  for (const Press& press : grid.presses) {
    KVSCOPE_RETURN_IF_ERROR(CheckTokens(press, size.context_tokens));
  }
  return size.context_tokens;
}

// Even in the smallest slices it must fit.
absl::Status SweepCheck::CheckMemory(const Engine& engine, size_t ordinal, const Grid& grid,
                                     const PassageSize& size) const {
  if (!device_memory_[ordinal].has_value()) return absl::OkStatus();
  DecodeSlices slices;
  while (slices.Halve()) {
  }
  const MemoryPlan plan = PlanMemory(engine.state(), grid, size, slices);
  absl::Status fits = CheckFits(plan, device_memory_[ordinal]->total);
  if (fits.ok()) return fits;
  return absl::InvalidArgumentError(
      absl::StrCat("the memory of the device ", engine.info().device, ": ", fits.message()));
}

// A keep set that is too large to store is told now and not after hours.
absl::Status SweepCheck::CheckHeatmap(const EngineInfo& info, const v1::Passage& passage,
                                      int tokens) {
  const int64_t bytes = int64_t{info.layers} * info.kv_heads * ((tokens + 7) / 8) +
                        static_cast<int64_t>(passage.context().size()) + int64_t{tokens} * 8;
  if (bytes <= kMaxHeatmapBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "capture.heatmaps: the heat map of passage \"", passage.passage_id(), "\" would take about ",
      bytes, " bytes, but at most ", kMaxHeatmapBytes, " are stored; ask for fewer passages"));
}

}  // namespace kvscope::inference
