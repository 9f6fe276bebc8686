#include "services/client/cli/model_labels.h"

#include <filesystem>
#include <set>

#include "absl/strings/str_cat.h"

namespace kvscope::cli {
namespace {

std::vector<std::string> NamesIn(const std::vector<v1::Cell>& cells) {
  std::set<std::string> names;
  for (const v1::Cell& cell : cells) names.insert(cell.model());
  return {names.begin(), names.end()};
}

}  // namespace

std::string LastName(const std::string& path) {
  const std::filesystem::path normal = std::filesystem::path(path).lexically_normal();
  return (normal.has_filename() ? normal : normal.parent_path()).filename().string();
}

std::vector<std::string> ModelsOf(const v1::Sweep& sweep) {
  const v1::SweepSpec& spec = sweep.spec();
  const auto name = [](const v1::ModelInfo& info, const std::string& given) {
    return info.name().empty() ? given : info.name();
  };
  std::vector<std::string> names = {name(sweep.model(), spec.model())};
  for (int i = 0; i < spec.more_models_size(); ++i) {
    const bool checked = i < sweep.more_models_size();
    names.push_back(name(checked ? sweep.more_models(i) : v1::ModelInfo::default_instance(),
                         spec.more_models(i)));
  }
  return names;
}

ModelLabels::ModelLabels(const std::vector<std::string>& names) {
  std::map<std::string, int> uses;
  for (const std::string& name : names) ++uses[LastName(name)];
  for (const std::string& name : names) {
    const std::string last = LastName(name);
    labels_[name] = uses[last] == 1 && !last.empty() ? last : name;
  }
}

ModelLabels::ModelLabels(const std::vector<v1::Cell>& cells) : ModelLabels(NamesIn(cells)) {}

const std::string& ModelLabels::Of(const std::string& name) const {
  const auto found = labels_.find(name);
  return found == labels_.end() ? name : found->second;
}

std::string ModelLabels::Part(const std::string& dataset, const std::string& model) const {
  return several() ? absl::StrCat(dataset, " \u00B7 ", Of(model)) : dataset;
}

}  // namespace kvscope::cli
