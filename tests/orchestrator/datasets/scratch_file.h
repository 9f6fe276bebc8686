// A file of a test's own, gone with the test.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

namespace kvscope::orchestrator {

class ScratchFile {
 public:
  // In a folder named for the running test, so that tests may run beside each other.
  explicit ScratchFile(const std::string& name, std::string_view content = "") {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(testing::TempDir()) / "kvscope-datasets" /
              (std::string(test->test_suite_name()) + "." + test->name());
    std::filesystem::create_directories(folder_);
    path_ = (folder_ / name).string();
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~ScratchFile() {
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
  }

  const std::string& path() const { return path_; }
  std::string folder() const { return folder_.string(); }

  static std::string Read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }

 private:
  std::filesystem::path folder_;
  std::string path_;
};

}  // namespace kvscope::orchestrator
