#include "services/orchestrator/service/backup_command.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "services/orchestrator/store/backup.h"

namespace kvscope::orchestrator {

void AddBackup(CLI::App& app, const std::string& store) {
  CLI::App* command =
      app.add_subcommand("backup", "copy the store, in use or not, to a new file, and exit");
  const auto target = std::make_shared<std::string>();
  command->add_option("file", *target, "FILE to write; it must not exist")->required();
  command->fallthrough();  // --store may stand after it
  command->final_callback([target, &store] {
    const absl::Status status = BackUp(store, *target);
    if (!status.ok()) {
      std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
      throw CLI::RuntimeError(1);
    }
    std::error_code ignored;
    std::fprintf(stderr, "%s: %ju bytes\n", target->c_str(),
                 static_cast<uintmax_t>(std::filesystem::file_size(*target, ignored)));
    throw CLI::RuntimeError(0);
  });
}

}  // namespace kvscope::orchestrator
