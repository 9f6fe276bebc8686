// Tells a file's format from its first bytes.
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/orchestrator/datasets/import/format.h"
#include "services/orchestrator/datasets/import/stripped.h"
#include "services/orchestrator/datasets/line_reader.h"
#include "services/orchestrator/sweep/utf8.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::json;

constexpr size_t kEnoughBytes = 64 << 10;

// Notes the keys of the first object, whether it is the document or the first of a list, and stops
// behind it or at `data`, under which a whole document may stand.
class KeyReader final : public json::json_sax_t {
 public:
  explicit KeyReader(std::vector<std::string>& keys) : keys_(keys) {}

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(size_t) override {
    if (object_depth_ == 0) object_depth_ = depth_ + 1;
    return ++depth_ < kMaxDepth;
  }
  bool start_array(size_t) override { return ++depth_ < kMaxDepth; }
  bool end_array() override { return --depth_ > 0; }
  bool end_object() override { return --depth_ >= object_depth_; }
  bool key(string_t& name) override {
    if (depth_ == object_depth_ && keys_.size() < kMaxKeys) keys_.push_back(name);
    return depth_ != object_depth_ || name != "data";
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;  // a broken file is told of by the format that it looks like
  }

 private:
  static constexpr int kMaxDepth = 64;
  static constexpr size_t kMaxKeys = 100;

  std::vector<std::string>& keys_;
  int depth_ = 0;
  int object_depth_ = 0;
};

absl::StatusOr<FileHead> ReadHead(const std::string& path) {
  KVSCOPE_ASSIGN_OR_RETURN(LineReader lines, LineReader::Open(path));
  FileHead head;
  head.extension = absl::AsciiStrToLower(std::filesystem::path(path).extension().string());
  std::string text;  // the file's beginning
  while (text.size() <= kMaxLineBytes) {
    KVSCOPE_ASSIGN_OR_RETURN(const std::optional<Line> line, lines.Next());
    if (!line) break;
    absl::StrAppend(&text, std::string(line->text), "\n");
    const size_t first = text.find_first_not_of(kBlanks);
    if (first == std::string::npos) continue;
    head.is_json = text[first] == '{' || text[first] == '[';
    if (!head.is_json) {
      head.first_line = std::string(Stripped(text));
      return head;
    }
    if (text.size() > kEnoughBytes) break;  // a row may be longer, but then it is one line
  }
  if (!head.is_json) return head;
  try {
    KeyReader reader(head.keys);
    json::sax_parse(text.begin(), text.end(), &reader, json::input_format_t::json,
                    /*strict=*/false);
  } catch (const std::exception&) {
    head.keys.clear();
  }
  return head;
}

}  // namespace

absl::StatusOr<const FormatInfo*> DetectFormat(const std::string& path) {
  KVSCOPE_ASSIGN_OR_RETURN(const FileHead head, ReadHead(path));
  for (const FormatInfo* format : Formats()) {
    if (format->fits(head)) return format;
  }
  std::string found = "is empty";
  if (head.is_json) {
    found = absl::StrCat("is JSON with the keys ",
                         absl::StrJoin(head.keys, ", ", [](std::string* text, const auto& key) {
                           text->append(Quoted(key));
                         }));
  } else if (!head.first_line.empty()) {
    found = absl::StrCat("begins with ", Quoted(head.first_line));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      path, ": ", found, ", which looks like none of the formats; say it with --format"));
}

}  // namespace kvscope::orchestrator
