#include "services/orchestrator/datasets/import/json_fields.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/passage_json.h"
#include "services/orchestrator/sweep/nearest_name.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator {

using nlohmann::json;

std::string DescribeJson(const json& value) {
  if (value.is_string()) return Quoted(value.get_ref<const std::string&>());
  if (value.is_number()) return value.dump();
  if (value.is_array()) return "a list";
  if (value.is_object()) return "an object";
  return value.is_boolean() ? (value.get<bool>() ? "true" : "false") : "null";
}

namespace {

// Text, or a whole number as one would write it; nothing for other kinds.
std::optional<std::string> AsText(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) return value.dump();
  return std::nullopt;
}

}  // namespace

JsonFields::JsonFields(const json& value) : value_(value) {
  if (!value.is_object()) {
    Report(Reason::kMalformed, "", absl::StrCat("is ", DescribeJson(value), ", must be an object"));
  }
}

void JsonFields::Report(Reason reason, std::string_view field, std::string what) {
  if (!problem_) problem_ = Problem{reason, std::string(field), std::move(what)};
}

bool JsonFields::Has(std::string_view key) const { return !At(key).is_null(); }

const json& JsonFields::At(std::string_view key) const {
  static const json kNull;
  if (!value_.is_object()) return kNull;
  const auto found = value_.find(key);
  return found == value_.end() ? kNull : *found;
}

std::string JsonFields::Text(std::string_view key) {
  const json& field = At(key);
  if (field.is_null()) return "";
  if (auto text = AsText(field)) return *std::move(text);
  Report(Reason::kWrongField, key, absl::StrCat("is ", DescribeJson(field), ", must be text"));
  return "";
}

std::vector<std::string> JsonFields::Texts(std::string_view key) {
  const json& field = At(key);
  if (field.is_null()) return {};
  if (auto text = AsText(field)) return {*std::move(text)};
  std::vector<std::string> texts;
  for (const json& element : List(key)) {
    auto text = AsText(element);
    if (!text) {
      Report(Reason::kWrongField, absl::StrCat(std::string(key), "[", texts.size(), "]"),
             absl::StrCat("is ", DescribeJson(element), ", must be text"));
      return {};
    }
    texts.push_back(*std::move(text));
  }
  return texts;
}

int64_t JsonFields::Count(std::string_view key, int64_t most) {
  const json& field = At(key);
  if (field.is_null()) return 0;
  if (field.is_number_unsigned() && field.get<uint64_t>() <= static_cast<uint64_t>(most)) {
    return field.get<int64_t>();
  }
  Report(Reason::kWrongField, key,
         absl::StrCat("is ", DescribeJson(field), ", must be a whole number from 0 to ", most));
  return 0;
}

std::vector<Evidence> JsonFields::Spans(std::string_view key, int64_t length) {
  std::vector<Evidence> spans;
  const auto at = [&](const json& value) {
    const bool fits =
        value.is_number_unsigned() && value.get<uint64_t>() <= static_cast<uint64_t>(length);
    return fits ? value.get<int64_t>() : -1;
  };
  const auto& list = List(key);
  if (list.size() > kMaxListed) {
    Report(Reason::kTooLong, key,
           absl::StrCat("has ", list.size(), " elements, allowed are at most ", kMaxListed));
    return {};
  }
  for (const json& element : list) {
    const bool pair = element.is_array() && element.size() == 2;
    const Evidence span = pair ? Evidence{at(element[0]), at(element[1])} : Evidence{-1, -1};
    if (span.start < 0 || span.end <= span.start) {
      Report(Reason::kWrongField, absl::StrCat(std::string(key), "[", spans.size(), "]"),
             absl::StrCat("must be [start, end] with 0 <= start < end <= ", length,
                          ", the context's length in characters"));
      return {};
    }
    spans.push_back(span);
  }
  return spans;
}

const std::vector<json>& JsonFields::List(std::string_view key) {
  static const std::vector<json> kNone;
  const json& field = At(key);
  if (field.is_null()) return kNone;
  if (field.is_array()) return field.get_ref<const json::array_t&>();
  Report(Reason::kWrongField, key, absl::StrCat("is ", DescribeJson(field), ", must be a list"));
  return kNone;
}

void JsonFields::Require(std::string_view key, Reason missing) {
  if (Has(key) || !value_.is_object()) return;
  std::vector<std::string_view> found;
  for (const auto& item : value_.items()) found.push_back(item.key());
  const auto nearest = NearestName(key, found);
  Report(
      missing, key,
      absl::StrCat("is missing", nearest && *nearest != key
                                     ? absl::StrCat("; is ", Quoted(*nearest), " meant to be it?")
                                     : ""));
}

}  // namespace kvscope::orchestrator
