#include "services/orchestrator/report/sweep_model.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace kvscope::orchestrator {
namespace {

constexpr std::string_view kSeparator = " \u00B7 ";

struct ProvenanceModel {
  std::string name;
  std::string type;
};

std::vector<ProvenanceModel> ProvenanceModels(const ReportInput& input) {
  std::vector<ProvenanceModel> models;
  for (const auto& [key, text] : input.provenance) {
    if (key != "model") continue;
    const size_t colon = text.find(": ");
    if (colon == std::string::npos) {
      models.push_back({text, text});
    } else {
      const std::string type = text.substr(colon + 2);
      models.push_back({text.substr(0, colon), type.substr(0, type.find(','))});
    }
  }
  return models;
}

std::string LastPart(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  return std::string(path.substr(path.rfind('/') + 1));
}

ModelFamily FamilyOf(const std::string& type) {
  const std::string lower = absl::AsciiStrToLower(type);
  if (absl::StrContains(lower, "llama")) return ModelFamily::kLlama;
  return absl::StrContains(lower, "qwen") ? ModelFamily::kQwen : ModelFamily::kOther;
}

// The suffixes of the models in the rows; {""} where rows do not name them.
std::set<std::string> Suffixes(const ReportInput& input, size_t named) {
  std::set<std::string> suffixes;
  for (const ReportRow& row : input.rows) {
    const size_t separator = row.dataset.rfind(kSeparator);
    const bool has = named != 1 && separator != std::string::npos;
    suffixes.insert(has ? row.dataset.substr(separator) : "");
  }
  if (named == 0 && suffixes.contains("")) return {""};
  if (suffixes.size() > 1) suffixes.erase("");  // a row that names no model is nobody's
  return suffixes;
}

void AddRows(const ReportInput& input, SweepModel& model) {
  for (const ReportRow& row : input.rows) {
    if (const auto dataset = model.DatasetOf(row.dataset)) {
      model.rows[{*dataset, row.regime, row.press}].emplace(row.ratio, &row);
    }
  }
  for (const ReportTagRow& row : input.tag_rows) {
    const auto dataset = model.DatasetOf(row.dataset);
    if (!dataset || row.value.empty()) continue;
    model.tag_rows[{{*dataset, row.regime, row.press}, row.tag, row.value}].emplace(row.ratio,
                                                                                    &row);
  }
}

}  // namespace

std::optional<std::string> SweepModel::DatasetOf(std::string_view row_dataset) const {
  if (!row_dataset.ends_with(suffix)) return std::nullopt;
  row_dataset.remove_suffix(suffix.size());
  return std::string(row_dataset);
}

std::vector<std::string> SweepModel::PaperPresses() const {
  std::set<std::string> presses;
  for (const auto& [key, series] : rows) {
    if (IsPaperPress(key.press)) presses.insert(key.press);
  }
  return {presses.begin(), presses.end()};
}

std::vector<std::pair<std::string, std::string>> SweepModel::PaperArms() const {
  std::set<std::pair<std::string, std::string>> arms;
  for (const auto& [key, series] : rows) {
    const bool paper_regime = key.regime == "agnostic" || key.regime == "aware";
    if (IsPaperPress(key.press) && paper_regime) arms.emplace(key.press, key.regime);
  }
  return {arms.begin(), arms.end()};
}

std::vector<SweepModel> SweepModels(const ReportInput& input) {
  const std::vector<ProvenanceModel> provenance = ProvenanceModels(input);
  std::vector<SweepModel> models;
  for (const std::string& suffix : Suffixes(input, provenance.size())) {
    SweepModel& model = models.emplace_back();
    model.suffix = suffix;
    model.name = suffix.empty() ? "" : suffix.substr(kSeparator.size());
    std::string type = model.name;
    for (const ProvenanceModel& known : provenance) {
      const bool only = provenance.size() == 1;
      if (!only && known.name != model.name && LastPart(known.name) != model.name) continue;
      if (only) model.name = LastPart(known.name);
      type = known.type;
    }
    model.family = FamilyOf(type);
    AddRows(input, model);
  }
  return models;
}

bool IsPaperPress(std::string_view press) {
  std::string packed;
  std::copy_if(press.begin(), press.end(), std::back_inserter(packed),
               [](char c) { return c != ' '; });
  for (const std::string_view budget : {"chunk(", "adakv(", "ChunkPress(", "AdaKVPress("}) {
    for (const std::string_view scorer : {"expected_attention", "ExpectedAttentionPress"}) {
      const std::string start = std::string(budget) + std::string(scorer);
      if (!packed.starts_with(start) || packed.size() == start.size()) continue;
      const char next = packed[start.size()];
      if (next == ',' || next == '(' || next == ')') return true;
    }
  }
  return false;
}

bool IsRandomPress(std::string_view press) {
  std::string word;
  for (const char c : std::string(press) + " ") {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_') {
      word += c;
      continue;
    }
    if (word == "random" || word == "RandomPress") return true;
    word.clear();
  }
  return false;
}

}  // namespace kvscope::orchestrator
