#include "services/orchestrator/report/tag_tables.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "services/orchestrator/report/html.h"
#include "services/orchestrator/report/table_cells.h"

namespace kvscope::orchestrator {
namespace {

// Values as they are listed: numbers by size, then texts, no tag last.
struct ValueOrder {
  bool operator()(const std::string& a, const std::string& b) const { return Key(a) < Key(b); }

 private:
  static std::tuple<bool, bool, size_t, const std::string&> Key(const std::string& value) {
    const bool number =
        !value.empty() && value.find_first_not_of("0123456789") == std::string::npos;
    return {value.empty(), !number, number ? value.size() : 0, value};
  }
};

// Of one data set in one regime.
struct TagTable {
  using Line = std::map<double, const ReportTagRow*>;  // by ratio
  std::map<std::string, std::map<std::string, std::map<std::string, Line>, ValueOrder>>
      lines;  // by tag, value and press
  std::set<double> ratios;
};

std::string ScoreCell(const TagTable::Line& line, double ratio) {
  const auto found = line.find(ratio);
  if (found == line.end()) return "<td class=\"none\">\u2013</td>";
  const ReportTagRow& row = *found->second;
  const std::string interval = row.f1_interval ? ", 95 %: " + Fixed(row.f1_interval->first, 3) +
                                                     " to " + Fixed(row.f1_interval->second, 3)
                                               : "";
  return "<td title=\"" + std::to_string(row.answers) + " answers, hallucinations " +
         Fixed(row.hallucination_rate, 3) + ", unknown " + Fixed(row.unknown_rate, 3) + interval +
         "\">" + Fixed(row.f1, 3) + "</td>";
}

std::string TableHtml(const TagTable& table) {
  std::string html =
      "<div class=\"scroll\"><table><thead><tr><th class=\"text\">tag</th>"
      "<th class=\"text\">value</th><th class=\"text\">press</th>"
      "<th title=\"at each ratio\">answers</th>";
  for (const double ratio : table.ratios) html += "<th>F1 at " + Fixed(ratio, 2) + "</th>";
  html += "</tr></thead>\n<tbody>\n";
  for (const auto& [tag, values] : table.lines) {
    for (const auto& [value, presses] : values) {
      for (const auto& [press, line] : presses) {
        html += "<tr><td class=\"text\">" + EscapeHtml(tag) + "</td><td class=\"text\">" +
                (value.empty() ? "<span class=\"none\">none</span>" : EscapeHtml(value)) +
                "</td><td class=\"text\"><code>" + EscapeHtml(press) + "</code></td><td>" +
                std::to_string(line.begin()->second->answers) + "</td>";
        for (const double ratio : table.ratios) html += ScoreCell(line, ratio);
        html += "</tr>\n";
      }
    }
  }
  return html + "</tbody></table></div>";
}

}  // namespace

std::string TagsHtml(const std::vector<ReportTagRow>& rows) {
  std::map<std::pair<std::string, std::string>, TagTable> tables;
  for (const ReportTagRow& row : rows) {
    TagTable& table = tables[{row.dataset, row.regime}];
    table.lines[row.tag][row.value][row.press][row.ratio] = &row;
    table.ratios.insert(row.ratio);
  }
  std::string html;
  for (auto& [name, table] : tables) {
    std::erase_if(table.lines, [](const auto& tag) { return tag.second.size() < 2; });
    if (table.lines.empty()) continue;
    html += "<details><summary>" + EscapeHtml(name.first) + " \u00B7 " + EscapeHtml(name.second) +
            "</summary>\n" + TableHtml(table) + "</details>\n";
  }
  return html;
}

}  // namespace kvscope::orchestrator
