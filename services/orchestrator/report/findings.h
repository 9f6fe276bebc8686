// The claims of the paper (arXiv:2603.01426, section on findings), judged on a sweep.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "services/orchestrator/report/report.h"

namespace kvscope::orchestrator {

// Each claim once a model of the sweep, in the paper's order; the claims about LLaMA and about Qwen
// once a model of that family.  The rules and their thresholds stand in claims.h.  A claim is
//   confirmed      if it holds in every arm (press, and where it matters regime) that was run,
//   refuted        if it fails in at least one of them,
//   not decidable  else: numbers are missing, or their intervals do not settle it.
// `numbers` says rule, numbers and, where something is missing, what to add to the sweep.  Arms are
// those of the paper (IsPaperPress; agnostic and aware): the random arm decides nothing.
// Findings already in `input.statistics` are not looked at.
std::vector<ReportFinding> JudgeFindings(const ReportInput& input);

// "confirmed", "refuted", "not decidable".
std::string VerdictText(ReportFinding::Verdict verdict);

// GitHub's Markdown: how many claims have which verdict, then a list item a finding.  All text is
// escaped.
std::string FindingsMarkdown(std::span<const ReportFinding> findings);

// The same for a terminal, without escape codes, wrapped at `columns`; each line ends with '\n'.
std::string FindingsText(std::span<const ReportFinding> findings, size_t columns = 100);

}  // namespace kvscope::orchestrator
