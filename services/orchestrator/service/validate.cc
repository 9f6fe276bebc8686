#include "services/orchestrator/service/validate.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/orchestrator/datasets/passage_json.h"
#include "services/orchestrator/sweep/sweep.h"
#include "services/orchestrator/sweep/utf8.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

constexpr int kMaxNewTokens = 4096;
constexpr int kMaxListed = 1000;  // presses, ratios, data sets
constexpr size_t kMaxText = 16 << 10;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

absl::Status ValidateName(const std::string& name) {
  constexpr std::string_view kMarks = "._-";
  const bool allowed = std::all_of(name.begin(), name.end(), [&](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(static_cast<char>(c)) != std::string_view::npos;
  });
  const bool starts = !name.empty() && name[0] != '.' && name[0] != '-';  // as in a sweep file
  if (!starts || name.size() > 100 || !allowed) {
    return Invalid(
        "spec.name: must have 1 to 100 letters, digits, '.', '_' or '-', the first a letter, a "
        "digit or '_'");
  }
  return absl::OkStatus();
}

absl::Status ValidateChoice(const char* field, const std::string& value,
                            std::initializer_list<const char*> allowed) {
  std::string words;
  for (const char* word : allowed) {
    if (value == word) return absl::OkStatus();
    absl::StrAppend(&words, words.empty() ? "" : ", ", word);
  }
  return Invalid("spec.", field, ": is \"", value, "\", allowed are ", words);
}

absl::Status ValidateSize(const char* field, int size) {
  if (size >= 1 && size <= kMaxListed) return absl::OkStatus();
  return Invalid("spec.", field, ": has ", size, " entries, allowed are 1 to ", kMaxListed);
}

absl::Status ValidateRatios(const v1::SweepSpec& spec) {
  std::set<double> seen;
  for (int i = 0; i < spec.ratios_size(); ++i) {
    const double ratio = spec.ratios(i);
    if (!(ratio >= 0 && ratio < 1)) {
      return Invalid("spec.ratios[", i, "]: is ", ratio, ", allowed is [0, 1)");
    }
    if (!seen.insert(ratio).second) {
      return Invalid("spec.ratios[", i, "]: ", ratio, " is there twice");
    }
  }
  return absl::OkStatus();
}

absl::Status ValidatePresses(const v1::SweepSpec& spec) {
  std::set<std::string_view> seen;
  for (int i = 0; i < spec.presses_size(); ++i) {
    const std::string& press = spec.presses(i);
    if (press.empty() || press.size() > 1000) {
      return Invalid("spec.presses[", i, "]: must have 1 to 1000 bytes");
    }
    if (!seen.insert(press).second) {
      return Invalid("spec.presses[", i, "]: \"", press, "\" is there twice");
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateRegimes(const v1::SweepSpec& spec) {
  std::set<int> seen;
  for (int i = 0; i < spec.regimes_size(); ++i) {
    const int regime = spec.regimes(i);
    if (regime < v1::AGNOSTIC || regime > v1::AWARE_EACH) {
      return Invalid("spec.regimes[", i, "]: is ", regime,
                     ", allowed are AGNOSTIC, AWARE and AWARE_EACH");
    }
    if (!seen.insert(regime).second) {
      return Invalid("spec.regimes[", i, "]: ", v1::Regime_Name(regime), " is there twice");
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateModels(const v1::SweepSpec& spec) {
  if (spec.model().empty()) return Invalid("spec.model: is missing");
  if (spec.more_models_size() >= kMaxListed) {
    return Invalid("spec.more_models: has ", spec.more_models_size(),
                   " entries, allowed are at most ", kMaxListed - 1);
  }
  std::set<std::string_view> seen = {spec.model()};
  for (int i = 0; i < spec.more_models_size(); ++i) {
    const std::string& model = spec.more_models(i);
    if (model.empty()) return Invalid("spec.more_models[", i, "]: is empty");
    if (!seen.insert(model).second) {
      return Invalid("spec.more_models[", i, "]: \"", model, "\" is there twice");
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateTexts(const v1::SweepSpec& spec) {
  const v1::Prompt& prompt = spec.prompt();
  std::vector<const std::string*> texts = {
      &spec.model(),          &spec.scoring().tokenizer(), &prompt.instruction(),
      &prompt.aware_line(),   &prompt.question_prefix(),   &prompt.question_suffix(),
      &prompt.answer_prefix()};
  for (const std::string& model : spec.more_models()) texts.push_back(&model);
  for (const std::string* text : texts) {
    if (text->size() > kMaxText) {
      return Invalid("spec: the text \"", absl::string_view(text->data(), 40), "...\" has ",
                     text->size(), " bytes, at most ", kMaxText, " are allowed");
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateScoring(const v1::Scoring& scoring) {
  const double correct = scoring.correct_min_f1() == 0 ? 0.5 : scoring.correct_min_f1();
  if (!(correct > 0 && correct <= 1)) {
    return Invalid("spec.scoring.correct_min_f1: is ", correct, ", allowed is [0, 1]");
  }
  const double partial = scoring.partial_above_f1();
  if (!(partial >= 0 && partial <= correct)) {
    return Invalid("spec.scoring.partial_above_f1: is ", partial, ", allowed is [0, ", correct,
                   "]: up to where an answer is correct");
  }
  if (scoring.abstentions_size() > static_cast<int>(kMaxAbstentions)) {
    return Invalid("spec.scoring.abstentions: has ", scoring.abstentions_size(),
                   " entries, allowed are at most ", kMaxAbstentions);
  }
  for (int i = 0; i < scoring.abstentions_size(); ++i) {
    const std::string& phrase = scoring.abstentions(i);
    if (phrase.size() <= kMaxAbstentionBytes && HasLetterOrDigit(phrase)) continue;
    return Invalid("spec.scoring.abstentions[", i, "]: must have 1 to ", kMaxAbstentionBytes,
                   " bytes, with a letter or a digit among them");
  }
  return absl::OkStatus();
}

absl::Status ValidateCapture(const v1::Capture& capture) {
  if (capture.heatmap_passages() < 0) {
    return Invalid("spec.capture.heatmap_passages: is ", capture.heatmap_passages(),
                   ", allowed are 0 and more");
  }
  if (capture.graph_passages() < 0) {
    return Invalid("spec.capture.graph_passages: is ", capture.graph_passages(),
                   ", allowed are 0 and more");
  }
  if (!(capture.graph_epsilon() >= 0 && capture.graph_epsilon() < 1)) {
    return Invalid("spec.capture.graph_epsilon: is ", capture.graph_epsilon(),
                   ", allowed are 0 to under 1");
  }
  if (!capture.probe_pool().empty()) {
    KVSCOPE_RETURN_IF_ERROR(
        ValidateChoice("capture.probe_pool", capture.probe_pool(), {"last", "mean", "context"}));
  }
  int previous = -1;
  for (const int layer : capture.probe_layers()) {
    if (layer <= previous) {
      return Invalid("spec.capture.probe_layers: ", layer, " follows ", previous,
                     ", they must ascend from 0 on");
    }
    previous = layer;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateRequestId(const std::string& request_id) {
  const bool printable = std::all_of(request_id.begin(), request_id.end(),
                                     [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
  if (request_id.size() > 128 || !printable) {
    return Invalid("request_id: must have at most 128 printable ASCII characters");
  }
  return absl::OkStatus();
}

absl::Status ValidateSpec(const v1::SweepSpec& spec) {
  KVSCOPE_RETURN_IF_ERROR(ValidateName(spec.name()));
  KVSCOPE_RETURN_IF_ERROR(ValidateTexts(spec));
  KVSCOPE_RETURN_IF_ERROR(ValidateModels(spec));
  if (!NamesCudaDevice(spec.device())) {
    KVSCOPE_RETURN_IF_ERROR(
        ValidateChoice("device", spec.device(), {"auto", "cpu", "cuda", "cuda:N", "reference"}));
  }
  KVSCOPE_RETURN_IF_ERROR(ValidateChoice("dtype", spec.dtype(), {"auto", "float32", "bfloat16"}));
  KVSCOPE_RETURN_IF_ERROR(ValidateSize("datasets", spec.datasets_size()));
  KVSCOPE_RETURN_IF_ERROR(ValidateSize("regimes", spec.regimes_size()));
  KVSCOPE_RETURN_IF_ERROR(ValidateSize("presses", spec.presses_size()));
  KVSCOPE_RETURN_IF_ERROR(ValidateSize("ratios", spec.ratios_size()));
  KVSCOPE_RETURN_IF_ERROR(ValidateRegimes(spec));
  KVSCOPE_RETURN_IF_ERROR(ValidatePresses(spec));
  KVSCOPE_RETURN_IF_ERROR(ValidateRatios(spec));
  if (spec.max_new_tokens() < 1 || spec.max_new_tokens() > kMaxNewTokens) {
    return Invalid("spec.max_new_tokens: is ", spec.max_new_tokens(), ", allowed are 1 to ",
                   kMaxNewTokens);
  }
  KVSCOPE_RETURN_IF_ERROR(ValidateCapture(spec.capture()));
  return ValidateScoring(spec.scoring());
}

absl::StatusOr<std::string> CanonicalPassage(Passage& passage, const std::string& dataset,
                                             int64_t ordinal) {
  if (passage.dataset.empty()) passage.dataset = dataset;
  if (passage.passage_id.empty()) {
    passage.passage_id = absl::StrFormat("%s-%03d", passage.dataset, ordinal);
  }
  for (size_t i = 0; i < passage.questions.size(); ++i) {
    std::string& id = passage.questions[i].question_id;
    if (id.empty()) id = absl::StrFormat("%s-%02d", passage.passage_id, i);
  }
  const std::string where = absl::StrCat("passages[", ordinal, "]");
  std::string line = FormatPassage(passage);
  KVSCOPE_ASSIGN_OR_RETURN(
      passage, ParsePassage(line, {.where = where, .dataset = dataset, .ordinal = ordinal}));
  if (line.size() > kMaxPassageBytes) {
    return Invalid(where, ": has ", line.size(), " bytes with its questions, at most ",
                   kMaxPassageBytes, " are allowed");
  }
  return line;
}

absl::StatusOr<std::vector<Tag>> ValidateTags(const v1::ListCellsRequest& request) {
  std::vector<Tag> tags;
  for (int i = 0; i < request.group_by_size(); ++i) {
    const std::string& name = request.group_by(i);
    const std::optional<Tag> tag = TagOf(name);
    if (!tag) {
      return Invalid("group_by[", i, "]: is \"", absl::string_view(name).substr(0, 40),
                     "\", allowed are ", "direction, answer_type, question_type, hop");
    }
    if (std::find(tags.begin(), tags.end(), *tag) != tags.end()) {
      return Invalid("group_by[", i, "]: \"", name, "\" is there twice");
    }
    tags.push_back(*tag);
  }
  return tags;
}

absl::StatusOr<int64_t> PageSize(int32_t page_size) {
  if (page_size == 0) return 100;
  if (page_size < 0 || page_size > 1000) {
    return Invalid("page_size: is ", page_size, ", allowed are 0 to 1000");
  }
  return page_size;
}

absl::StatusOr<int64_t> PageToken(const std::string& token, int64_t first) {
  if (token.empty()) return first;
  int64_t number = 0;
  if (!absl::SimpleAtoi(token, &number) || number < 0) {
    return Invalid("page_token: \"", absl::string_view(token).substr(0, 40),
                   "\" was not returned by a list");
  }
  return number;
}

}  // namespace kvscope::orchestrator
