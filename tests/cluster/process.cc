#include "tests/cluster/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace kvscope::cluster_test {

Process::Process(const std::string& program, std::vector<std::string> arguments,
                 const std::string& log_file)
    : log_file_(log_file) {
  std::string path = std::string(KVSCOPE_BINARY_DIR) + "/bin/" + program;
  std::vector<char*> argv = {path.data()};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const int log = open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(log, STDERR_FILENO);
    execv(path.c_str(), argv.data());
    _exit(127);
  }
  close(log);
}

Process::~Process() { Kill(); }

bool Process::running() {
  Reap();
  return pid_ > 0;
}

void Process::Reap() {
  if (pid_ > 0 && waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = -1;
}

void Process::Kill() {
  if (!running()) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, &status_, 0);
  pid_ = -1;
}

int Process::Terminate() {
  if (running()) kill(pid_, SIGTERM);
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  while (running() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(10));
  const bool ended = !running();
  const int code = exit_code();
  if (code != 0) {
    std::ostringstream log;
    log << std::ifstream(log_file_).rdbuf();
    ADD_FAILURE() << (ended ? "exit code " + std::to_string(code) : "did not end") << "\n"
                  << log.str();
  }
  return code;
}

int Process::exit_code() const {
  return pid_ < 0 && WIFEXITED(status_) ? WEXITSTATUS(status_) : -1;
}

Usage Process::usage() const {
  const std::string folder = "/proc/" + std::to_string(pid_);
  Usage usage;
  std::ifstream status(folder + "/status");
  for (std::string word; status >> word;) {
    int64_t kib = 0;
    if (word == "VmRSS:" && status >> kib) usage.bytes = kib * 1024;
    if (word == "VmHWM:" && status >> kib) usage.peak_bytes = kib * 1024;
  }
  // Fields 14 and 15, counted from the name's closing bracket, field 2.
  std::string stat;
  std::getline(std::ifstream(folder + "/stat"), stat);
  std::istringstream fields(stat.substr(stat.rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0, kernel = 0;
  EXPECT_TRUE(fields >> user >> kernel) << stat;
  usage.cpu = absl::Seconds((user + kernel) / static_cast<double>(sysconf(_SC_CLK_TCK)));
  return usage;
}

void Process::Stop() { kill(pid_, SIGSTOP); }

void Process::Continue() { kill(pid_, SIGCONT); }

int WaitForPort(const std::string& port_file, Process& process) {
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  while (absl::Now() < deadline && process.running()) {
    int port = 0;
    if (std::ifstream(port_file) >> port) return port;
    absl::SleepFor(absl::Milliseconds(10));
  }
  ADD_FAILURE() << "no port in " << port_file;
  return 0;
}

std::string MakeFolder() {
  std::string path = testing::TempDir() + "/kvscope-cluster-XXXXXX";
  return mkdtemp(path.data());
}

}  // namespace kvscope::cluster_test
