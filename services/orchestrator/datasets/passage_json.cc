#include "services/orchestrator/datasets/passage_json.h"

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/orchestrator/datasets/json_line.h"
#include "services/orchestrator/sweep/nearest_name.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::json;

constexpr std::string_view kPassageKeys[] = {"dataset", "passage_id", "context", "questions"};
constexpr std::string_view kQuestionKeys[] = {
    "question_id", "question",      "answer", "aliases",  "direction",
    "answer_type", "question_type", "hop",    "evidence", "support"};

// One object of the line, read field by field; the first error is kept.
class Fields {
 public:
  Fields(const json& object, std::string path, std::span<const std::string_view> keys,
         const PassageOrigin& origin, absl::Status& status)
      : object_(object), path_(std::move(path)), origin_(origin), status_(status) {
    if (!object_.is_object()) {
      Report("", absl::StrCat("is ", Describe(object_), ", must be an object"));
      return;
    }
    for (const auto& item : object_.items()) RefuseTypo(item.key(), keys);
  }

  static std::string Describe(const json& value) {
    if (value.is_string()) return Quoted(value.get_ref<const std::string&>());
    if (value.is_number()) return value.dump();
    return absl::StrCat(value.is_array() || value.is_object() ? "an " : "", value.type_name());
  }

  void Report(std::string_view key, const std::string& what) {
    if (!status_.ok()) return;
    const std::string dot = path_.empty() || key.empty() || key.front() == '[' ? "" : ".";
    const std::string field = absl::StrCat(path_, dot, std::string(key));
    status_ = absl::InvalidArgumentError(
        absl::StrCat(origin_.where, ": ", field, field.empty() ? "" : ": ", what));
  }

  // Null where the field is missing.
  const json& At(std::string_view key) const {
    static const json kNull;
    if (!object_.is_object()) return kNull;
    const auto found = object_.find(key);
    return found == object_.end() ? kNull : *found;
  }

  void Text(std::string_view key, bool required, std::string* value) {
    const json& field = At(key);
    if (field.is_null()) {
      if (required) Report(key, "is missing");
      return;
    }
    if (!field.is_string()) {
      Report(key, absl::StrCat("is ", Describe(field), ", must be text"));
      return;
    }
    *value = field.get<std::string>();
    if (value->find('\0') != std::string::npos) {
      Report(key, "contains a NUL character, which no text may");
    } else if (required && absl::StripAsciiWhitespace(*value).empty()) {
      Report(key, "is blank, must be text");
    }
  }

  // An id or a name: short, without control characters.
  void Name(std::string_view key, std::string* value) {
    Text(key, /*required=*/false, value);
    const bool fits = value->size() <= kMaxIdBytes &&
                      std::none_of(value->begin(), value->end(),
                                   [](unsigned char c) { return absl::ascii_iscntrl(c); });
    if (!fits || (At(key).is_string() && value->empty())) {
      Report(key, absl::StrCat("is ", Quoted(*value), ", must be 1 to ", kMaxIdBytes,
                               " bytes without control characters"));
    }
  }

  // The elements of a list; none where it is missing.
  std::vector<json> const& List(std::string_view key, size_t most) {
    static const std::vector<json> kNone;
    const json& field = At(key);
    if (field.is_null()) return kNone;
    if (!field.is_array()) {
      Report(key, absl::StrCat("is ", Describe(field), ", must be a list"));
      return kNone;
    }
    if (field.size() > most) {
      Report(key, absl::StrCat("has ", field.size(), " elements, allowed are at most ", most));
      return kNone;
    }
    return field.get_ref<const json::array_t&>();
  }

 private:
  void RefuseTypo(const std::string& key, std::span<const std::string_view> keys) {
    if (!status_.ok() || std::find(keys.begin(), keys.end(), key) != keys.end()) return;
    const auto nearest = NearestName(key, keys);
    if (nearest && At(*nearest).is_null()) {
      Report("", absl::StrCat("unknown key ", Quoted(key), KnownNames(key, keys)));
    }
  }

  const json& object_;
  const std::string path_;
  const PassageOrigin& origin_;
  absl::Status& status_;
};

// Whether `value` is a whole number in [0, most].
bool IsCount(const json& value, int64_t most) {
  return value.is_number_unsigned() && value.get<uint64_t>() <= static_cast<uint64_t>(most);
}

void ReadAliases(Fields& fields, Question& question) {
  for (const json& alias : fields.List("aliases", kMaxListed)) {
    if (!alias.is_string() || absl::StripAsciiWhitespace(alias.get<std::string>()).empty()) {
      fields.Report(absl::StrCat("aliases[", question.aliases.size(), "]"),
                    absl::StrCat("is ", Fields::Describe(alias), ", must be text"));
      return;
    }
    question.aliases.push_back(alias.get<std::string>());
  }
}

void ReadSpans(Fields& fields, const char* key, int64_t context_length,
               std::vector<Evidence>& spans) {
  for (const json& span : fields.List(key, kMaxListed)) {
    const bool pair = span.is_array() && span.size() == 2 && IsCount(span[0], context_length) &&
                      IsCount(span[1], context_length) &&
                      span[0].get<int64_t>() < span[1].get<int64_t>();
    if (!pair) {
      fields.Report(absl::StrCat(key, "[", spans.size(), "]"),
                    absl::StrCat("is ", span.dump().substr(0, 60),
                                 ", must be [start, end] with 0 <= start < end <= ", context_length,
                                 ", the context's length in characters"));
      return;
    }
    spans.push_back({span[0].get<int64_t>(), span[1].get<int64_t>()});
  }
}

Question ReadQuestion(const json& object, size_t index, const Passage& passage,
                      int64_t context_length, const PassageOrigin& origin, absl::Status& status) {
  Question question;
  Fields fields(object, absl::StrCat("questions[", index, "]"), kQuestionKeys, origin, status);
  fields.Name("question_id", &question.question_id);
  if (question.question_id.empty()) {
    question.question_id = absl::StrFormat("%s-%02d", passage.passage_id, index);
  }
  fields.Text("question", /*required=*/true, &question.question);
  fields.Text("answer", /*required=*/true, &question.answer);
  fields.Text("direction", /*required=*/false, &question.direction);
  if (!question.direction.empty() && question.direction != kForward &&
      question.direction != kReverse) {
    fields.Report("direction",
                  absl::StrCat("is ", Quoted(question.direction), ", must be forward or reverse"));
  }
  fields.Text("answer_type", /*required=*/false, &question.answer_type);
  fields.Text("question_type", /*required=*/false, &question.question_type);
  const json& hop = fields.At("hop");
  if (IsCount(hop, kMaxHop)) {
    question.hop = hop.get<int64_t>();
  } else if (!hop.is_null()) {
    fields.Report("hop", absl::StrCat("is ", Fields::Describe(hop),
                                      ", must be a whole number from 0 to ", kMaxHop));
  }
  ReadAliases(fields, question);
  ReadSpans(fields, "evidence", context_length, question.evidence);
  ReadSpans(fields, "support", context_length, question.support);
  return question;
}

nlohmann::ordered_json SpansJson(const std::vector<Evidence>& spans) {
  auto list = nlohmann::ordered_json::array();
  for (const Evidence& span : spans) {
    list.push_back(nlohmann::ordered_json::array({span.start, span.end}));
  }
  return list;
}

}  // namespace

absl::StatusOr<Passage> ParsePassage(std::string_view line, const PassageOrigin& origin) {
  const absl::StatusOr<json> object = ParseJsonLine(line, origin.where);
  if (!object.ok()) return object.status();
  absl::Status status;
  Passage passage;
  Fields fields(*object, "", kPassageKeys, origin, status);
  passage.dataset = origin.dataset;
  fields.Name("dataset", &passage.dataset);
  fields.Name("passage_id", &passage.passage_id);
  if (passage.passage_id.empty()) {
    passage.passage_id = absl::StrFormat("%s-%03d", passage.dataset, origin.ordinal);
  }
  fields.Text("context", /*required=*/true, &passage.context);
  const auto length = static_cast<int64_t>(CountCodePoints(passage.context));
  const auto& questions = fields.List("questions", kMaxQuestions);
  if (questions.empty()) fields.Report("questions", "has no element, must have at least one");
  for (size_t i = 0; status.ok() && i < questions.size(); ++i) {
    passage.questions.push_back(ReadQuestion(questions[i], i, passage, length, origin, status));
  }
  if (!status.ok()) return status;
  return passage;
}

std::string FormatPassage(const Passage& passage) {
  nlohmann::ordered_json line = {{"dataset", passage.dataset},
                                 {"passage_id", passage.passage_id},
                                 {"context", passage.context}};
  auto& questions = line["questions"] = nlohmann::ordered_json::array();
  for (const Question& question : passage.questions) {
    questions.push_back({{"question_id", question.question_id},
                         {"question", question.question},
                         {"answer", question.answer},
                         {"aliases", question.aliases},
                         {"direction", question.direction},
                         {"answer_type", question.answer_type},
                         {"question_type", question.question_type},
                         {"hop", question.hop},
                         {"evidence", SpansJson(question.evidence)}});
    if (!question.support.empty()) questions.back()["support"] = SpansJson(question.support);
  }
  try {
    return line.dump();
  } catch (const std::exception&) {
    std::abort();  // not UTF-8: ParsePassage and the generators let no such text through
  }
}

}  // namespace kvscope::orchestrator
