// `kvscope dataset check`: what a JSONL file holds, and whether it keeps to the paper's design
// principles (section 2): answers are grounded in their passage, stand there no oftener than they
// must, are asked for both ways, and can be told apart when they fail.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/orchestrator/datasets/check_finding.h"
#include "services/orchestrator/datasets/passage.h"

namespace kvscope::orchestrator {

// Spread of a count.
class Spread {
 public:
  void Add(int64_t value);
  int64_t min() const { return min_; }
  int64_t max() const { return max_; }
  int64_t count() const { return count_; }
  double mean() const;       // 0 without values
  double deviation() const;  // of the population

 private:
  int64_t count_ = 0;
  int64_t min_ = 0;
  int64_t max_ = 0;
  double sum_ = 0;
  double squares_ = 0;
};

// One data set of the file: a row of the paper's Table 1, and its tags.
struct DatasetCheck {
  std::string dataset;
  int64_t passages = 0;
  int64_t questions = 0;
  int64_t held = 0;              // passages that were held to a generated suite's rules
  Spread words;                  // a passage
  Spread questions_each;         // a passage
  Spread occurrences;            // of an answer, or of each of its parts, in the context
  Spread evidence;               // spans of an answer that has any
  int64_t unanswerable = 0;      // the gold answer is "I dont know"
  int64_t transformed = 0;       // Manipulated questions whose answer is not in the context
  int64_t in_parts = 0;          // answers made up of their evidence
  int64_t without_evidence = 0;  // answerable, but nobody says where
  int64_t untagged = 0;          // without direction, answer type or question type
  std::map<std::string, int64_t> directions;  // questions by tag; "" where there is none
  std::map<std::string, int64_t> answer_types;
  std::map<std::string, int64_t> question_types;
  std::map<int64_t, int64_t> hops;
  std::array<int64_t, kFindingKinds.size()> findings = {};  // by FindingKind

  int64_t Findings(FindingKind kind) const { return findings[static_cast<size_t>(kind)]; }
  int64_t Findings(Principle principle) const;
  // Forward questions over those with a direction; below 0 where there are none.
  double ForwardShare() const;
};

struct CheckReport {
  std::string path;
  std::vector<DatasetCheck> datasets;  // in order of first appearance
  int64_t finding_count = 0;
  std::vector<std::string> findings;  // the first 20, each `FILE:LINE: FIELD: what is wrong`

  bool ok() const { return finding_count == 0; }
};

// Reads the file once; each kind of finding is described in check_finding.h.  A passage whose data
// set and id are those of a generated suite (`base-paper-1-0000`) is held to its rules in
// suite_rules.cc, a whole set of the paper's also to Table 1's total.  Tags that are missing or
// none of the paper's are counted, not found fault with.
// Errors: those of PassageReader, spans outside the context among them.
absl::StatusOr<CheckReport> CheckDataset(const std::string& path);

// Whether the tag is one of those that the paper uses.
bool IsPaperAnswerType(std::string_view tag);
bool IsPaperQuestionType(std::string_view tag);

// The report as text, at most 100 columns wide where names are short: a table like the paper's
// Table 1, the findings by principle, the tags, and the first findings in full.
std::string CheckText(const CheckReport& report);

// The report as one JSON object, indented.
std::string CheckJson(const CheckReport& report);

}  // namespace kvscope::orchestrator
