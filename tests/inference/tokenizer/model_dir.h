// Model directories that a test makes up.
#pragma once

#include <gtest/gtest.h>

#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "services/inference/tokenizer/byte_level.h"
#include "services/inference/tokenizer/tokenizer.h"

namespace kvscope::inference {

// A directory of its own, removed at the end of the test.
class ModelDir {
 public:
  ModelDir() {
    std::string pattern = testing::TempDir() + "/model_XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~ModelDir() { std::filesystem::remove_all(path_); }
  ModelDir(const ModelDir&) = delete;
  ModelDir& operator=(const ModelDir&) = delete;

  const std::string& path() const { return path_; }
  void Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ + "/" + name, std::ios::binary) << bytes;
  }

 private:
  std::string path_;
};

// A byte-level tokenizer.json whose vocabulary is the 256 bytes (id = byte) and the words "ab"
// (256), "abc" (257) and "Ġa" (258); merges: a b, ab c, Ġ a. Tests change what they are about.
inline nlohmann::json ByteTokenizer() {
  nlohmann::json vocab;
  for (int byte = 0; byte < 256; ++byte) {
    vocab[std::string(ByteLevelChar(static_cast<uint8_t>(byte)))] = byte;
  }
  vocab["ab"] = 256;
  vocab["abc"] = 257;
  vocab["Ġa"] = 258;
  return {
      {"version", "1.0"},
      {"added_tokens", nlohmann::json::array()},
      {"normalizer", nullptr},
      {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}},
      {"post_processor", nullptr},
      {"decoder", {{"type", "ByteLevel"}}},
      {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"a b", "ab c", "Ġ a"}}}}};
}

inline nlohmann::json Added(int id, const std::string& content) {
  return {{"id", id},        {"content", content}, {"special", true},     {"normalized", false},
          {"lstrip", false}, {"rstrip", false},    {"single_word", false}};
}

inline absl::StatusOr<std::unique_ptr<Tokenizer>> LoadJson(const nlohmann::json& json) {
  const ModelDir dir;
  dir.Write("tokenizer.json", json.dump());
  return Tokenizer::Load(dir.path());
}

}  // namespace kvscope::inference
