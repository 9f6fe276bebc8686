// kvscope token new: makes a bearer token and the line by which a server knows it.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/client/cli/command.h"
#include "services/rpc/file_watch.h"
#include "services/rpc/tokens.h"
#include "services/status_macros.h"

namespace kvscope::cli {
namespace {

struct Options {
  std::string name;
  std::string role;
  std::string file;
};

// One write at the end of the file: a server that reads meanwhile sees whole lines.
absl::Status Append(const std::string& file, const std::string& line) {
  const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const bool written =
      fd >= 0 && write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  const std::string reason = std::strerror(errno);
  if (fd >= 0) close(fd);
  if (written) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--file: cannot write ", file, ": ", reason));
}

absl::Status New(const Options& options) {
  const std::string token = rpc::NewToken();
  KVSCOPE_ASSIGN_OR_RETURN(
      const std::string line,
      rpc::TokenLine(options.name, *rpc::ParseRole(options.role), rpc::HashToken(token)));
  std::string before_line;
  if (!options.file.empty() && access(options.file.c_str(), F_OK) == 0) {
    KVSCOPE_ASSIGN_OR_RETURN(const std::string table, rpc::ReadSmallFile(options.file));
    KVSCOPE_RETURN_IF_ERROR(rpc::TokenTable::Parse(table, options.file).status());
    if (!table.empty() && table.back() != '\n') before_line = "\n";
  }
  if (options.file.empty()) {
    std::cerr << "the line for the server's --token-file:\n" << line << '\n';
  } else {
    KVSCOPE_RETURN_IF_ERROR(Append(options.file, absl::StrCat(before_line, line, "\n")));
    std::cerr << options.name << " (" << options.role << ") was added to " << options.file << '\n';
  }
  std::cerr << "the token, which is stored nowhere and not shown again:" << std::endl;
  std::cout << token << std::endl;
  return absl::OkStatus();
}

}  // namespace

void AddToken(CLI::App& app, Action& action) {
  CLI::App* token = app.add_subcommand("token", "Tokens by which servers know who calls");
  token->require_subcommand(1);
  auto options = std::make_shared<Options>();
  CLI::App* command = token->add_subcommand("new", "Make a token; it is printed once");
  command->footer(
      "Example:\n  kvscope token new --name ada --role submit --file tokens > ada.token\n"
      "  kvscope serve --token-file tokens\n"
      "  kvscope sweeps list --connect 127.0.0.1:7400 --token-file ada.token\n\n"
      "Revoke a token by taking its line out of the file; servers notice within a second.");
  command->add_option("--name", options->name, "whose it is")->required();
  command
      ->add_option("--role", options->role,
                   "read: look at sweeps and results; submit: also submit, cancel and delete; "
                   "worker: the cluster's own processes; admin: everything")
      ->check(CLI::IsMember({"read", "submit", "worker", "admin"}))
      ->required();
  command->add_option("--file", options->file,
                      "the server's token file, which gets the line; default: it is printed");
  command->callback([options, &action] { action = [options] { return New(*options); }; });
}

}  // namespace kvscope::cli
