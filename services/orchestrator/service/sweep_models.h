// The models of a sweep, all alike: protos keep the first apart from the others.
#pragma once

#include <string>

#include "kvscope/v1/worker.pb.h"
#include "services/orchestrator/service/conversions.h"

namespace kvscope::orchestrator {

int ModelCount(const v1::SweepSpec& spec);
// An ordinal that the sweep has not (in a damaged store) gives what is empty.
// The model as the sweep names it.
const std::string& ModelAt(const v1::SweepSpec& spec, int ordinal);
// What the check found out about it; empty before.
const v1::ModelInfo& InfoOf(const v1::CheckReply& check, int ordinal);
int64_t ContextTokensTotal(const v1::CheckReply& check, int ordinal);
// What rows show as the model: its name by the check, and before that by the sweep.
const std::string& ModelName(const SweepProtos& protos, int ordinal);

// InvalidArgument, one sentence, unless the check answers for every model of the sweep, and all of
// them are to run on one device, by one code version.
absl::Status CheckModels(const v1::SweepSpec& spec, const v1::CheckReply& check);

}  // namespace kvscope::orchestrator
