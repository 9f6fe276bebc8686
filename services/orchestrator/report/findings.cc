#include "services/orchestrator/report/findings.h"

#include <array>
#include <cctype>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/orchestrator/report/claims.h"
#include "services/orchestrator/report/sweep_model.h"

namespace kvscope::orchestrator {
namespace {

using Verdict = ReportFinding::Verdict;

void JudgeDepths(const ReportInput& input, const std::vector<SweepModel>& models,
                 std::vector<ReportFinding>& findings) {
  for (const ModelFamily family : {ModelFamily::kLlama, ModelFamily::kQwen}) {
    bool any = false;
    for (const SweepModel& model : models) {
      if (model.family != family) continue;
      any = true;
      findings.push_back(JudgeDepth(input, model));
    }
    if (!any) findings.push_back(NoModelForDepth(family));
  }
}

std::string CountsText(std::span<const ReportFinding> findings) {
  std::array<int, 3> counts = {};
  for (const ReportFinding& finding : findings) ++counts[static_cast<size_t>(finding.verdict)];
  return absl::StrCat(findings.size(),
                      findings.size() == 1 ? " finding: " : " findings: ", counts[0],
                      " confirmed, ", counts[1], " refuted, ", counts[2], " not decidable.");
}

std::string EscapeMarkdown(std::string_view text) {
  const auto is_word = [&](size_t i) {
    return i < text.size() && (std::isalnum(static_cast<unsigned char>(text[i])) || text[i] == '_');
  };
  std::string escaped;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (std::iscntrl(static_cast<unsigned char>(c))) {
      escaped += ' ';
      continue;
    }
    const bool inside_word = c == '_' && i > 0 && is_word(i - 1) && is_word(i + 1);
    if (!inside_word && std::string_view("\\`*_<>|[]#&~").find(c) != std::string_view::npos) {
      escaped += '\\';
    }
    escaped += c;
  }
  return escaped;
}

// Code points, which is close enough to columns for what stands here.
size_t Width(std::string_view text) {
  size_t width = 0;
  for (const char c : text) width += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return width;
}

std::string Wrapped(const std::string& text, const std::string& indent, size_t columns) {
  std::string out = indent;
  size_t used = indent.size();
  bool first = true;
  const std::vector<std::string> words =
      absl::StrSplit(text, absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty());
  for (const std::string& word : words) {
    if (!first && used + 1 + Width(word) > columns) {
      absl::StrAppend(&out, "\n", indent);
      used = indent.size();
      first = true;
    }
    absl::StrAppend(&out, first ? "" : " ", word);
    used += Width(word) + (first ? 0 : 1);
    first = false;
  }
  return out + "\n";
}

}  // namespace

std::vector<ReportFinding> JudgeFindings(const ReportInput& input) {
  std::vector<SweepModel> models = SweepModels(input);
  if (models.empty()) models.emplace_back();  // each claim then says what it lacks
  std::vector<ReportFinding> findings;
  const auto judge = [&](const auto& claim) {
    for (const SweepModel& model : models) findings.push_back(claim(model));
  };
  judge([&](const SweepModel& model) { return JudgeCliff(input, model); });
  judge(JudgeKnowledge);
  judge(JudgeCoreference);
  judge(JudgeDirections);
  judge(JudgeHops);
  JudgeDepths(input, models, findings);
  judge([&](const SweepModel& model) { return JudgeProbes(input, model); });
  for (ReportFinding& finding : JudgeCorrelation(input, models)) {
    findings.push_back(std::move(finding));
  }
  judge(JudgeAnswerTypes);
  return findings;
}

std::string VerdictText(ReportFinding::Verdict verdict) {
  switch (verdict) {
    case Verdict::kConfirmed:
      return "confirmed";
    case Verdict::kRefuted:
      return "refuted";
    case Verdict::kNotDecidable:
      break;
  }
  return "not decidable";
}

std::string FindingsMarkdown(std::span<const ReportFinding> findings) {
  std::string text = CountsText(findings) + "\n";
  std::string separator = "\n";
  for (const ReportFinding& finding : findings) {
    absl::StrAppend(&text, separator, "- **", EscapeMarkdown(finding.claim), "**: *",
                    VerdictText(finding.verdict), "*.\n  ", EscapeMarkdown(finding.numbers), "\n");
    separator = "";
  }
  return text;
}

std::string FindingsText(std::span<const ReportFinding> findings, size_t columns) {
  std::string text;
  for (const ReportFinding& finding : findings) {
    absl::StrAppend(
        &text,
        Wrapped(absl::StrCat(VerdictText(finding.verdict), ": ", finding.claim), "", columns),
        Wrapped(finding.numbers, "    ", columns), "\n");
  }
  return text + CountsText(findings) + "\n";
}

}  // namespace kvscope::orchestrator
