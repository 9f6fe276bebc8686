// Children: each phase is a process of its own, so that its peak of memory is its own.
#pragma once

#include <sys/types.h>

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace kvscope::bench {

// Of a child that has ended.
struct ChildEnd {
  int exit_code = -1;  // -1: killed
  double seconds = 0;
  double peak_mib = 0;  // VmHWM
};

// A fork that runs `work` and ends with what it returns. Only for a process without threads.
class ForkedChild {
 public:
  explicit ForkedChild(const std::function<nlohmann::json()>& work);
  nlohmann::json Wait(ChildEnd& end);  // null if the child died

 private:
  pid_t pid_;
  int pipe_;
  double begin_;
};

// Another program; its output and its log go to files, empty: nowhere.
class ProgramChild {
 public:
  ProgramChild(const std::vector<std::string>& command, const std::string& output,
               const std::string& log);
  void Terminate();  // SIGTERM
  ChildEnd Wait();

 private:
  pid_t pid_;
  double begin_;
};

}  // namespace kvscope::bench
