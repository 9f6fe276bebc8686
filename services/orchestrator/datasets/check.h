// `kvscope dataset check`: what a JSONL file holds, and whether its answers are grounded.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/orchestrator/datasets/passage.h"

namespace kvscope::orchestrator {

// Spread of a count over passages.
class Spread {
 public:
  void Add(int64_t value);
  int64_t min() const { return min_; }
  int64_t max() const { return max_; }
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
  Spread words;                   // a passage
  Spread questions_each;          // a passage
  int64_t unanswerable = 0;       // the gold answer is "I dont know"
  int64_t transformed = 0;        // Manipulated questions whose answer is not in the context
  int64_t ungrounded = 0;         // the answer is not in the context though it should be
  int64_t without_evidence = 0;   // answerable, but nobody says where
  int64_t evidence_mismatch = 0;  // no evidence span holds the answer, though the context does
  std::map<std::string, int64_t> directions;  // questions by tag; "" where there is none
  std::map<std::string, int64_t> answer_types;
  std::map<std::string, int64_t> question_types;
  std::map<int64_t, int64_t> hops;
};

struct CheckReport {
  std::string path;
  std::vector<DatasetCheck> datasets;  // in order of first appearance
  int64_t finding_count = 0;           // ungrounded answers and evidence that misses them
  std::vector<std::string> findings;   // the first 20, each `FILE:LINE: FIELD: what is wrong`

  bool ok() const { return finding_count == 0; }
};

// Reads the file once.  An answer is grounded if it, or one of its aliases, occurs in the context
// without regard to case and spacing; answers "I dont know" and Manipulated questions need not be.
// Errors: those of PassageReader.
absl::StatusOr<CheckReport> CheckDataset(const std::string& path);

// The report as text: a table like the paper's Table 1, the tags, the findings.
std::string CheckText(const CheckReport& report);

// The report as one JSON object, indented.
std::string CheckJson(const CheckReport& report);

}  // namespace kvscope::orchestrator
