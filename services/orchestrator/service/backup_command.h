// `kvscope-orchestrator backup FILE`: the store of a running orchestrator into a file, so that an
// image needs no other program for it.
#pragma once

#include <string>

namespace CLI {
class App;
}  // namespace CLI

namespace kvscope::orchestrator {

// Adds the subcommand to `app`, whose --store is `store` (both must outlive the parse). The parse
// then throws CLI::RuntimeError: 0 if the backup is there, else 1, told on stderr.
void AddBackup(CLI::App& app, const std::string& store);

}  // namespace kvscope::orchestrator
