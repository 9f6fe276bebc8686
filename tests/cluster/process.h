// Process: a program that a test started and is sure to end.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace kvscope::cluster_test {

// What a process has taken up to now.
struct Usage {
  absl::Duration cpu;      // of all its threads
  int64_t bytes = 0;       // of memory, now
  int64_t peak_bytes = 0;  // at most
};

// Starts at construction; the kernel kills it if the test's process dies. stderr goes to a file
// that is printed if the process ends in a way that was not asked for.
class Process {
 public:
  Process(const std::string& program, std::vector<std::string> arguments,
          const std::string& log_file);
  ~Process();  // SIGKILL if it still runs
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void Kill();      // SIGKILL, and waits
  int Terminate();  // SIGTERM, and waits up to a minute: the exit code, or -1
  void Stop();      // SIGSTOP
  void Continue();  // SIGCONT
  bool running();
  Usage usage() const;    // of one that runs
  int exit_code() const;  // of a process that has ended by itself; else -1

 private:
  void Reap();
  const std::string log_file_;
  pid_t pid_ = -1;
  int status_ = 0;
};

// The port that a server wrote to `port_file`; 0, and a failure, if none comes.
int WaitForPort(const std::string& port_file, Process& process);

// A new empty directory.
std::string MakeFolder();

}  // namespace kvscope::cluster_test
