// What of a request can be judged without a model: every refusal names the field.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kvscope/v1/orchestrator.pb.h"
#include "services/orchestrator/datasets/passage.h"
#include "services/orchestrator/store/records.h"

namespace kvscope::orchestrator {

// A passage must fit, with its questions, into one message of 1 MiB.
inline constexpr size_t kMaxPassageBytes = 900 << 10;

absl::Status ValidateRequestId(const std::string& request_id);

// Press expressions, the model and the passages' lengths are judged by the worker that checks the
// sweep; data sets by looking them up.
absl::Status ValidateSpec(const v1::SweepSpec& spec);

// Judges a passage by the rules of data-set files, fills ids that are missing as they do, and
// returns its canonical line. `dataset` is the upload's name; `ordinal` the passage's place in it.
absl::StatusOr<std::string> CanonicalPassage(Passage& passage, const std::string& dataset,
                                             int64_t ordinal);

// The tags of group_by.
absl::StatusOr<std::vector<Tag>> ValidateTags(const v1::ListCellsRequest& request);

// page_size as asked for, with 0 standing for 100.
absl::StatusOr<int64_t> PageSize(int32_t page_size);
// A page_token of ours is a number; empty stands for `first`.
absl::StatusOr<int64_t> PageToken(const std::string& token, int64_t first);

}  // namespace kvscope::orchestrator
