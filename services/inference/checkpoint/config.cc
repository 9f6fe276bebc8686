#include "services/inference/checkpoint/config.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/inference/checkpoint/mapped_file.h"

namespace kvscope::inference {
namespace {

using nlohmann::json;

constexpr size_t kMaxConfigBytes = 16 << 20;
// Far above any model, and low enough that no product of two overflows.
constexpr int64_t kMaxVocab = 1 << 24;
constexpr int64_t kMaxWidth = 1 << 20;
constexpr int64_t kMaxLayers = 1024;
constexpr int64_t kMaxHeads = 4096;
constexpr int64_t kMaxHeadDim = 1024;
constexpr int64_t kMaxPositions = 1 << 30;

// What was found, shortened, for a message.
std::string Found(const json& value) {
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  return text.size() > 80 ? text.substr(0, 80) + "..." : text;
}

// Reads fields of one JSON object and keeps the first error.
class Fields {
 public:
  Fields(const json& object, std::string file, std::string prefix = "")
      : object_(object), file_(std::move(file)), prefix_(std::move(prefix)) {}

  const absl::Status& status() const { return status_; }
  void Refuse(std::string_view field, std::string_view found, std::string_view allowed) {
    if (!status_.ok()) return;
    status_ =
        absl::InvalidArgumentError(absl::StrCat(file_, ": ", prefix_, std::string(field), " is ",
                                                std::string(found), "; ", std::string(allowed)));
  }
  // A field that is absent or null is nullptr.
  const json* Find(std::string_view field) const {
    const auto found = object_.find(field);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  bool IsNull(std::string_view field) const {
    const auto found = object_.find(field);
    return found != object_.end() && found->is_null();
  }

  // Without a default the field must be there.
  int64_t Int(std::string_view field, int64_t min, int64_t max,
              std::optional<int64_t> default_value = {}) {
    const json* value = Find(field);
    if (value == nullptr && default_value) return *default_value;
    const std::string allowed = absl::StrCat("a whole number in [", min, ", ", max, "] is needed");
    if (value == nullptr) {
      Refuse(field, "missing", allowed);
      return min;
    }
    const bool fits =
        value->is_number_integer() &&
        (!value->is_number_unsigned() || value->get<uint64_t>() <= static_cast<uint64_t>(max)) &&
        value->get<int64_t>() >= min && value->get<int64_t>() <= max;
    if (!fits) {
      Refuse(field, Found(*value), allowed);
      return min;
    }
    return value->get<int64_t>();
  }

  double Number(std::string_view field, double min, double max,
                std::optional<double> default_value = {}) {
    const json* value = Find(field);
    if (value == nullptr && default_value) return *default_value;
    const std::string allowed = absl::StrCat("a number in [", min, ", ", max, "] is needed");
    if (value == nullptr) {
      Refuse(field, "missing", allowed);
      return min;
    }
    const double number = value->is_number() ? value->get<double>() : std::nan("");
    if (!(number >= min && number <= max)) {
      Refuse(field, Found(*value), allowed);
      return min;
    }
    return number;
  }

  bool Bool(std::string_view field, bool default_value) {
    const json* value = Find(field);
    if (value == nullptr) return default_value;
    if (!value->is_boolean()) {
      Refuse(field, Found(*value), "true or false is needed");
      return default_value;
    }
    return value->get<bool>();
  }

  std::string String(std::string_view field, std::string_view default_value) {
    const json* value = Find(field);
    if (value == nullptr) return std::string(default_value);
    if (!value->is_string()) {
      Refuse(field, Found(*value), "a string is needed");
      return std::string(default_value);
    }
    return value->get<std::string>();
  }

  const std::string& file() const { return file_; }

 private:
  const json& object_;
  std::string file_;
  std::string prefix_;
  absl::Status status_;
};

// transformers 5 has one object `rope_parameters`; 4 has `rope_theta` and, for scaled models, an
// object `rope_scaling` whose kind is `rope_type` or, earlier, `type`.
absl::Status ReadRope(Fields& fields, RopeConfig& rope) {
  rope.theta = fields.Number("rope_theta", 1.0, 1e12, 10000.0);
  const double partial = fields.Number("partial_rotary_factor", 0.0, 1.0, 1.0);
  if (partial != 1.0) {
    fields.Refuse("partial_rotary_factor", absl::StrCat(partial), "only 1 is supported");
  }
  const char* name = fields.Find("rope_parameters") != nullptr ? "rope_parameters" : "rope_scaling";
  const json* scaling = fields.Find(name);
  if (scaling == nullptr) return fields.status();
  if (!scaling->is_object()) {
    fields.Refuse(name, Found(*scaling), "an object or null is needed");
    return fields.status();
  }
  Fields inner(*scaling, fields.file(), absl::StrCat(name, "."));
  rope.theta = inner.Number("rope_theta", 1.0, 1e12, rope.theta);
  rope.kind = inner.String("rope_type", inner.String("type", "default"));
  if (rope.kind == "linear") {
    rope.factor = inner.Number("factor", 1.0, 1e6);
  } else if (rope.kind == "llama3") {
    rope.factor = inner.Number("factor", 1.0, 1e6);
    rope.low_freq_factor = inner.Number("low_freq_factor", 1e-6, 1e6);
    rope.high_freq_factor = inner.Number("high_freq_factor", 1e-6, 1e6);
    rope.original_max_positions = inner.Int("original_max_position_embeddings", 1, kMaxPositions);
    if (rope.high_freq_factor <= rope.low_freq_factor) {
      inner.Refuse("high_freq_factor", absl::StrCat(rope.high_freq_factor),
                   "more than low_freq_factor is needed");
    }
  } else if (rope.kind != "default") {
    inner.Refuse("rope_type", absl::StrCat("'", rope.kind, "'"),
                 "supported are default, linear and llama3");
  }
  return fields.status().ok() ? inner.status() : fields.status();
}

// Attention to a window of recent tokens only would make "evicted" ambiguous, so a model that uses
// one is refused. Defaults are those of the family's configuration in transformers.
void RefuseSlidingWindow(Fields& fields, const ModelConfig& config) {
  if (const json* types = fields.Find("layer_types")) {
    const bool all_full =
        types->is_array() &&
        std::all_of(types->begin(), types->end(), [](auto& t) { return t == "full_attention"; });
    if (!all_full) {
      fields.Refuse("layer_types", Found(*types), "only full_attention layers are supported");
    }
  }
  if (config.model_type == "llama") return;
  if (config.model_type == "mistral") {
    // Only an explicit null switches mistral's window off.
    if (fields.IsNull("sliding_window")) return;
    const int64_t window = fields.Int("sliding_window", 0, kMaxPositions, 4096);
    if (window > 0 && window < config.max_positions) {
      fields.Refuse("sliding_window", absl::StrCat(window),
                    "sliding-window attention is not supported, null is needed");
    }
    return;
  }
  const int64_t first_sliding = fields.Int("max_window_layers", 0, kMaxPositions, 28);
  if (fields.Bool("use_sliding_window", false) && fields.Find("layer_types") == nullptr &&
      fields.Find("sliding_window") != nullptr && first_sliding < config.layers) {
    fields.Refuse("use_sliding_window", "true", "sliding-window attention is not supported");
  }
}

void ReadShape(Fields& fields, ModelConfig& config) {
  config.vocab_size = static_cast<int>(fields.Int("vocab_size", 1, kMaxVocab));
  config.hidden_size = static_cast<int>(fields.Int("hidden_size", 1, kMaxWidth));
  config.intermediate_size = static_cast<int>(fields.Int("intermediate_size", 1, kMaxWidth));
  config.layers = static_cast<int>(fields.Int("num_hidden_layers", 1, kMaxLayers));
  config.q_heads = static_cast<int>(fields.Int("num_attention_heads", 1, kMaxHeads));
  config.kv_heads =
      static_cast<int>(fields.Int("num_key_value_heads", 1, kMaxHeads, config.q_heads));
  if (!fields.status().ok()) return;
  if (config.q_heads % config.kv_heads != 0) {
    fields.Refuse(
        "num_key_value_heads", absl::StrCat(config.kv_heads),
        absl::StrCat("a divisor of num_attention_heads (", config.q_heads, ") is needed"));
  }
  const int64_t default_head_dim =
      config.model_type == "qwen3" ? 128 : config.hidden_size / config.q_heads;
  config.head_dim = static_cast<int>(fields.Int("head_dim", 1, kMaxHeadDim, default_head_dim));
  if (config.head_dim % 2 != 0 || config.head_dim == 0 || config.head_dim > kMaxHeadDim) {
    fields.Refuse("head_dim", absl::StrCat(config.head_dim),
                  absl::StrCat("an even number in [2, ", kMaxHeadDim, "] is needed"));
  }
  config.max_positions = fields.Int("max_position_embeddings", 1, kMaxPositions, 2048);
  config.rms_norm_eps = static_cast<float>(fields.Number("rms_norm_eps", 0.0, 1.0, 1e-6));
}

void ReadVariant(Fields& fields, ModelConfig& config) {
  config.tie_word_embeddings = fields.Bool("tie_word_embeddings", false);
  if (config.model_type == "qwen2") {
    config.attention_bias = true;
  } else if (config.model_type != "mistral") {
    config.attention_bias = fields.Bool("attention_bias", false);
    config.attention_output_bias = config.attention_bias;
  }
  if (config.model_type == "llama") config.mlp_bias = fields.Bool("mlp_bias", false);
  config.qk_norm = config.model_type == "qwen3";

  const std::string activation = fields.String("hidden_act", "silu");
  if (activation != "silu") {
    fields.Refuse("hidden_act", absl::StrCat("'", activation, "'"), "only 'silu' is supported");
  }
  if (const json* quantization = fields.Find("quantization_config")) {
    fields.Refuse("quantization_config", Found(*quantization),
                  "quantised weights are not supported");
  }
  const std::string dtype = fields.String("dtype", fields.String("torch_dtype", "float32"));
  if (dtype == "float32") {
    config.dtype = DType::kFloat32;
  } else if (dtype == "bfloat16") {
    config.dtype = DType::kBFloat16;
  } else if (dtype == "float16") {
    config.dtype = DType::kFloat16;
  } else {
    fields.Refuse("dtype", absl::StrCat("'", dtype, "'"), "float32, bfloat16 or float16 is needed");
  }
}

absl::StatusOr<json> ParseObject(std::string_view text, const std::string& file) {
  // The depth limit keeps hostile nesting from costing more than it is worth.
  bool too_deep = false;
  const auto limit = [&](int depth, json::parse_event_t, json&) {
    too_deep = too_deep || depth > 64;
    return depth <= 64;
  };
  json parsed = json::parse(text.begin(), text.end(), limit, /*allow_exceptions=*/false);
  if (too_deep || !parsed.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": is not a JSON object"));
  }
  return parsed;
}

// One id or a list of ids. Absent or null: none.
absl::Status AppendIds(const json& object, const std::string& file, std::vector<int32_t>& ids) {
  const auto found = object.find("eos_token_id");
  if (found == object.end() || found->is_null()) return absl::OkStatus();
  const json list = found->is_array() ? *found : json::array({*found});
  for (const json& id : list) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= static_cast<uint64_t>(kMaxVocab)) {
      return absl::InvalidArgumentError(
          absl::StrCat(file, ": eos_token_id is ", Found(*found),
                       "; a token id or a list of token ids is needed"));
    }
    ids.push_back(static_cast<int32_t>(id.get<uint64_t>()));
  }
  return absl::OkStatus();
}

}  // namespace

const std::vector<std::string_view>& SupportedModelTypes() {
  static const auto& types =
      *new std::vector<std::string_view>{"llama", "mistral", "qwen2", "qwen3"};
  return types;
}

absl::StatusOr<ModelConfig> ParseModelConfig(std::string_view text, const std::string& file) {
  absl::StatusOr<json> parsed = ParseObject(text, file);
  if (!parsed.ok()) return parsed.status();
  Fields fields(*parsed, file);
  ModelConfig config;
  config.model_type = fields.String("model_type", "");
  const auto& types = SupportedModelTypes();
  if (fields.status().ok() &&
      std::find(types.begin(), types.end(), config.model_type) == types.end()) {
    std::vector<std::string> names(types.begin(), types.end());
    fields.Refuse("model_type",
                  fields.Find("model_type") == nullptr ? "missing" : Found((*parsed)["model_type"]),
                  absl::StrCat("supported are ", absl::StrJoin(names, ", ")));
  }
  if (!fields.status().ok()) return fields.status();
  ReadShape(fields, config);
  if (!fields.status().ok()) return fields.status();
  ReadVariant(fields, config);
  RefuseSlidingWindow(fields, config);
  if (absl::Status status = ReadRope(fields, config.rope); !status.ok()) return status;
  return config;
}

absl::StatusOr<ModelConfig> ReadModelConfig(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "config.json";
  absl::StatusOr<std::string> text = ReadTextFile(path, kMaxConfigBytes);
  if (!text.ok()) return text.status();
  return ParseModelConfig(*text, path.string());
}

absl::StatusOr<GenerationConfig> ReadGenerationConfig(const std::filesystem::path& directory) {
  GenerationConfig config;
  for (const char* name : {"generation_config.json", "config.json"}) {
    const std::filesystem::path path = directory / name;
    absl::StatusOr<std::string> text = ReadTextFile(path, kMaxConfigBytes);
    if (absl::IsNotFound(text.status())) continue;
    if (!text.ok()) return text.status();
    absl::StatusOr<json> parsed = ParseObject(*text, path.string());
    if (!parsed.ok()) return parsed.status();
    if (absl::Status status = AppendIds(*parsed, path.string(), config.eos_ids); !status.ok()) {
      return status;
    }
    if (!config.eos_ids.empty()) break;
  }
  return config;
}

}  // namespace kvscope::inference
