#include "services/inference/inspect/tokens.h"

#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/inference/tokenizer/tokenizer.h"

namespace kvscope::inference {
namespace {

using Json = nlohmann::json;

std::string IdsJson(const std::vector<int32_t>& ids) {
  return absl::StrCat("[", absl::StrJoin(ids, ","), "]");
}

std::string EncodeToJson(const Tokenizer& tokenizer, const InspectTokensOptions& options,
                         const std::string& text) {
  if (!options.offsets) {
    const std::string ids = IdsJson(tokenizer.Encode(text, options.add_special_tokens));
    return options.lines ? ids : absl::StrCat("{\"ids\":", ids, "}");
  }
  const OffsetEncoding encoding = tokenizer.EncodeWithOffsets(text, options.add_special_tokens);
  const std::string offsets =
      absl::StrJoin(encoding.offsets, ",", [](std::string* to, const CharRange& range) {
        absl::StrAppend(to, "[", range.begin, ",", range.end, "]");
      });
  return absl::StrCat("{\"ids\":", IdsJson(encoding.ids), ",\"offsets\":[", offsets, "]}");
}

// The ids in a JSON list or in the `ids` of an object.
std::optional<std::vector<int32_t>> ParseIds(const std::string& text) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_object()) json = json.value("ids", Json());
  if (!json.is_array()) return std::nullopt;
  std::vector<int32_t> ids;
  for (const Json& id : json) {
    if (!id.is_number_integer() || id < 0 || id > INT32_MAX) return std::nullopt;
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

absl::Status BadInput(int line, const char* allowed) {
  const std::string place = line > 0 ? absl::StrCat("line ", line, " of the input") : "the input";
  return absl::InvalidArgumentError(absl::StrCat(place, " must be ", allowed));
}

constexpr char kIdsAllowed[] = "a JSON list of token ids, or an object with one as `ids`";

absl::Status TranslateLine(const Tokenizer& tokenizer, const InspectTokensOptions& options,
                           const std::string& line, int number, std::ostream& out) {
  if (options.decode) {
    const std::optional<std::vector<int32_t>> ids = ParseIds(line);
    if (!ids) return BadInput(number, kIdsAllowed);
    out << Json(tokenizer.Decode(*ids, options.skip_special_tokens)).dump() << "\n";
    return absl::OkStatus();
  }
  const Json text = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!text.is_string()) return BadInput(number, "a JSON string");
  out << EncodeToJson(tokenizer, options, text.get<std::string>()) << "\n";
  return absl::OkStatus();
}

}  // namespace

absl::Status InspectTokens(const InspectTokensOptions& options, std::istream& in,
                           std::ostream& out) {
  const absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = Tokenizer::Load(options.model_dir);
  if (!tokenizer.ok()) return tokenizer.status();
  if (options.lines) {
    std::string line;
    for (int number = 1; std::getline(in, line); ++number) {
      absl::Status status = TranslateLine(**tokenizer, options, line, number, out);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }
  const std::string input(std::istreambuf_iterator<char>(in), {});
  if (!options.decode) {
    out << EncodeToJson(**tokenizer, options, input) << "\n";
    return absl::OkStatus();
  }
  const std::optional<std::vector<int32_t>> ids = ParseIds(input);
  if (!ids) return BadInput(0, kIdsAllowed);
  out << (*tokenizer)->Decode(*ids, options.skip_special_tokens);
  return absl::OkStatus();
}

}  // namespace kvscope::inference
