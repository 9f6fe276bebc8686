// The records of a CSV file (RFC 4180), one at a time, by libcsv.
#pragma once

#include <csv.h>

#include <cstdint>
#include <deque>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/orchestrator/datasets/import/row.h"

namespace kvscope::orchestrator {

struct CsvRecord {
  int64_t line = 0;                // that it begins on, from 1
  std::vector<std::string> cells;  // any bytes
  std::optional<Problem> problem;  // it cannot be read; `cells` says nothing then
};

// Cells are divided by commas; lines end with LF, CR LF or CR.  Spaces belong to their cell.  Blank
// lines, records without any text and a byte-order mark are passed over.  A record with a quote in
// the wrong place, or of more than kMaxLineBytes, is a problem; reading goes on behind the line
// where that showed. Memory: one record and a read-ahead.
class CsvRecords {
 public:
  // Errors: NotFound if the file cannot be opened.
  static absl::StatusOr<CsvRecords> Open(const std::string& path);

  CsvRecords(CsvRecords&&) = default;
  CsvRecords& operator=(CsvRecords&&) = default;

  // The next record; nothing at the end.  Errors: DataLoss if reading fails.
  absl::StatusOr<std::optional<CsvRecord>> Next();

 private:
  // What libcsv's callbacks write to: they have its address, so it stays where it is.
  struct State {
    csv_parser parser;
    std::vector<std::string> cells;  // of the record that is being read
    std::deque<CsvRecord> ready;
    int64_t line = 1;         // that is being read
    int64_t record_line = 1;  // where the record began
    size_t record_bytes = 0;
    bool in_record = false;

    State();
    ~State();
    State(const State&) = delete;
    State& operator=(const State&) = delete;
  };

  explicit CsvRecords(std::string path);
  static void TakeCell(void* cell, size_t size, void* state);
  static void EndRecord(int terminator, void* state);

  void TakeChunk(std::string_view chunk);
  void TakePiece(std::string_view piece);  // at most one line, with its end
  void Feed(std::string_view piece);
  void Finish();
  void Fail(Reason reason, std::string what);

  std::string path_;
  std::ifstream file_;
  std::unique_ptr<State> state_;
  bool skipping_ = false;  // to the end of the line
  bool after_cr_ = false;
};

}  // namespace kvscope::orchestrator
