#include "services/orchestrator/report/tables.h"

#include <cmath>
#include <optional>

#include "services/orchestrator/report/html.h"
#include "services/orchestrator/report/table_cells.h"

namespace kvscope::orchestrator {
namespace {

// A number over a bar of its length, for shares; its interval stands in the title.
std::string Bar(double share, const std::optional<ReportInterval>& interval) {
  if (!std::isfinite(share)) return kNoneCell;
  const double percent = share < 0 ? 0 : share > 1 ? 100 : 100 * share;
  const std::string title = interval ? " title=\"95 %: " + Fixed(interval->first, 3) + " to " +
                                           Fixed(interval->second, 3) + "\""
                                     : "";
  return "<td class=\"bar\"" + title + " style=\"--share:" + Fixed(percent, 1) + "%\">" +
         Fixed(share, 3) + "</td>";
}

std::string CliffCells(const DegradationCurve& curve) {
  const std::optional<Cliff> cliff = FindCliff(curve);
  if (!cliff) return "<td class=\"text none\">none</td>" + std::string(kNoneCell);
  const ReportRow& from = curve.rows[cliff->end - 1];
  const ReportRow& to = curve.rows[cliff->end];
  return "<td class=\"text\">" + Fixed(from.ratio, 2) + " \u2192 " + Fixed(to.ratio, 2) +
         "</td><td>" + Fixed(from.f1, 3) + " \u2192 " + Fixed(to.f1, 3) + "</td>";
}

std::string SummaryRow(const DegradationCurve& curve) {
  const ReportRow* full = Uncompressed(curve);
  const std::optional<double> unharmed = UnharmedUpTo(curve);
  const ReportRow& last = curve.rows.back();
  std::string row =
      "<tr>" + TextCell(curve.dataset) + TextCell(curve.regime) + PressCell(curve.press);
  row += full ? NumberCell(full->f1) : kNoneCell;
  row += unharmed ? NumberCell(*unharmed, 2) : kNoneCell;
  row += CliffCells(curve);
  row += "<td>" + Fixed(last.f1, 3) + " <small>at " + Fixed(last.ratio, 2) + "</small></td>";
  return row + "</tr>\n";
}

std::string ResultsRow(const ReportRow& row) {
  return "<tr>" + PressCell(row.press) + NumberCell(row.ratio, 2) + "<td>" +
         std::to_string(row.answers) + "</td>" + Bar(row.f1, row.f1_interval) +
         NumberCell(row.exact) + NumberCell(row.hallucination_rate) + NumberCell(row.unknown_rate) +
         NumberCell(row.ger) + NumberCell(row.eviction_rate) + NumberCell(row.evicted_share) +
         NumberCell(row.kept_ratio) + NumberCell(row.consensus_mean) + "</tr>\n";
}

constexpr char kResultsHead[] =
    "<div class=\"scroll\"><table><thead><tr><th class=\"text\">press</th>"
    "<th title=\"compression ratio: the share of KV pairs removed\">ratio</th>"
    "<th>answers</th><th>F1</th><th>exact</th><th>halluc.</th><th>unknown</th>"
    "<th title=\"answer tokens that no head of any layer keeps\">GER</th>"
    "<th title=\"context tokens that no head of any layer keeps\">eviction rate</th>"
    "<th title=\"KV pairs evicted, as measured\">evicted share</th>"
    "<th title=\"KV pairs kept, as measured\">kept ratio</th>"
    "<th title=\"distinct top tokens over query heads\">consensus</th></tr></thead>\n<tbody>\n";

}  // namespace

std::string ProvenanceHtml(const std::vector<std::pair<std::string, std::string>>& provenance) {
  std::string html = "<dl class=\"provenance\">\n";
  for (const auto& [key, value] : provenance) {
    html += "<div><dt>" + EscapeHtml(key) + "</dt><dd>" + EscapeHtml(value) + "</dd></div>\n";
  }
  return html + "</dl>\n";
}

std::string SummaryHtml(const std::vector<DegradationCurve>& curves) {
  std::string html =
      "<div class=\"scroll\"><table><thead><tr><th class=\"text\">data set</th>"
      "<th class=\"text\">regime</th><th class=\"text\">press</th>"
      "<th>F1 uncompressed</th>"
      "<th title=\"largest ratio up to which F1 stays within 0.02 of the uncompressed one\">"
      "unharmed up to</th><th class=\"text\">cliff between ratios</th><th>F1 there</th>"
      "<th>F1 at the highest ratio</th></tr></thead>\n<tbody>\n";
  for (const DegradationCurve& curve : curves) html += SummaryRow(curve);
  return html + "</tbody></table></div>\n";
}

std::string ResultsHtml(const std::vector<DegradationCurve>& curves) {
  std::string html;
  for (size_t i = 0; i < curves.size(); ++i) {
    const bool first_of_group = i == 0 || curves[i].dataset != curves[i - 1].dataset ||
                                curves[i].regime != curves[i - 1].regime;
    if (first_of_group) {
      if (i > 0) html += "</tbody></table></div></details>\n";
      html += "<details open><summary>" + EscapeHtml(curves[i].dataset) + " \u00B7 " +
              EscapeHtml(curves[i].regime) + "</summary>\n" + kResultsHead;
    }
    for (const ReportRow& row : curves[i].rows) html += ResultsRow(row);
  }
  if (!curves.empty()) html += "</tbody></table></div></details>\n";
  return html;
}

}  // namespace kvscope::orchestrator
