#include "tests/rpc/proto_sources.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>

#include "absl/strings/str_cat.h"

namespace kvscope::rpc {
namespace {

// Reads our own style: comments stand above, an `rpc` fits on its line.
void Collect(const std::filesystem::path& file, std::vector<MethodSource>& methods) {
  static const std::regex kPackage(R"(package ([\w.]+);)"), kService(R"(service (\w+) \{)");
  static const std::regex kComment(R"(\s*// ?(.*))");
  static const std::regex kRpc(R"(\s*rpc (\w+)\((stream )?\S+\) returns \((stream )?\S+\);)");
  std::ifstream in(file);
  std::string package, service, comment, line;
  while (std::getline(in, line)) {
    std::smatch found;
    if (std::regex_match(line, found, kComment)) {
      absl::StrAppend(&comment, comment.empty() ? "" : " ", found[1].str());
      continue;
    }
    if (std::regex_match(line, found, kPackage)) package = found[1];
    if (std::regex_match(line, found, kService)) service = found[1];
    if (std::regex_match(line, found, kRpc)) {
      methods.push_back({.path = absl::StrCat("/", package, ".", service, "/", found[1].str()),
                         .comment = comment,
                         .unary = !found[2].matched && !found[3].matched});
    } else {
      EXPECT_FALSE(line.starts_with("  rpc ")) << file << ": cannot read: " << line;
    }
    comment.clear();
  }
}

}  // namespace

std::vector<MethodSource> MethodsOfOurProtos() {
  std::vector<MethodSource> methods;
  const std::filesystem::path folder =
      std::filesystem::path(KVSCOPE_SOURCE_DIR) / "proto" / "kvscope" / "v1";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    Collect(entry.path(), methods);
  }
  EXPECT_FALSE(methods.empty());
  return methods;
}

}  // namespace kvscope::rpc
