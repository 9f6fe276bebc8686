// The canonical text of a sweep.
#include <charconv>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/orchestrator/sweep/sweep.h"

namespace kvscope::orchestrator {
namespace {

// A double-quoted YAML scalar: printable ASCII and well-formed UTF-8 as they are.
std::string Quote(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string quoted = "\"";
  for (const char c : text) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      quoted += "\\x";
      quoted += kHex[byte >> 4];
      quoted += kHex[byte & 15];
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

// The shortest decimal form that reads back as the same double.
std::string Decimal(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  return std::string(buffer, end);
}

std::string DatasetLine(const DatasetEntry& entry) {
  if (entry.is_file()) {
    return absl::StrCat("  - {file: ", Quote(entry.file), ", passages: ", entry.passages, "}\n");
  }
  return absl::StrCat("  - {name: ", Quote(entry.name),
                      ", scale: ", std::string(ScaleName(entry.scale)),
                      ", passages: ", entry.passages, ", seed: ", entry.seed, "}\n");
}

std::string PromptLines(const PromptPieces& prompt) {
  std::string lines;
  const auto piece = [&](const char* key, const std::optional<std::string>& text) {
    if (text) absl::StrAppend(&lines, "  ", key, ": ", Quote(*text), "\n");
  };
  piece("instruction", prompt.instruction);
  piece("aware_line", prompt.aware_line);
  piece("question_prefix", prompt.question_prefix);
  piece("question_suffix", prompt.question_suffix);
  piece("answer_prefix", prompt.answer_prefix);
  return lines.empty() ? "prompt: {}\n" : absl::StrCat("prompt:\n", lines);
}

std::string CaptureLine(const CaptureOptions& capture) {
  const std::string layers =
      capture.probe_layers.empty()
          ? ""
          : absl::StrCat(", layers: [", absl::StrJoin(capture.probe_layers, ", "), "]");
  const std::string probes =
      capture.probe_pool.empty() ? "{}" : absl::StrCat("{pool: ", capture.probe_pool, layers, "}");
  return absl::StrCat("capture: {consensus: ", capture.consensus ? "true" : "false",
                      ", graph: {passages: ", capture.graph_passages,
                      ", epsilon: ", Decimal(capture.graph_epsilon), "}, probes: ", probes,
                      ", heatmaps: {passages: ", capture.heatmap_passages, "}}\n");
}

}  // namespace

std::string CanonicalSweep(const Sweep& sweep) {
  const auto quoted = [](std::string* out, const std::string& p) { out->append(Quote(p)); };
  const bool one = sweep.models.size() == 1;  // is not written as a list
  std::string text = absl::StrCat("name: ", Quote(sweep.name), "\nmodel: ", one ? "" : "[",
                                  absl::StrJoin(sweep.models, ", ", quoted), one ? "" : "]",
                                  "\ndevice: ", sweep.device, "\ndtype: ", sweep.dtype,
                                  "\nseed: ", sweep.seed, "\ndatasets:\n");
  for (const DatasetEntry& entry : sweep.datasets) text += DatasetLine(entry);
  const auto regime = [](std::string* out, Regime r) { out->append(RegimeName(r)); };
  const auto ratio = [](std::string* out, double r) { out->append(Decimal(r)); };
  absl::StrAppend(&text, "regimes: [", absl::StrJoin(sweep.regimes, ", ", regime), "]\n",
                  "presses: [", absl::StrJoin(sweep.presses, ", ", quoted), "]\n", "ratios: [",
                  absl::StrJoin(sweep.ratios, ", ", ratio), "]\n",
                  "max_new_tokens: ", sweep.max_new_tokens, "\n");
  absl::StrAppend(&text, PromptLines(sweep.prompt), CaptureLine(sweep.capture),
                  "score: {tokenizer: ", Quote(sweep.score.tokenizer),
                  ", correct: ", Decimal(sweep.score.correct_f1),
                  ", partial: ", Decimal(sweep.score.partial_f1));
  if (!sweep.score.abstentions.empty()) {  // a list in the file has an element
    absl::StrAppend(&text, ", abstentions: [", absl::StrJoin(sweep.score.abstentions, ", ", quoted),
                    "]");
  }
  text += "}\n";
  return text;
}

}  // namespace kvscope::orchestrator
