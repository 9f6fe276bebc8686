#include "services/client/cli/terminal.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace kvscope::cli {

bool IsTerminal(int descriptor) {
  const char* term = std::getenv("TERM");
  return isatty(descriptor) != 0 && std::getenv("NO_COLOR") == nullptr &&
         (term == nullptr || std::strcmp(term, "dumb") != 0);
}

Table::Table(std::vector<std::string> header, size_t text_columns) : text_columns_(text_columns) {
  rows_.push_back(std::move(header));
}

void Table::AddRow(std::vector<std::string> row) {
  row.resize(rows_[0].size());
  rows_.push_back(std::move(row));
}

void Table::AddRule() { rows_.emplace_back(); }

void Table::Print(std::ostream& out) const {
  std::vector<size_t> widths(rows_[0].size());
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - row[i].size(), ' ');
      absl::StrAppend(&line, i == 0 ? "" : "  ");
      if (i < text_columns_) {
        absl::StrAppend(&line, row[i], padding);
      } else {
        absl::StrAppend(&line, padding, row[i]);
      }
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    out << line << '\n';
  }
}

std::string Decimal(std::optional<double> value, int digits) {
  if (!value.has_value() || std::isnan(*value)) return "-";
  return absl::StrFormat("%.*f", digits, *value);
}

std::string Bytes(double bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  while (bytes >= 1024 && unit < 4) {
    bytes /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.*f %s", unit == 0 ? 0 : 1, bytes, kUnits[unit]);
}

std::string Duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(std::max(0.0, seconds)));
  if (whole < 60) return absl::StrFormat("%d s", whole);
  if (whole < 3600) return absl::StrFormat("%d min %02d s", whole / 60, whole % 60);
  return absl::StrFormat("%d h %02d min", whole / 3600, whole % 3600 / 60);
}

std::string Thousands(int64_t value) {
  const std::string digits = std::to_string(value);
  const size_t sign = value < 0 ? 1 : 0;
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > sign && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

ProgressBar::ProgressBar(std::string label, std::string unit)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      terminal_(IsTerminal(STDERR_FILENO)),
      start_(Clock::now()) {}

ProgressBar::~ProgressBar() { Finish(); }

void ProgressBar::Update(int64_t done, int64_t total, const std::string& note) {
  const auto now = Clock::now();
  const auto pause = std::chrono::milliseconds(terminal_ ? 100 : 10000);
  if (first_done_ < 0) {
    first_done_ = done;
    start_ = now;
  } else if (now - last_drawn_ < pause && (done < total || total == 0)) {
    return;
  }
  last_drawn_ = now;

  const double share = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0;
  const double elapsed_s = std::chrono::duration<double>(now - start_).count();
  std::string left = "time left: measuring";
  if (done >= total && total > 0) {
    left = absl::StrCat("took ", Duration(elapsed_s));
  } else if (done > first_done_ && elapsed_s > 0.5) {
    const double rate = static_cast<double>(done - first_done_) / elapsed_s;
    left = absl::StrCat(Duration(static_cast<double>(total - done) / rate), " left");
  }
  const std::string numbers = absl::StrFormat("%3.0f%%  %s of %s %s  %s  %s", 100 * share,
                                              Thousands(done), Thousands(total), unit_, note, left);
  if (!terminal_) {
    std::cerr << label_ << "  " << numbers << std::endl;
    return;
  }
  constexpr int kWidth = 24;
  const int filled = static_cast<int>(share * kWidth);
  std::string bar;
  for (int i = 0; i < kWidth; ++i) bar += i < filled ? "█" : "░";
  std::cerr << "\r\033[K" << label_ << " " << bar << " " << numbers << std::flush;
  open_ = true;
}

void ProgressBar::Finish() {
  if (open_) std::cerr << std::endl;
  open_ = false;
}

}  // namespace kvscope::cli
