// What an import read, what it took and what it left out.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "services/orchestrator/datasets/import/row.h"

namespace kvscope::orchestrator {

struct FileAccount {
  std::string path;
  std::string format;
  int64_t rows_read = 0;  // questions, and what should have been one
  int64_t rows_taken = 0;
};

struct ImportReport {
  std::string out;
  bool written = false;  // false: nothing was
  std::vector<FileAccount> files;
  std::map<Reason, int64_t> left_out;  // rows by reason
  std::vector<std::string> problems;   // the first 20, each `WHERE: FIELD: what is wrong`
  int64_t passages = 0;
  int64_t unanswerable = 0;  // questions taken whose answer is "I dont know"

  int64_t rows_read() const;
  int64_t rows_taken() const;
  int64_t rows_left_out() const;
};

// For people: counts, then reasons, then problems.
std::string ImportText(const ImportReport& report);

// One JSON object, indented.
std::string ImportJson(const ImportReport& report);

}  // namespace kvscope::orchestrator
