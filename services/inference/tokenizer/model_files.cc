#include "services/inference/tokenizer/model_files.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "services/inference/tokenizer/unicode.h"

namespace kvscope::inference {
namespace {

using Json = nlohmann::json;

constexpr const char* kSpecialTokenNames[] = {"bos_token", "eos_token", "unk_token", "pad_token",
                                              "sep_token", "cls_token", "mask_token"};

std::optional<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream bytes;
  bytes << file.rdbuf();
  if (file.bad() || bytes.bad()) return std::nullopt;  // a directory, say
  return std::move(bytes).str();
}

absl::Status Malformed(const std::string& path, const std::string& problem) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", problem));
}

// The JSON object in `path`; an empty one if there is no such file.
absl::StatusOr<Json> ReadObject(const std::string& path) {
  const std::optional<std::string> text = ReadFile(path);
  if (!text) return Json::object();
  Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Malformed(path, "it is not valid JSON");
  if (!json.is_object()) {
    return Malformed(path,
                     absl::StrCat("it is a JSON ", json.type_name(), "; it must be an object"));
  }
  return json;
}

// A token is written as a string or as an object with its `content`.
absl::Status ReadSpecialTokens(const std::string& path, const Json& config, TokenizerFiles* files) {
  for (const char* name : kSpecialTokenNames) {
    const auto found = config.find(name);
    if (found == config.end() || found->is_null()) continue;
    const Json& token = found->is_object() ? found->value("content", Json()) : *found;
    if (!token.is_string()) {
      return Malformed(path,
                       absl::StrCat(name, " is a ", token.type_name(),
                                    "; it must be a string, null or an object with `content`"));
    }
    files->special_tokens[name] = token.get<std::string>();
  }
  return absl::OkStatus();
}

// The template is a string or a list of named ones, of which "default" counts.
absl::Status ReadChatTemplate(const std::string& path, const Json& config, TokenizerFiles* files) {
  const auto found = config.find("chat_template");
  if (found == config.end() || found->is_null()) return absl::OkStatus();
  const Json* source = &*found;
  if (found->is_array()) {
    source = nullptr;
    for (const Json& entry : *found) {
      const bool is_default = entry.is_object() && entry.value("name", Json()) == "default";
      if (is_default && entry.contains("template")) source = &entry["template"];
    }
    if (source == nullptr) return absl::OkStatus();
  }
  if (!source->is_string()) {
    return Malformed(path, absl::StrCat("chat_template is a ", source->type_name(),
                                        "; it must be a string or a list of named templates"));
  }
  files->chat_template = source->get<std::string>();
  files->chat_template_path = path;
  return absl::OkStatus();
}

absl::Status ReadEosIds(const std::string& path, std::vector<int32_t>* ids) {
  const absl::StatusOr<Json> config = ReadObject(path);
  if (!config.ok()) return config.status();
  const Json value = config->value("eos_token_id", Json());
  if (value.is_null()) return absl::OkStatus();
  for (const Json& id : value.is_array() ? value : Json::array({value})) {
    if (!id.is_number_integer() || id < 0 || id > INT32_MAX) {
      return Malformed(path, "eos_token_id must be a token id, a list of them or null");
    }
    ids->push_back(id.get<int32_t>());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TokenizerFiles> ReadTokenizerFiles(const std::string& model_dir) {
  TokenizerFiles files;
  files.tokenizer_json_path = model_dir + "/tokenizer.json";
  std::optional<std::string> json = ReadFile(files.tokenizer_json_path);
  if (!json) {
    return absl::NotFoundError(absl::StrCat(files.tokenizer_json_path,
                                            ": cannot be read; a model directory needs this file"));
  }
  files.tokenizer_json = *std::move(json);

  const std::string config_path = model_dir + "/tokenizer_config.json";
  const absl::StatusOr<Json> config = ReadObject(config_path);
  if (!config.ok()) return config.status();
  absl::Status status = ReadSpecialTokens(config_path, *config, &files);
  if (status.ok()) status = ReadChatTemplate(config_path, *config, &files);
  if (!status.ok()) return status;
  const std::string jinja_path = model_dir + "/chat_template.jinja";
  if (const std::optional<std::string> jinja = ReadFile(jinja_path)) {
    if (!IsValidUtf8(*jinja)) return Malformed(jinja_path, "it is not valid UTF-8");
    files.chat_template = *jinja;
    files.chat_template_path = jinja_path;
  }

  for (const char* name : {"/generation_config.json", "/config.json"}) {
    if (!files.eos_ids.empty()) break;
    status = ReadEosIds(model_dir + name, &files.eos_ids);
    if (!status.ok()) return status;
  }
  return files;
}

}  // namespace kvscope::inference
