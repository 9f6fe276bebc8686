#include "services/orchestrator/datasets/import/json_elements.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/import/json_fields.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::json;

constexpr size_t kMaxDepth = 64;
constexpr std::string_view kAny = "*";

using Take = std::function<void(const JsonElement&)>;
using Lost = std::function<void(const std::string&, const Problem&)>;

// Follows the document's brackets.  Values off the path are passed over; one at its end is built.
class ElementReader final : public json::json_sax_t {
 public:
  ElementReader(std::span<const std::string_view> path, bool damaged, const Take& take,
                const Lost& lost)
      : path_(path), damaged_(damaged), take_(take), lost_(lost) {}

  bool null() override { return Scalar(nullptr); }
  bool boolean(bool value) override { return Scalar(value); }
  bool number_integer(number_integer_t value) override { return Scalar(value); }
  bool number_unsigned(number_unsigned_t value) override { return Scalar(value); }
  bool number_float(number_float_t value, const string_t&) override { return Scalar(value); }
  bool string(string_t& value) override { return Scalar(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return Open(json::object()); }
  bool start_array(size_t) override { return Open(json::array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }

  bool key(string_t& name) override {
    if (!open_.empty()) {
      if (open_.back().value->contains(name) && twice_.empty()) twice_ = name;
      open_.back().key = std::move(name);
      return true;
    }
    Frame& frame = frames_.back();
    frame.key = std::move(name);
    if (frame.on_path && frame.key == path_[frames_.size() - 1]) frame.led_on = true;
    return true;
  }

  bool parse_error(size_t byte, const std::string&, const nlohmann::detail::exception&) override {
    error_ = absl::StrCat("is not valid JSON at byte ", byte);
    return false;
  }

  const std::string& error() const { return error_; }

  // Where the reader stands: the path of the value that comes next or is being built.
  std::string Place() const {
    std::string place;
    for (size_t i = 0; i < frames_.size(); ++i) {
      const Frame& frame = frames_[i];
      if (frame.is_list) {
        absl::StrAppend(&place, "[", frame.index, "]");
      } else {
        const bool known = i < path_.size() && frame.key == path_[i];
        absl::StrAppend(&place, place.empty() ? "" : ".", known ? frame.key : Quoted(frame.key));
      }
    }
    return place;
  }

 private:
  // A bracket outside the element that is being built.
  struct Frame {
    bool is_list = false;
    bool on_path = false;  // its own path is a beginning of path_
    bool led_on = false;   // an object's: the key of path_ was there
    size_t index = 0;
    std::string key;
  };
  // A bracket within it.
  struct Node {
    json* value = nullptr;
    std::string key;
  };

  // Whether the value that comes next stands on the path.
  bool NextIsOnPath() const {
    if (frames_.empty()) return true;
    const Frame& frame = frames_.back();
    if (!frame.on_path) return false;
    return frame.is_list || frame.key == path_[frames_.size() - 1];
  }

  bool Scalar(json value) {
    if (!open_.empty()) {
      Insert(std::move(value));
      return true;
    }
    if (NextIsOnPath()) {
      if (frames_.size() == path_.size()) {
        root_ = std::move(value);
        HandOut();
      } else {
        Lose(DescribeJson(value));
      }
    }
    Step();
    return true;
  }

  bool Open(json empty) {
    if (frames_.size() + open_.size() >= kMaxDepth) {
      error_ = absl::StrCat("brackets nest more than ", kMaxDepth, " deep");
      return false;
    }
    const bool is_list = empty.is_array();
    if (!open_.empty()) {
      open_.push_back({Insert(std::move(empty)), ""});
      return true;
    }
    const bool on_path = NextIsOnPath();
    if (on_path && frames_.size() == path_.size()) {
      root_ = std::move(empty);
      twice_.clear();
      open_.push_back({&root_, ""});
      return true;
    }
    const bool fits = on_path && is_list == (path_[frames_.size()] == kAny);
    if (on_path && !fits) Lose(DescribeJson(empty));
    frames_.push_back({is_list, fits, false, 0, ""});
    return true;
  }

  bool Close() {
    if (!open_.empty()) {
      open_.pop_back();
      if (!open_.empty()) return true;
      HandOut();
    } else {
      const Frame frame = std::move(frames_.back());
      frames_.pop_back();
      if (frame.on_path && !frame.is_list && !frame.led_on) {
        const std::string wanted(path_[frames_.size()]);
        lost_(Place(), {Reason::kWrongField, wanted, "is missing"});
      }
    }
    Step();
    return true;
  }

  json* Insert(json value) {
    Node& node = open_.back();
    if (node.value->is_array()) {
      node.value->push_back(std::move(value));
      return &node.value->back();
    }
    json& field = (*node.value)[node.key];
    field = std::move(value);
    return &field;
  }

  void HandOut() {
    if (twice_.empty()) {
      take_({Place(), root_, damaged_});
    } else {
      lost_(Place(),
            {Reason::kMalformed, "", absl::StrCat("key ", Quoted(twice_), " is given twice")});
    }
    root_ = nullptr;
    twice_.clear();
  }

  void Lose(const std::string& found) {
    const bool list = path_[frames_.size()] == kAny;
    lost_(Place(), {Reason::kWrongField, "",
                    absl::StrCat("is ", found, ", must be ", list ? "a list" : "an object")});
  }

  // The value is over: a list's next one follows.
  void Step() {
    if (!frames_.empty() && frames_.back().is_list) ++frames_.back().index;
  }

  const std::span<const std::string_view> path_;
  const bool damaged_;
  const Take& take_;
  const Lost& lost_;
  std::vector<Frame> frames_;
  std::vector<Node> open_;
  json root_;
  std::string twice_;
  std::string error_;
};

constexpr char kDel = '\x7F';  // JSON allows it in text

// Overwrites each byte of broken UTF-8 with DEL.  Whether there was one.
bool Mend(std::string& text) {
  bool broken = false;
  for (size_t from = 0; from < text.size();) {
    const auto bad = InvalidUtf8At(std::string_view(text).substr(from));
    if (!bad) break;
    broken = true;
    text[from + *bad] = kDel;
    from += *bad + 1;
  }
  return broken;
}

}  // namespace

bool HoldsBrokenBytes(const json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>().find(kDel) != std::string::npos;
  if (!value.is_structured()) return false;
  for (const auto& item : value.items()) {
    if (item.key().find(kDel) != std::string::npos || HoldsBrokenBytes(item.value())) return true;
  }
  return false;
}

absl::Status ForEachElement(const std::string& file, std::string& document,
                            std::span<const std::string_view> path, const Take& take,
                            const Lost& lost) {
  const bool damaged = Mend(document);
  ElementReader reader(path, damaged, take, lost);
  try {
    if (json::sax_parse(document.begin(), document.end(), &reader)) return absl::OkStatus();
  } catch (const std::exception& e) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": cannot be read as JSON: ", e.what()));
  }
  const std::string place = reader.Place();
  return absl::InvalidArgumentError(
      absl::StrCat(file, ": ", reader.error(), place.empty() ? "" : ", in ", place));
}

}  // namespace kvscope::orchestrator
