// The services of proto/kvscope/v1 as their sources say, comments included.
#pragma once

#include <string>
#include <vector>

namespace kvscope::rpc {

struct MethodSource {
  std::string path;     // "/kvscope.v1.OrchestratorService/GetSweep"
  std::string comment;  // above it, as one line
  bool unary = false;
};

// Of all files in the folder; at least one, or the test fails.
std::vector<MethodSource> MethodsOfOurProtos();

}  // namespace kvscope::rpc
