// What a person sees: tables and the progress bar.
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace kvscope::cli {

// Whether the descriptor is a terminal that wants colours and bars (not NO_COLOR, not TERM=dumb).
bool IsTerminal(int descriptor);

// A text table: numbers right-aligned, the first `text_columns` left-aligned, two spaces between
// columns.
class Table {
 public:
  Table(std::vector<std::string> header, size_t text_columns);
  void AddRow(std::vector<std::string> row);  // as many cells as the header
  void AddRule();                             // an empty line between groups
  void Print(std::ostream& out) const;

 private:
  std::vector<std::vector<std::string>> rows_;  // an empty row is a rule
  size_t text_columns_;
};

// "0.873", or "-" where undefined.
std::string Decimal(std::optional<double> value, int digits = 3);
// "1.5 GiB".
std::string Bytes(double bytes);
// "2 min 05 s", "1 h 10 min".
std::string Duration(double seconds);
// "12,345".
std::string Thousands(int64_t value);

// One line on stderr that shows how far the work is and how long it will still take. On a terminal
// it is redrawn in place; elsewhere a line is written every ten seconds.
class ProgressBar {
 public:
  // unit: what Update counts.
  explicit ProgressBar(std::string label, std::string unit = "answers");
  ~ProgressBar();  // ends the line
  // done, total: in one unit of work. `note` follows the bar, such as "unit 3 of 20".
  void Update(int64_t done, int64_t total, const std::string& note);
  void Finish();

 private:
  using Clock = std::chrono::steady_clock;
  std::string label_;
  std::string unit_;
  bool terminal_;
  bool open_ = false;
  int64_t first_done_ = -1;  // work that was done before we began to look: not counted for the rate
  Clock::time_point start_, last_drawn_;
};

}  // namespace kvscope::cli
