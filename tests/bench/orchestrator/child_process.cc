#include "tests/bench/orchestrator/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace kvscope::bench {
namespace {

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

ChildEnd WaitFor(pid_t pid, double begin) {
  int status = 0;
  rusage usage = {};
  wait4(pid, &status, 0, &usage);
  return {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          .seconds = Now() - begin,
          .peak_mib = static_cast<double>(usage.ru_maxrss) / 1024};
}

void Redirect(int descriptor, const std::string& file) {
  const std::string path = file.empty() ? "/dev/null" : file;
  const int target = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  dup2(target, descriptor);
  close(target);
}

}  // namespace

ForkedChild::ForkedChild(const std::function<nlohmann::json()>& work) : begin_(Now()) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(ends[0]);
    const std::string text = work().dump();
    const ssize_t written = write(ends[1], text.data(), text.size());
    _exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  close(ends[1]);
  pipe_ = ends[0];
}

nlohmann::json ForkedChild::Wait(ChildEnd& end) {
  std::string text;
  char buffer[4096];
  for (ssize_t n = 0; (n = read(pipe_, buffer, sizeof buffer)) > 0;) text.append(buffer, n);
  close(pipe_);
  end = WaitFor(pid_, begin_);
  return text.empty() ? nlohmann::json() : nlohmann::json::parse(text, nullptr, false);
}

ProgramChild::ProgramChild(const std::vector<std::string>& command, const std::string& output,
                           const std::string& log)
    : begin_(Now()) {
  pid_ = fork();
  if (pid_ != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Redirect(STDOUT_FILENO, output);
  Redirect(STDERR_FILENO, log);
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  _exit(127);
}

void ProgramChild::Terminate() { kill(pid_, SIGTERM); }

ChildEnd ProgramChild::Wait() { return WaitFor(pid_, begin_); }

}  // namespace kvscope::bench
