#include "tests/metrics/golden_tensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace kvscope::metrics {

std::vector<float> GoldenTensor::Floats() const {
  std::vector<float> floats(bytes.size() / sizeof(float));
  std::memcpy(floats.data(), bytes.data(), floats.size() * sizeof(float));
  return floats;
}

std::map<std::string, GoldenTensor> ReadGoldenTensors(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string file((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  uint64_t header_bytes = 0;
  if (file.size() > sizeof(header_bytes)) {
    std::memcpy(&header_bytes, file.data(), sizeof(header_bytes));
  }
  const size_t data = sizeof(header_bytes) + header_bytes;
  std::map<std::string, GoldenTensor> tensors;
  if (header_bytes == 0 || data > file.size()) {
    ADD_FAILURE() << path << " is not a safetensors file";
    return tensors;
  }
  const nlohmann::json header =
      nlohmann::json::parse(file.substr(sizeof(header_bytes), header_bytes));
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    const size_t begin = entry["data_offsets"][0], end = entry["data_offsets"][1];
    if (begin > end || end > file.size() - data) {
      ADD_FAILURE() << path << ": " << name << " lies outside the file";
      continue;
    }
    tensors[name] = {
        entry["dtype"], entry["shape"], {file.begin() + data + begin, file.begin() + data + end}};
  }
  return tensors;
}

}  // namespace kvscope::metrics
