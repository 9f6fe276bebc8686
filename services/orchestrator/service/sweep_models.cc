#include "services/orchestrator/service/sweep_models.h"

#include "absl/strings/str_cat.h"

namespace kvscope::orchestrator {

int ModelCount(const v1::SweepSpec& spec) { return 1 + spec.more_models_size(); }

const std::string& ModelAt(const v1::SweepSpec& spec, int ordinal) {
  if (ordinal < 0 || ordinal >= ModelCount(spec)) return v1::SweepSpec::default_instance().model();
  return ordinal == 0 ? spec.model() : spec.more_models(ordinal - 1);
}

const v1::ModelInfo& InfoOf(const v1::CheckReply& check, int ordinal) {
  if (ordinal == 0) return check.model();
  if (ordinal < 0 || ordinal > check.more_models_size()) return v1::ModelInfo::default_instance();
  return check.more_models(ordinal - 1).model();
}

int64_t ContextTokensTotal(const v1::CheckReply& check, int ordinal) {
  if (ordinal == 0) return check.context_tokens_total();
  if (ordinal < 0 || ordinal > check.more_models_size()) return 0;
  return check.more_models(ordinal - 1).context_tokens_total();
}

const std::string& ModelName(const SweepProtos& protos, int ordinal) {
  const std::string& name = InfoOf(protos.check, ordinal).name();
  return name.empty() ? ModelAt(protos.spec, ordinal) : name;
}

absl::Status CheckModels(const v1::SweepSpec& spec, const v1::CheckReply& check) {
  if (check.more_models_size() != spec.more_models_size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the check answered for ", 1 + check.more_models_size(), " models of ", ModelCount(spec)));
  }
  for (int i = 0; i < check.more_models_size(); ++i) {
    const v1::ModelInfo& model = check.more_models(i).model();
    if (model.device() == check.model().device() &&
        model.code_version() == check.model().code_version()) {
      continue;
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "the check answered with device ", model.device(), " and code version ",
        model.code_version(), " for model[", i + 1, "], but with ", check.model().device(), " and ",
        check.model().code_version(), " for model[0]"));
  }
  return absl::OkStatus();
}

}  // namespace kvscope::orchestrator
