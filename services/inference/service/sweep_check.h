// SweepCheck: can a sweep run here? Opens its models, reads the presses, counts every context.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kvscope/v1/worker.pb.h"
#include "services/inference/engine/engine.h"
#include "services/inference/engine/evaluate.h"
#include "services/inference/service/cancellation.h"
#include "services/inference/service/engine_cache.h"

namespace kvscope::inference {

// Takes the parts of one check as they come and holds none of them.
class SweepCheck {
 public:
  // `device` as UnitRunner's. `cache` must outlive the check.
  SweepCheck(EngineCache& cache, std::string device) : cache_(cache), device_(std::move(device)) {}

  // Once it has found an error it only waits for the last part.
  void Take(const v1::CheckPart& part, const Cancellation& cancellation);

  bool complete() const { return complete_; }
  const v1::CheckReply& reply() const { return reply_; }
  // Of the first error. Aborted: the device has failed, which says nothing of the sweep.
  const absl::Status& status() const { return status_; }

 private:
  absl::Status Open(const v1::SweepSpec& spec);
  absl::Status OpenModel(size_t ordinal, const std::string& name);
  absl::Status CheckPassage(const v1::Passage& passage);
  absl::StatusOr<int> CountTokens(const Engine& engine, size_t ordinal, const Grid& grid,
                                  const Passage& passage);
  absl::Status CheckMemory(const Engine& engine, size_t ordinal, const Grid& grid,
                           const PassageSize& size) const;
  absl::Status CheckHeatmap(const EngineInfo& info, const v1::Passage& passage, int tokens);
  absl::Status InModel(size_t ordinal, const absl::Status& status) const;

  EngineCache& cache_;
  const std::string device_;
  bool started_ = false;
  bool complete_ = false;
  absl::Status status_;
  v1::CheckReply reply_;
  std::vector<std::shared_ptr<const Engine>> engines_;  // one a model; of several, without weights
  std::vector<std::optional<DeviceMemoryState>> device_memory_;  // where each model runs
  std::vector<Grid> grids_;                                      // one a regime
  v1::SweepSpec spec_;
  int dataset_ = 0;  // of spec_.datasets, that the next passage belongs to
  int64_t passage_in_dataset_ = 0;
};

}  // namespace kvscope::inference
