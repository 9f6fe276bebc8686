#include "services/orchestrator/sweep/nearest_name.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace kvscope::orchestrator {
namespace {

constexpr size_t kMaxNameBytes = 100;

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = absl::ascii_tolower(static_cast<unsigned char>(c));
  return lower;
}

}  // namespace

int EditDistance(std::string_view a, std::string_view b) {
  const int rows = static_cast<int>(a.size());
  const int cols = static_cast<int>(b.size());
  const int far = rows + cols;
  // d(i, j) of the prefixes of i and j bytes lies at [i + 1][j + 1]; row and column 0 are a border.
  std::vector<std::vector<int>> d(rows + 2, std::vector<int>(cols + 2, far));
  for (int i = 0; i <= rows; ++i) d[i + 1][1] = i;
  for (int j = 0; j <= cols; ++j) d[1][j + 1] = j;
  std::array<int, 256> last_row{};  // of each byte in `a`, counted from 1; 0: not yet seen
  for (int i = 1; i <= rows; ++i) {
    int last_col = 0;  // where this row's byte last stood in `b`
    for (int j = 1; j <= cols; ++j) {
      const int swap_row = last_row[static_cast<unsigned char>(b[j - 1])];
      const int swap_col = last_col;
      const bool same = a[i - 1] == b[j - 1];
      if (same) last_col = j;
      const int edit = std::min({d[i][j] + (same ? 0 : 1), d[i][j + 1] + 1, d[i + 1][j] + 1});
      const int swap = d[swap_row][swap_col] + (i - swap_row - 1) + 1 + (j - swap_col - 1);
      d[i + 1][j + 1] = std::min(edit, swap);
    }
    last_row[static_cast<unsigned char>(a[i - 1])] = i;
  }
  return d[rows + 1][cols + 1];
}

std::optional<std::string> NearestName(std::string_view name,
                                       std::span<const std::string_view> candidates) {
  if (name.size() > kMaxNameBytes) return std::nullopt;
  const std::string wanted = Lower(name);
  std::optional<std::string> nearest;
  int nearest_distance = 0;
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > kMaxNameBytes) continue;
    const int longer = static_cast<int>(std::max(name.size(), candidate.size()));
    const int distance = EditDistance(wanted, Lower(candidate));
    if (distance >= longer || distance > std::max(2, longer / 3)) continue;
    if (!nearest || distance < nearest_distance) {
      nearest = std::string(candidate);
      nearest_distance = distance;
    }
  }
  return nearest;
}

std::string KnownNames(std::string_view name, std::span<const std::string_view> candidates) {
  std::string tail;
  if (const auto nearest = NearestName(name, candidates)) {
    absl::StrAppend(&tail, "; did you mean \"", *nearest, "\"?");
  }
  std::string list;
  for (const std::string_view candidate : candidates) {
    absl::StrAppend(&list, list.empty() ? "" : ", ", std::string(candidate));
  }
  return absl::StrCat(tail, " (known: ", list, ")");
}

}  // namespace kvscope::orchestrator
