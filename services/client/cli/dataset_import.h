// `kvscope dataset import`: other people's data as JSON lines.
#pragma once

#include "services/client/cli/command.h"

namespace kvscope::cli {

// Adds itself below `kvscope dataset`.
void AddDatasetImport(CLI::App& dataset, Action& action);

}  // namespace kvscope::cli
