#include "services/orchestrator/report/statistics_tables.h"

#include <ostream>
#include <string_view>
#include <vector>

#include "services/orchestrator/report/probe_queries.h"
#include "services/orchestrator/report/table_cells.h"

namespace kvscope::orchestrator {
namespace {

constexpr std::string_view kCellHead[] = {"*data set", "*regime", "*press", "ratio"};

template <typename Row>
std::string CellKeyHtml(const Row& row) {
  return TextCell(row.dataset) + TextCell(row.regime) + PressCell(row.press) +
         NumberCell(row.ratio, 2);
}

// A folded table, written line by line; it ends with its life.  A head's name begins with a star
// where its column holds text.
class Table {
 public:
  Table(const std::string& title, const std::vector<std::string_view>& head, std::ostream& out)
      : out_(out) {
    out_ << "<details><summary>" << EscapeHtml(title)
         << "</summary>\n<div class=\"scroll\"><table><thead><tr>";
    for (const std::string_view name : head) {
      const bool text = name.starts_with('*');
      out_ << (text ? "<th class=\"text\">" : "<th>") << EscapeHtml(name.substr(text)) << "</th>";
    }
    out_ << "</tr></thead>\n<tbody>\n";
  }
  ~Table() {
    out_ << "</tbody></table></div>\n";
    if (lines_ > kMostLines) {
      out_ << "<p class=\"empty\">" << lines_ - kMostLines
           << " more lines: kvscope report --figures DIR writes all of them.</p>\n";
    }
    out_ << "</details>\n";
  }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  void Line(const std::string& cells) {
    if (++lines_ <= kMostLines) out_ << "<tr>" << cells << "</tr>\n";
  }

 private:
  static constexpr int64_t kMostLines = 2000;  // a page that shows more is of no use

  std::ostream& out_;
  int64_t lines_ = 0;
};

std::vector<std::string_view> CellHead(const std::vector<std::string_view>& more) {
  std::vector<std::string_view> head(std::begin(kCellHead), std::end(kCellHead));
  head.insert(head.end(), more.begin(), more.end());
  return head;
}

void WriteChangePoints(const std::vector<ReportChangePoint>& points, std::ostream& out) {
  if (points.empty()) return;
  Table table("Change points of F1", {"*data set", "*regime", "*press", "ratio", "*note"}, out);
  for (const ReportChangePoint& point : points) {
    table.Line(TextCell(point.dataset) + TextCell(point.regime) + PressCell(point.press) +
               NumberCell(point.ratio, point.interval, 2) + TextCell(point.note));
  }
}

void WriteComparisons(const std::vector<ReportComparison>& comparisons, std::ostream& out) {
  if (comparisons.empty()) return;
  Table table("Press against press",
              CellHead({"*against", "difference of F1", "p", "p, corrected", "smallest detectable",
                        "*note"}),
              out);
  for (const ReportComparison& row : comparisons) {
    ReportComparison shown = row;
    if (shown.dataset.empty()) shown.dataset = "all";
    if (shown.regime.empty()) shown.regime = "all";
    table.Line(CellKeyHtml(shown) + PressCell(row.against) +
               NumberCell(row.difference, row.interval) + NumberCell(row.p, 4) +
               NumberCell(row.p_corrected, 4) + NumberCell(row.mde) + TextCell(row.note));
  }
}

void WriteCorrelations(const std::vector<ReportCorrelation>& correlations, std::ostream& out) {
  if (correlations.empty()) return;
  Table table("GER and hallucinations: correlation",
              {"*over", "points", "Pearson", "Spearman", "*note"}, out);
  for (const ReportCorrelation& row : correlations) {
    table.Line(TextCell(row.scope) + CountCell(row.n) +
               NumberCell(row.pearson, row.pearson_interval) +
               NumberCell(row.spearman, row.spearman_interval) + TextCell(row.note));
  }
}

void WriteSusceptibility(const std::vector<ReportSusceptibilityRow>& rows, std::ostream& out) {
  if (rows.empty()) return;
  Table table("Susceptibility", CellHead({"\u03C7", "*note"}), out);
  for (const ReportSusceptibilityRow& row : rows) {
    table.Line(CellKeyHtml(row) + NumberCell(row.chi, row.interval) + TextCell(row.note));
  }
}

void WriteDecomposition(const std::vector<ReportDecompositionRow>& rows, std::ostream& out) {
  if (rows.empty()) return;
  Table table("Failures by erasure and by rigidity",
              CellHead({"answers with a GER", "failures", "erasure", "rigidity", "*note"}), out);
  for (const ReportDecompositionRow& row : rows) {
    table.Line(CellKeyHtml(row) + CountCell(row.answers) + CountCell(row.failures) +
               NumberCell(row.erasure_share, row.erasure_interval) +
               NumberCell(row.rigidity_share, row.rigidity_interval) + TextCell(row.note));
  }
}

void WriteRigidity(const std::vector<ReportRigidityRow>& rows, std::ostream& out) {
  if (rows.empty()) return;
  Table table("Rigidity, failures parted by consensus",
              {"*data set", "*regime", "*press", "*consensus", "from", "to", "failures",
               "rigidity (share)", "change a unit of consensus", "*note"},
              out);
  for (const ReportRigidityRow& row : rows) {
    table.Line(TextCell(row.dataset) + TextCell(row.regime) + PressCell(row.press) +
               TextCell(row.part) + NumberCell(row.consensus_low) + NumberCell(row.consensus_high) +
               CountCell(row.failures) + NumberCell(row.rigidity_share, row.interval) +
               NumberCell(row.slope, row.slope_interval) + TextCell(row.note));
  }
}

void WriteRoutes(const std::vector<ReportRouteRow>& rows, std::ostream& out) {
  if (rows.empty()) return;
  Table table("Routes",
              CellHead({"answers", "reachable, as defined", "reachable, as computed",
                        "lower bound (Prop. 1)", "disjoint routes, as defined (median)",
                        "as computed (median)", "shortest route (median edges)", "*note"}),
              out);
  for (const ReportRouteRow& row : rows) {
    table.Line(CellKeyHtml(row) + CountCell(row.answers) + NumberCell(row.reachable_defined) +
               NumberCell(row.reachable_computed) + NumberCell(row.bound) +
               NumberCell(row.disjoint_defined, 1) + NumberCell(row.disjoint_computed, 1) +
               NumberCell(row.route_length, 1) + TextCell(row.note));
  }
}

void WriteProbes(const std::vector<ReportProbeRow>& rows, std::ostream& out) {
  if (rows.empty()) return;
  const int layer = WholeProbeLayer(rows);
  Table table(
      layer < 0 ? "Probes (all layers together)" : "Probes (layer " + std::to_string(layer) + ")",
      CellHead({"*answer type", "F1", "validation rows", "*note"}), out);
  for (const ReportProbeRow& row : rows) {
    if (row.layer != layer) continue;
    table.Line(CellKeyHtml(row) + TextCell(row.tag.empty() ? "all (macro-F1)" : row.tag) +
               NumberCell(row.f1, row.interval) + CountCell(row.count) + TextCell(row.note));
  }
}

void WriteDepthShapes(const std::vector<ReportDepthShape>& shapes, std::ostream& out) {
  if (shapes.empty()) return;
  Table table("Shape of consensus over the layers", CellHead({"*shape"}), out);
  for (const ReportDepthShape& shape : shapes) {
    table.Line(CellKeyHtml(shape) + TextCell(shape.label));
  }
}

std::string VerdictHtml(ReportFinding::Verdict verdict) {
  switch (verdict) {
    case ReportFinding::Verdict::kConfirmed:
      return "<span class=\"verdict confirmed\">confirmed</span>";
    case ReportFinding::Verdict::kRefuted:
      return "<span class=\"verdict refuted\">refuted</span>";
    case ReportFinding::Verdict::kNotDecidable:
      break;
  }
  return "<span class=\"verdict\">not decidable</span>";
}

}  // namespace

std::string FindingsHtml(const ReportStatistics& statistics) {
  std::string html;
  if (!statistics.headlines.empty()) {
    html += "<ul class=\"headlines\">\n";
    for (const std::string& headline : statistics.headlines) {
      html += "<li>" + EscapeHtml(headline) + "</li>\n";
    }
    html += "</ul>\n";
  }
  if (statistics.findings.empty()) return html;
  html += "<div class=\"findings\">\n";
  for (const ReportFinding& finding : statistics.findings) {
    html += "<details><summary>" + VerdictHtml(finding.verdict) + " " + EscapeHtml(finding.claim) +
            "</summary><p>" + EscapeHtml(finding.numbers) + "</p></details>\n";
  }
  return html + "</div>\n";
}

bool WriteStatisticsTables(const ReportStatistics& statistics, std::ostream& out) {
  WriteChangePoints(statistics.change_points, out);
  WriteComparisons(statistics.comparisons, out);
  WriteCorrelations(statistics.correlations, out);
  WriteSusceptibility(statistics.susceptibility, out);
  WriteDecomposition(statistics.decomposition, out);
  WriteRigidity(statistics.rigidity, out);
  WriteRoutes(statistics.routes, out);
  WriteProbes(statistics.probes, out);
  WriteDepthShapes(statistics.depth_shapes, out);
  const ReportStatistics& s = statistics;
  return !(s.change_points.empty() && s.comparisons.empty() && s.correlations.empty() &&
           s.susceptibility.empty() && s.decomposition.empty() && s.routes.empty() &&
           s.probes.empty() && s.depth_shapes.empty());
}

}  // namespace kvscope::orchestrator
