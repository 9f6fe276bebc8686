#include "services/inference/tokenizer/tokenizer_json.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "services/inference/tokenizer/tokenizer_sax.h"
#include "services/inference/tokenizer/unicode.h"

namespace kvscope::inference {
namespace {

using Json = nlohmann::json;

// What ByteLevel's use_regex cuts by.  Source: GPT-2.
constexpr char kGpt2Split[] =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

absl::Status Bad(const std::string& field, const std::string& problem) {
  return absl::InvalidArgumentError(absl::StrCat(field, " ", problem));
}

std::string Shown(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 60) text = ToValidUtf8(std::string_view(text).substr(0, 60)) + "...";
  return text;
}

// Reads the members of one object; the first problem is kept, later reads return defaults.
class Fields {
 public:
  Fields(const Json& object, std::string path) : object_(object), path_(std::move(path)) {
    if (!object.is_object()) Fail(absl::StrCat("is ", Shown(object), "; it must be an object"));
  }

  const absl::Status& status() const { return status_; }
  std::string Path(const char* name) const { return absl::StrCat(path_, ".", name); }

  // The member, or null if it is absent.
  const Json& Get(const char* name) const {
    static const Json& null = *new Json();
    if (!object_.is_object()) return null;
    const auto found = object_.find(name);
    return found == object_.end() ? null : *found;
  }
  bool Bool(const char* name, bool otherwise) {
    const Json& value = Get(name);
    if (value.is_null()) return otherwise;
    if (value.is_boolean()) return value.get<bool>();
    FailMember(name, "true or false");
    return otherwise;
  }
  std::string String(const char* name) {
    const Json& value = Get(name);
    if (value.is_string()) return value.get<std::string>();
    FailMember(name, "a string");
    return "";
  }
  std::optional<std::string> OptionalString(const char* name) {
    if (Get(name).is_null()) return std::nullopt;
    return String(name);
  }
  int32_t Id(const char* name) {
    const Json& value = Get(name);
    if (value.is_number_integer() && value >= 0 && value <= INT32_MAX) return value.get<int32_t>();
    FailMember(name, "a token id");
    return 0;
  }
  const Json& Array(const char* name) {
    static const Json& empty = *new Json(Json::array());
    const Json& value = Get(name);
    if (value.is_array()) return value;
    FailMember(name, "an array");
    return empty;
  }
  void FailMember(const char* name, std::string_view allowed) {
    if (!status_.ok()) return;
    status_ = Bad(Path(name),
                  absl::StrCat("is ", Shown(Get(name)), "; it must be ", std::string(allowed)));
  }
  void Fail(const std::string& problem) {
    if (status_.ok()) status_ = Bad(path_, problem);
  }

 private:
  const Json& object_;
  std::string path_;
  absl::Status status_;
};

// Calls `add(fields, type)` for the object at `value`, or for each of `list_name` if its type is
// Sequence. Nothing for null.
template <typename Add>
absl::Status ForEachStep(const Json& value, const std::string& path, const char* list_name,
                         const Add& add) {
  if (value.is_null()) return absl::OkStatus();
  Fields fields(value, path);
  const std::string type = fields.String("type");
  if (type != "Sequence") {
    if (fields.status().ok()) add(fields, type);
    return fields.status();
  }
  const Json& steps = fields.Array(list_name);
  for (size_t i = 0; i < steps.size() && fields.status().ok(); ++i) {
    const std::string step_path = absl::StrCat(path, ".", list_name, "[", i, "]");
    if (absl::Status s = ForEachStep(steps[i], step_path, list_name, add); !s.ok()) return s;
  }
  return fields.status();
}

void AddNormalizer(Fields& fields, const std::string& type, std::vector<NormalizerStep>* steps) {
  if (type == "NFC") return steps->push_back({NormalizerStep::kNfc, {}, {}});
  if (type == "NFD") return steps->push_back({NormalizerStep::kNfd, {}, {}});
  if (type == "NFKC") return steps->push_back({NormalizerStep::kNfkc, {}, {}});
  if (type == "NFKD") return steps->push_back({NormalizerStep::kNfkd, {}, {}});
  if (type == "Prepend") {
    return steps->push_back({NormalizerStep::kPrepend, {}, fields.String("prepend")});
  }
  if (type == "Replace") {
    const Json& pattern = fields.Get("pattern");
    if (!pattern.is_object() || !pattern.contains("String") || !pattern["String"].is_string() ||
        pattern["String"].get_ref<const std::string&>().empty()) {
      return fields.FailMember("pattern", "{\"String\": text} with a text that is not empty");
    }
    return steps->push_back(
        {NormalizerStep::kReplace, pattern["String"].get<std::string>(), fields.String("content")});
  }
  fields.FailMember("type", "NFC, NFD, NFKC, NFKD, Prepend, Replace or Sequence");
}

std::optional<PreTokenizerStep::Behavior> BehaviorNamed(const std::string& name) {
  if (name == "Removed") return PreTokenizerStep::kRemoved;
  if (name == "Isolated") return PreTokenizerStep::kIsolated;
  if (name == "MergedWithPrevious") return PreTokenizerStep::kMergedWithPrevious;
  if (name == "MergedWithNext") return PreTokenizerStep::kMergedWithNext;
  if (name == "Contiguous") return PreTokenizerStep::kContiguous;
  return std::nullopt;
}

void SetRegex(Fields& fields, const char* name, const std::string& pattern,
              PreTokenizerStep* step) {
  absl::StatusOr<Regex> regex = Regex::Compile(pattern);
  if (!regex.ok()) {
    fields.FailMember(name, absl::StrCat("a valid pattern: ", regex.status().message()));
    return;
  }
  step->regex = *std::move(regex);
}

PreTokenizerStep SplitStep(Fields& fields) {
  PreTokenizerStep step;
  step.invert = fields.Bool("invert", false);
  if (const auto behavior = BehaviorNamed(fields.String("behavior"))) {
    step.behavior = *behavior;
  } else {
    fields.FailMember("behavior",
                      "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
  }
  const Json& pattern = fields.Get("pattern");
  const auto text = [&](const char* kind) -> const std::string* {
    if (!pattern.is_object() || !pattern.contains(kind)) return nullptr;
    return pattern[kind].get_ptr<const std::string*>();
  };
  if (const std::string* literal = text("String")) {
    step.literal = *literal;
  } else if (const std::string* regex = text("Regex")) {
    SetRegex(fields, "pattern", *regex, &step);
  } else {
    fields.FailMember("pattern", "{\"Regex\": text} or {\"String\": text}");
  }
  return step;
}

void AddPreTokenizer(Fields& fields, const std::string& type, TokenizerSpec* spec) {
  if (spec->model.byte_level) return fields.Fail("follows ByteLevel, which must be the last step");
  PreTokenizerStep step;
  if (type == "Split") {
    spec->pre_tokenizer.push_back(SplitStep(fields));
  } else if (type == "Digits") {
    step.kind = PreTokenizerStep::kDigits;
    const bool individual = fields.Bool("individual_digits", false);
    step.behavior = individual ? PreTokenizerStep::kIsolated : PreTokenizerStep::kContiguous;
    spec->pre_tokenizer.push_back(step);
  } else if (type == "ByteLevel") {
    spec->model.byte_level = true;
    if (fields.Bool("add_prefix_space", true)) {
      step.kind = PreTokenizerStep::kPrefixSpace;
      spec->pre_tokenizer.push_back(step);
    }
    if (fields.Bool("use_regex", true)) {
      step.kind = PreTokenizerStep::kSplit;
      SetRegex(fields, "use_regex", kGpt2Split, &step);
      spec->pre_tokenizer.push_back(step);
    }
  } else {
    fields.FailMember("type", "Split, Digits, ByteLevel or Sequence");
  }
}

void AddDecoder(Fields& fields, const std::string& type, std::vector<DecoderStep>* steps) {
  DecoderStep step;
  if (type == "ByteLevel") {
    step.kind = DecoderStep::kByteLevel;
  } else if (type == "ByteFallback") {
    step.kind = DecoderStep::kByteFallback;
  } else if (type == "Fuse") {
    step.kind = DecoderStep::kFuse;
  } else if (type == "Replace") {
    std::vector<NormalizerStep> replace;
    AddNormalizer(fields, type, &replace);
    if (replace.empty()) return;
    step.kind = DecoderStep::kReplace;
    step.pattern = replace[0].pattern;
    step.content = replace[0].content;
  } else if (type == "Strip") {
    step.kind = DecoderStep::kStrip;
    step.pattern = fields.String("content");
    step.start = fields.Id("start");
    step.stop = fields.Id("stop");
    if (CountCodePoints(step.pattern) != 1) fields.FailMember("content", "one character");
  } else {
    fields.FailMember("type", "ByteLevel, ByteFallback, Fuse, Replace, Strip or Sequence");
  }
  steps->push_back(step);
}

// `single` of a TemplateProcessing, such as [<bos>, A, <eos>]: the ids around A.
void AddTemplate(Fields& fields, TokenizerSpec* spec) {
  std::vector<int32_t> head, tail;
  int sequences = 0;
  const Json& special_tokens = fields.Get("special_tokens");
  for (const Json& part : fields.Array("single")) {
    if (!part.is_object()) return fields.FailMember("single", "an array of objects");
    if (part.contains("Sequence")) {
      ++sequences;
      continue;
    }
    const Json& token = part.contains("SpecialToken") ? part["SpecialToken"] : Json();
    const std::string* name = token.is_object() && token.contains("id")
                                  ? token["id"].get_ptr<const std::string*>()
                                  : nullptr;
    if (!name || !special_tokens.is_object() || !special_tokens.contains(*name)) {
      return fields.FailMember("single", "made of Sequence and of SpecialToken in special_tokens");
    }
    Fields entry(special_tokens[*name], fields.Path("special_tokens"));
    for (const Json& id : entry.Array("ids")) {
      if (!id.is_number_integer() || id < 0 || id > INT32_MAX) {
        return fields.FailMember("special_tokens", "a map to token ids");
      }
      (sequences == 0 ? head : tail).push_back(id.get<int32_t>());
    }
    if (!entry.status().ok()) return fields.FailMember("special_tokens", "a map to token ids");
  }
  if (sequences != 1) return fields.FailMember("single", "a list with one Sequence");
  spec->template_head.insert(spec->template_head.begin(), head.begin(), head.end());
  spec->template_tail.insert(spec->template_tail.end(), tail.begin(), tail.end());
}

absl::Status ReadAddedTokens(const Json& list, std::vector<AddedToken>* tokens) {
  if (list.is_null()) return absl::OkStatus();
  if (!list.is_array()) return Bad("added_tokens", "is " + Shown(list) + "; it must be an array");
  for (size_t i = 0; i < list.size(); ++i) {
    Fields fields(list[i], absl::StrCat("added_tokens[", i, "]"));
    AddedToken token;
    token.id = fields.Id("id");
    token.content = fields.String("content");
    token.single_word = fields.Bool("single_word", false);
    token.lstrip = fields.Bool("lstrip", false);
    token.rstrip = fields.Bool("rstrip", false);
    token.special = fields.Bool("special", false);
    token.normalized = fields.Bool("normalized", !token.special);
    if (!fields.status().ok()) return fields.status();
    tokens->push_back(std::move(token));
  }
  std::stable_sort(tokens->begin(), tokens->end(),
                   [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  return absl::OkStatus();
}

absl::Status ReadModel(RawTokenizerJson* raw, BpeSpec* model) {
  const Json model_json = raw->rest.value("model", Json());
  if (model_json.is_null()) return Bad("model", "is missing; a model of type BPE is needed");
  Fields fields(model_json, "model");
  // Files from before the type was written have none; they are told apart by their members.
  const std::string type = fields.OptionalString("type").value_or(
      raw->has_vocab && model_json.contains("merges") ? "BPE" : "none");
  if (!fields.status().ok()) return fields.status();
  if (type != "BPE") {
    return Bad("model.type", absl::StrCat("is `", type, "`; only BPE is supported"));
  }
  if (!raw->vocab_problem.empty()) return absl::InvalidArgumentError(raw->vocab_problem);
  if (!raw->has_vocab) return Bad("model.vocab", "is missing; it must be an object of token: id");
  *model = std::move(raw->model);
  model->unk_token = fields.OptionalString("unk_token");
  model->fuse_unk = fields.Bool("fuse_unk", false);
  model->byte_fallback = fields.Bool("byte_fallback", false);
  model->ignore_merges = fields.Bool("ignore_merges", false);
  for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!fields.OptionalString(name).value_or("").empty()) fields.FailMember(name, "null or empty");
  }
  const Json& dropout = fields.Get("dropout");
  if (!dropout.is_null() && dropout != 0.0) fields.FailMember("dropout", "null or 0");
  if (!fields.Get("merges").is_null()) fields.FailMember("merges", "an array");
  return fields.status();
}

}  // namespace

absl::StatusOr<TokenizerSpec> ParseTokenizerJson(std::string_view json) {
  absl::StatusOr<RawTokenizerJson> raw = ReadTokenizerJson(json);
  if (!raw.ok()) return raw.status();
  const Json& rest = raw->rest;
  const auto member = [&](const char* name) { return rest.value(name, Json()); };

  TokenizerSpec spec;
  absl::Status status = ReadModel(&*raw, &spec.model);
  if (status.ok()) status = ReadAddedTokens(member("added_tokens"), &spec.added_tokens);
  if (status.ok()) {
    status = ForEachStep(member("normalizer"), "normalizer", "normalizers",
                         [&](Fields& fields, const std::string& type) {
                           AddNormalizer(fields, type, &spec.normalizer);
                         });
  }
  if (status.ok()) {
    status = ForEachStep(
        member("pre_tokenizer"), "pre_tokenizer", "pretokenizers",
        [&](Fields& fields, const std::string& type) { AddPreTokenizer(fields, type, &spec); });
  }
  if (status.ok()) {
    status = ForEachStep(member("post_processor"), "post_processor", "processors",
                         [&](Fields& fields, const std::string& type) {
                           if (type == "TemplateProcessing") return AddTemplate(fields, &spec);
                           if (type == "ByteLevel") return;  // moves offsets only
                           fields.FailMember("type", "TemplateProcessing, ByteLevel or Sequence");
                         });
  }
  if (status.ok() && !member("decoder").is_null()) {
    spec.decoder.emplace();
    status = ForEachStep(
        member("decoder"), "decoder", "decoders",
        [&](Fields& fields, const std::string& type) { AddDecoder(fields, type, &*spec.decoder); });
  }
  if (!status.ok()) return status;
  return spec;
}

}  // namespace kvscope::inference
