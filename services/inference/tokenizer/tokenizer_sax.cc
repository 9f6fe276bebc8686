#include "services/inference/tokenizer/tokenizer_sax.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"

namespace kvscope::inference {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxFileBytes = std::numeric_limits<uint32_t>::max();  // slices are 32 bits wide

// Receives nlohmann's events. `path_` is the number of open containers; inside model.vocab and
// model.merges the events go to the arrays, elsewhere to the DOM.
class Handler {
 public:
  explicit Handler(RawTokenizerJson* out) : out_(*out) {}

  const std::string& error() const { return error_; }

  bool null() { return Scalar(nullptr, "null"); }
  bool boolean(bool value) { return Scalar(value, "a boolean"); }
  bool number_float(double value, const std::string&) { return Scalar(value, "a number"); }
  bool number_integer(int64_t value) { return Integer(value); }
  bool number_unsigned(uint64_t value) {
    return Integer(static_cast<int64_t>(std::min<uint64_t>(value, INT64_MAX)));
  }
  bool binary(Json::binary_t&) { return Fail("binary data cannot occur in JSON"); }

  bool string(std::string& value) {
    switch (region_) {
      case kMerges:
        return depth_ == region_depth_ ? JoinedMerge(value) : MergePart(value);
      case kVocab:
        return Fail(absl::StrCat("model.vocab[`", token_, "`] is a string; it must be an id"));
      case kSkipped:
        return true;
      case kDom:
        Add(std::move(value));
        return true;
    }
    return true;
  }

  bool key(std::string& value) {
    if (region_ == kVocab) {
      token_ = value;
      return true;
    }
    if (region_ == kDom) key_ = std::move(value);
    return true;
  }

  bool start_object(size_t) { return Open(Json::object()); }
  bool start_array(size_t) { return Open(Json::array()); }
  bool end_object() { return Close(); }
  bool end_array() { return Close(); }

  bool parse_error(size_t position, const std::string&, const Json::exception&) {
    return Fail(absl::StrCat("it is not valid JSON (near byte ", position, ")"));
  }

 private:
  enum Region { kDom, kVocab, kMerges, kSkipped };

  bool Fail(std::string message) {
    if (error_.empty()) error_ = std::move(message);
    return false;
  }

  BpeSpec::Slice Keep(std::string_view text) {
    const auto begin = static_cast<uint32_t>(out_.model.text.size());
    out_.model.text += text;
    return {begin, static_cast<uint32_t>(text.size())};
  }

  Json* Add(Json value) {
    if (open_.empty()) {
      out_.rest = std::move(value);
      return &out_.rest;
    }
    Json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    Json& slot = parent[key_];
    slot = std::move(value);
    return &slot;
  }

  bool Scalar(Json value, const char* what) {
    if (region_ == kVocab) {
      return Fail(absl::StrCat("model.vocab[`", token_, "`] is ", what, "; it must be an id"));
    }
    if (region_ == kMerges) {
      return Fail(absl::StrCat("model.merges[", out_.model.merges.size(), "] is ", what,
                               "; it must be a string or a pair of strings"));
    }
    if (region_ == kDom) Add(std::move(value));
    return true;
  }

  bool Integer(int64_t value) {
    if (region_ != kVocab) return Scalar(value, "a number");
    if (value < 0 || value > INT32_MAX) {
      return Fail(absl::StrCat("model.vocab[`", token_, "`] is ", value, "; ids must lie in [0, ",
                               INT32_MAX, "]"));
    }
    out_.model.vocab.push_back({Keep(token_), static_cast<int32_t>(value)});
    return true;
  }

  bool JoinedMerge(const std::string& value) {
    const size_t space = value.find(' ');
    if (space == std::string::npos || value.find(' ', space + 1) != std::string::npos) {
      return Fail(absl::StrCat("model.merges[", out_.model.merges.size(), "] is `", value,
                               "`; it must be two tokens with one space between them"));
    }
    const std::string_view view = value;
    const BpeSpec::Slice left = Keep(view.substr(0, space));
    out_.model.merges.emplace_back(left, Keep(view.substr(space + 1)));
    return true;
  }

  bool MergePart(const std::string& value) {
    if (part_count_ < 2) parts_[part_count_] = Keep(value);
    ++part_count_;
    return true;
  }

  bool Open(Json value) {
    if (++depth_ > kMaxDepth) {
      return Fail(absl::StrCat("it nests deeper than ", kMaxDepth, " levels"));
    }
    if (region_ == kSkipped) return true;
    if (region_ == kVocab) {
      return Fail(absl::StrCat("model.vocab[`", token_, "`] is a ", value.type_name(),
                               "; it must be an id"));
    }
    if (region_ == kMerges) return OpenMerge(value);
    const bool in_model = depth_ == 3 && model_is_open_;
    if (in_model && key_ == "vocab") return OpenVocab(value);
    if (in_model && key_ == "merges" && value.is_array()) return Enter(kMerges);
    if (depth_ == 2) model_is_open_ = open_.back()->is_object() && key_ == "model";
    open_.push_back(Add(std::move(value)));
    return true;
  }

  bool OpenVocab(const Json& value) {
    out_.has_vocab = true;
    if (value.is_object()) return Enter(kVocab);
    out_.vocab_problem = "model.vocab is an array; a BPE vocabulary is an object of token: id";
    return Enter(kSkipped);
  }

  bool OpenMerge(const Json& value) {
    if (!value.is_array() || depth_ != region_depth_ + 1) {
      return Fail(absl::StrCat("model.merges[", out_.model.merges.size(), "] holds a nested ",
                               value.type_name(), "; it must be a string or a pair of strings"));
    }
    part_count_ = 0;
    return true;
  }

  bool Enter(Region region) {
    Add(nullptr);
    region_ = region;
    region_depth_ = depth_;
    return true;
  }

  bool Close() {
    const size_t closed = depth_--;
    if (region_ == kDom) {
      open_.pop_back();
      return true;
    }
    if (closed == region_depth_) {
      region_ = kDom;
      return true;
    }
    if (region_ == kMerges) {
      if (part_count_ != 2) {
        return Fail(absl::StrCat("model.merges[", out_.model.merges.size(), "] has ", part_count_,
                                 " parts; a merge has 2"));
      }
      out_.model.merges.emplace_back(parts_[0], parts_[1]);
    }
    return true;
  }

  RawTokenizerJson& out_;
  std::string error_;
  std::vector<Json*>
      open_;  // the DOM's open containers; a parent never moves while a child is open
  std::string key_;
  size_t depth_ = 0;
  bool model_is_open_ = false;
  Region region_ = kDom;
  size_t region_depth_ = 0;
  std::string token_;  // the key within model.vocab
  BpeSpec::Slice parts_[2];
  size_t part_count_ = 0;
};

}  // namespace

absl::StatusOr<RawTokenizerJson> ReadTokenizerJson(std::string_view json) {
  if (json.size() > kMaxFileBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("it has ", json.size(), " bytes; at most ", kMaxFileBytes, " are allowed"));
  }
  RawTokenizerJson raw;
  raw.model.text.reserve(json.size() / 2);
  Handler handler(&raw);
  if (!Json::sax_parse(json.begin(), json.end(), &handler)) {
    return absl::InvalidArgumentError(handler.error());
  }
  if (!raw.rest.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat("it is a JSON ", raw.rest.type_name(), "; it must be an object"));
  }
  return raw;
}

}  // namespace kvscope::inference
