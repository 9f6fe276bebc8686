// Reads the tensors of a golden safetensors file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace kvscope::metrics {

struct GoldenTensor {
  std::string dtype;  // as in the file: "U8", "F32"
  std::vector<int64_t> shape;
  std::vector<uint8_t> bytes;

  std::vector<float> Floats() const;
};

// By name.  Fails the test (and returns nothing) where the file is not there or not well-formed.
std::map<std::string, GoldenTensor> ReadGoldenTensors(const std::string& path);

}  // namespace kvscope::metrics
