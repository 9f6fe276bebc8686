// The sweep file's keys, their types and ranges.
#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <exception>
#include <filesystem>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/orchestrator/sweep/nearest_name.h"
#include "services/orchestrator/sweep/sweep.h"
#include "services/orchestrator/sweep/utf8.h"
#include "services/orchestrator/sweep/yaml_section.h"

namespace kvscope::orchestrator {
namespace {

constexpr int64_t kMaxPassages = 1'000'000;
constexpr int64_t kMaxNewTokens = 4096;
constexpr size_t kMaxNameBytes = 100;

constexpr std::string_view kSweepKeys[] = {
    "name",   "model", "device",         "dtype",  "datasets", "regimes", "presses",
    "ratios", "seed",  "max_new_tokens", "prompt", "capture",  "score"};
constexpr std::string_view kDatasetKeys[] = {"name", "scale", "passages", "seed", "file"};
constexpr std::string_view kPromptKeys[] = {"instruction", "aware_line", "question_prefix",
                                            "question_suffix", "answer_prefix"};
constexpr std::string_view kCaptureKeys[] = {"consensus", "graph", "probes", "heatmaps"};
constexpr std::string_view kGraphKeys[] = {"passages", "epsilon"};
constexpr std::string_view kProbeKeys[] = {"pool", "layers"};
constexpr std::string_view kHeatmapKeys[] = {"passages"};
constexpr std::string_view kScoreKeys[] = {"tokenizer", "correct", "partial", "abstentions"};
constexpr std::string_view kDevices[] = {"auto", "cpu", "cuda"};  // and NamesCudaDevice
constexpr std::string_view kDtypes[] = {"auto", "float32", "bfloat16"};
constexpr std::string_view kScales[] = {"paper", "pocket"};
constexpr std::string_view kRegimes[] = {"agnostic", "aware", "aware_each"};
constexpr std::string_view kPools[] = {"last", "mean", "context"};
constexpr int64_t kMaxProbeLayer = 1024;

bool IsNameByte(unsigned char c) {
  return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
}

std::string Element(std::string_view list, size_t index) {
  return absl::StrCat(std::string(list), "[", index, "]");
}

void ParseName(YamlSection& root, YamlErrors& errors, std::string* name) {
  root.Require("name");
  root.Text("name", name);
  if (!root.Has("name")) return;
  const bool fits = !name->empty() && name->size() <= kMaxNameBytes && name->front() != '.' &&
                    name->front() != '-' && std::all_of(name->begin(), name->end(), IsNameByte);
  if (fits) return;
  errors.Report(root.Find("name")->Mark(), "name",
                absl::StrCat("is ", Quoted(*name), ", must be 1 to ", kMaxNameBytes,
                             " letters, digits, '.', '_' or '-', the first a letter, a digit or "
                             "'_'"));
}

void RequireText(YamlSection& section, std::string_view key, YamlErrors& errors,
                 const std::string& value) {
  const auto node = section.Find(key);
  if (!node || !value.empty()) return;
  errors.Report(node->Mark(), section.Field(key), "is empty, must be text");
}

// Whether two paths name one folder, as far as can be told from their text.
bool SamePath(const std::string& a, const std::string& b) {
  const auto normal = [](const std::string& text) {
    const std::filesystem::path path = std::filesystem::path(text).lexically_normal();
    return path.has_filename() ? path : path.parent_path();
  };
  return normal(a) == normal(b);
}

void ParseModels(YamlSection& root, YamlErrors& errors, std::vector<std::string>& models) {
  root.Require("model");
  const auto node = root.Find("model");
  if (!node) return;
  if (!node->IsSequence()) {
    std::string model;
    root.Text("model", &model);
    RequireText(root, "model", errors, model);
    models = {std::move(model)};
    return;
  }
  for (const YAML::Node& element : root.List("model")) {
    const std::string field = Element("model", models.size());
    std::string model;
    ReadText(element, field, errors, &model);
    if (model.empty()) errors.Report(element.Mark(), field, "is empty, must be text");
    for (size_t i = 0; i < models.size(); ++i) {
      if (!SamePath(model, models[i])) continue;
      errors.Report(
          element.Mark(), field,
          absl::StrCat("is ", Quoted(model), ", the same model as ", Element("model", i)));
    }
    models.push_back(std::move(model));
  }
}

// A generator's entry or a file's; the other's keys are refused.
DatasetEntry ParseDataset(const YAML::Node& node, const std::string& path, uint64_t sweep_seed,
                          YamlErrors& errors) {
  DatasetEntry entry;
  entry.seed = sweep_seed;
  YamlSection section(node, path, kDatasetKeys, errors);
  section.Text("name", &entry.name);
  section.Text("file", &entry.file);
  RequireText(section, "name", errors, entry.name);
  RequireText(section, "file", errors, entry.file);
  if (section.Has("file")) {
    for (const std::string_view key : {"name", "scale", "seed"}) {
      if (!section.Has(key)) continue;
      errors.Report(section.Find(key)->Mark(), section.Field(key),
                    "stands beside file; a data set is either a file or generated");
    }
    entry.seed = 0;
    section.Integer("passages", 0, kMaxPassages, &entry.passages);
    return entry;
  }
  if (!section.Has("name")) {
    errors.Report(section.mark(), path, "needs either name (generated) or file (JSONL)");
  }
  std::string scale(ScaleName(entry.scale));
  section.Choice("scale", kScales, &scale);
  entry.scale = *ScaleOf(scale);
  section.Require("passages");
  section.Integer("passages", 1, kMaxPassages, &entry.passages);
  section.Unsigned("seed", &entry.seed);
  return entry;
}

// Entries that would bring the same passages twice: one file, or one generator with one seed.
bool SamePassages(const DatasetEntry& a, const DatasetEntry& b) {
  return a.file == b.file && a.name == b.name && a.scale == b.scale && a.seed == b.seed;
}

void ParseDatasets(YamlSection& root, YamlErrors& errors, Sweep& sweep) {
  root.Require("datasets");
  for (const YAML::Node& node : root.List("datasets")) {
    const std::string path = Element("datasets", sweep.datasets.size());
    DatasetEntry entry = ParseDataset(node, path, sweep.seed, errors);
    for (size_t i = 0; i < sweep.datasets.size(); ++i) {
      if (!SamePassages(entry, sweep.datasets[i])) continue;
      errors.Report(node.Mark(), path,
                    absl::StrCat("has the same passages as ", Element("datasets", i)));
    }
    sweep.datasets.push_back(std::move(entry));
  }
}

void ParseRegimes(YamlSection& root, YamlErrors& errors, Sweep& sweep) {
  if (!root.Has("regimes")) return;
  sweep.regimes.clear();
  size_t index = 0;
  for (const YAML::Node& node : root.List("regimes")) {
    const std::string field = Element("regimes", index++);
    std::string name;
    ReadText(node, field, errors, &name);
    const std::optional<Regime> regime = RegimeOf(name);
    if (!regime) {
      errors.Report(node.Mark(), field,
                    absl::StrCat("is ", Quoted(name), KnownNames(name, kRegimes)));
      continue;
    }
    if (std::count(sweep.regimes.begin(), sweep.regimes.end(), *regime) > 0) {
      errors.Report(node.Mark(), field, absl::StrCat("lists ", name, " twice"));
    }
    sweep.regimes.push_back(*regime);
  }
}

// Blanks never matter in a press expression.
std::string WithoutBlanks(std::string text) {
  text.erase(std::remove_if(text.begin(), text.end(),
                            [](unsigned char c) { return absl::ascii_isspace(c); }),
             text.end());
  return text;
}

void ParsePresses(YamlSection& root, YamlErrors& errors, Sweep& sweep) {
  root.Require("presses");
  std::vector<std::string> seen;
  for (const YAML::Node& node : root.List("presses")) {
    const std::string field = Element("presses", seen.size());
    std::string press;
    ReadText(node, field, errors, &press);
    const std::string bare = WithoutBlanks(press);
    if (bare.empty()) errors.Report(node.Mark(), field, "is empty, must be a press expression");
    if (std::count(seen.begin(), seen.end(), bare) > 0) {
      errors.Report(node.Mark(), field, absl::StrCat("lists ", Quoted(press), " twice"));
    }
    seen.push_back(bare);
    sweep.presses.emplace_back(absl::StripAsciiWhitespace(press));
  }
}

void ParseRatios(YamlSection& root, YamlErrors& errors, Sweep& sweep) {
  root.Require("ratios");
  for (const YAML::Node& node : root.List("ratios")) {
    const std::string field = Element("ratios", sweep.ratios.size());
    double ratio = 0;
    ReadNumber(node, field, errors, &ratio);
    if (ratio < 0 || ratio >= 1) {
      errors.Report(node.Mark(), field,
                    absl::StrCat("is ", Describe(node),
                                 ", must be in [0, 1): the fraction of KV pairs removed"));
    }
    if (std::count(sweep.ratios.begin(), sweep.ratios.end(), ratio) > 0) {
      errors.Report(node.Mark(), field, absl::StrCat("lists ", Describe(node), " twice"));
    }
    sweep.ratios.push_back(ratio);
  }
  std::sort(sweep.ratios.begin(), sweep.ratios.end());
}

void ParsePrompt(YamlSection& root, YamlErrors& errors, PromptPieces& prompt) {
  const auto node = root.Find("prompt");
  if (!node) return;
  YamlSection section(*node, "prompt", kPromptKeys, errors);
  section.Text("instruction", &prompt.instruction);
  section.Text("aware_line", &prompt.aware_line);
  section.Text("question_prefix", &prompt.question_prefix);
  section.Text("question_suffix", &prompt.question_suffix);
  section.Text("answer_prefix", &prompt.answer_prefix);
}

void ParseProbes(const YAML::Node& node, YamlErrors& errors, CaptureOptions& capture) {
  YamlSection probes(node, "capture.probes", kProbeKeys, errors);
  if (probes.Has("layers")) probes.Require("pool");
  probes.Choice("pool", kPools, &capture.probe_pool);
  for (const YAML::Node& element : probes.List("layers")) {
    const std::string field = Element("capture.probes.layers", capture.probe_layers.size());
    double number = -1;
    ReadNumber(element, field, errors, &number);
    const auto layer = static_cast<int64_t>(number);
    const bool known = std::count(capture.probe_layers.begin(), capture.probe_layers.end(), layer);
    if (number < 0 || number > kMaxProbeLayer || number != std::floor(number) || known) {
      errors.Report(element.Mark(), field,
                    absl::StrCat("is ", Describe(element), ", must be a whole number from 0 (the ",
                                 "embeddings) to the model's number of layers, named once"));
    }
    capture.probe_layers.push_back(layer);
  }
  std::sort(capture.probe_layers.begin(), capture.probe_layers.end());
}

void ParseCapture(YamlSection& root, YamlErrors& errors, CaptureOptions& capture) {
  const auto node = root.Find("capture");
  if (!node) return;
  YamlSection section(*node, "capture", kCaptureKeys, errors);
  section.Flag("consensus", &capture.consensus);
  if (const auto graph_node = section.Find("graph")) {
    YamlSection graph(*graph_node, "capture.graph", kGraphKeys, errors);
    graph.Integer("passages", 0, kMaxPassages, &capture.graph_passages);
    graph.Number("epsilon", 0, 1, /*open=*/true, &capture.graph_epsilon);
  }
  if (const auto probe_node = section.Find("probes")) {
    ParseProbes(*probe_node, errors, capture);
  }
  if (const auto heatmap_node = section.Find("heatmaps")) {
    YamlSection heatmaps(*heatmap_node, "capture.heatmaps", kHeatmapKeys, errors);
    heatmaps.Integer("passages", 0, kMaxPassages, &capture.heatmap_passages);
  }
}

void ParseAbstentions(YamlSection& section, YamlErrors& errors, std::vector<std::string>& phrases) {
  for (const YAML::Node& node : section.List("abstentions")) {
    const std::string field = Element("score.abstentions", phrases.size());
    std::string phrase;
    ReadText(node, field, errors, &phrase);
    if (!HasLetterOrDigit(phrase)) {
      errors.Report(node.Mark(), field,
                    absl::StrCat("is ", Describe(node), ", must have a letter or a digit"));
    }
    if (phrase.size() > kMaxAbstentionBytes) {
      errors.Report(
          node.Mark(), field,
          absl::StrCat("has ", phrase.size(), " bytes, allowed are at most ", kMaxAbstentionBytes));
    }
    if (std::count(phrases.begin(), phrases.end(), phrase) > 0) {
      errors.Report(node.Mark(), field, absl::StrCat("lists ", Quoted(phrase), " twice"));
    }
    phrases.push_back(std::move(phrase));
  }
  if (phrases.size() > kMaxAbstentions) {
    errors.Report(
        section.Find("abstentions")->Mark(), "score.abstentions",
        absl::StrCat("has ", phrases.size(), " elements, allowed are at most ", kMaxAbstentions));
  }
}

void ParseScore(YamlSection& root, YamlErrors& errors, ScoreOptions& score) {
  const auto node = root.Find("score");
  if (!node) return;
  YamlSection section(*node, "score", kScoreKeys, errors);
  section.Text("tokenizer", &score.tokenizer);
  RequireText(section, "tokenizer", errors, score.tokenizer);
  section.Number("correct", 0, 1, /*open=*/false, &score.correct_f1);
  if (score.correct_f1 == 0) {
    errors.Report(section.Find("correct")->Mark(), "score.correct",
                  "is 0, must be in (0, 1]: else every answer is correct");
  }
  section.Number("partial", 0, 1, /*open=*/false, &score.partial_f1);
  ParseAbstentions(section, errors, score.abstentions);
  if (score.partial_f1 > score.correct_f1) {
    errors.Report(node->Mark(), "score.partial",
                  absl::StrCat("is ", score.partial_f1,
                               ", must be at most score.correct, which is ", score.correct_f1));
  }
}

void ParseDevice(YamlSection& root, std::string* device) {
  const auto node = root.Find("device");
  if (node && node->IsScalar() && NamesCudaDevice(node->Scalar())) {
    *device = node->Scalar();
  } else {
    root.Choice("device", kDevices, device);
  }
}

Sweep ParseRoot(const YAML::Node& node, YamlErrors& errors) {
  Sweep sweep;
  YamlSection root(node, "", kSweepKeys, errors);
  ParseName(root, errors, &sweep.name);
  ParseModels(root, errors, sweep.models);
  ParseDevice(root, &sweep.device);
  root.Choice("dtype", kDtypes, &sweep.dtype);
  root.Unsigned("seed", &sweep.seed);
  ParseDatasets(root, errors, sweep);
  ParseRegimes(root, errors, sweep);
  ParsePresses(root, errors, sweep);
  ParseRatios(root, errors, sweep);
  root.Integer("max_new_tokens", 1, kMaxNewTokens, &sweep.max_new_tokens);
  ParsePrompt(root, errors, sweep.prompt);
  ParseCapture(root, errors, sweep.capture);
  ParseScore(root, errors, sweep.score);
  return sweep;
}

// Sees a document pass by.
class DocumentStart final : public YAML::EventHandler {
 public:
  const YAML::Mark& mark() const { return mark_; }

  void OnDocumentStart(const YAML::Mark& mark) override { mark_ = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

 private:
  YAML::Mark mark_;
};

// The file's only document.  YAML::LoadAll would do, but never ends on a stray bracket, and
// YAML::Load ignores what follows the first document.
YAML::Node LoadOnly(const std::string& yaml, YamlErrors& errors) {
  std::istringstream stream(yaml);
  YAML::Parser parser(stream);
  DocumentStart document;
  if (parser.HandleNextDocument(document) && parser.HandleNextDocument(document)) {
    errors.Report(document.mark(), "",
                  "a second YAML document starts here, must be exactly one in the file");
  }
  return YAML::Load(yaml);
}

absl::Status CheckBytes(std::string_view yaml, const std::string& origin) {
  if (yaml.size() > kMaxSweepBytes) {
    return absl::InvalidArgumentError(absl::StrCat(origin, ": has more than ", kMaxSweepBytes,
                                                   " bytes, which no sweep file needs"));
  }
  if (const auto bad = InvalidUtf8At(yaml)) {
    const auto line = 1 + std::count(yaml.begin(), yaml.begin() + *bad, '\n');
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ":", line, ": byte ", *bad, " of the file is not UTF-8"));
  }
  return absl::OkStatus();
}

}  // namespace

bool NamesCudaDevice(std::string_view device) {
  constexpr std::string_view kPrefix = "cuda:";
  if (!device.starts_with(kPrefix)) return false;
  const std::string_view number = device.substr(kPrefix.size());
  return (number.size() == 1 || (number.size() == 2 && number.front() != '0')) &&
         std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
}

absl::StatusOr<Sweep> ParseSweep(std::string_view yaml, const std::string& origin) {
  if (const absl::Status status = CheckBytes(yaml, origin); !status.ok()) return status;
  YamlErrors errors(origin);
  try {  // yaml-cpp throws on syntax, depth and odd nodes; nothing of it may leave this function
    const YAML::Node root = LoadOnly(std::string(yaml), errors);
    Sweep sweep = ParseRoot(root, errors);
    if (!errors.status().ok()) return errors.status();
    return sweep;
  } catch (const YAML::Exception& error) {
    errors.Report(error.mark, "", absl::StrCat("is not valid YAML: ", error.msg));
  } catch (const std::exception& error) {
    errors.Report(YAML::Mark::null_mark(), "",
                  absl::StrCat("cannot be read as YAML: ", error.what()));
  }
  return errors.status();
}

}  // namespace kvscope::orchestrator
