// Draws every figure of the page: its spec, with the rows of its queries put in.
(async () => {
  "use strict";
  const report = JSON.parse(document.getElementById("report-data").textContent);

  // Panels side by side share the width of the page.
  function fitWidth(spec, datasets, plot) {
    if (!spec.facet || !spec.facet.column) return;
    const field = spec.facet.column.field;
    const columns = new Set(datasets[spec.data.name].map((row) => row[field])).size || 1;
    const room = Math.max(plot.clientWidth || 1040, 640) - 110;
    spec.spec.width = Math.round(Math.min(Math.max(room / columns - 24, 200), 640));
  }

  // A canvas does not follow the page's colours, light, dark or printed: its text is a grey that all bear.
  const canvasTheme = JSON.parse(JSON.stringify(report.theme).replaceAll("currentColor", "#6f7885"));

  let failed = 0;
  for (const figure of report.figures) {
    const plot = document.getElementById(figure.plot);
    const spec = JSON.parse(JSON.stringify(report.specs[figure.spec]));
    spec.datasets = {};
    for (const [name, key] of Object.entries(figure.queries)) {
      spec.datasets[name] = report.queries[key];
    }
    fitWidth(spec, spec.datasets, plot);
    const canvas = figure.spec === "survival_map";  // thousands of cells
    try {
      await vegaEmbed(plot, spec, {
        mode: "vega-lite",
        renderer: canvas ? "canvas" : "svg",
        config: canvas ? canvasTheme : report.theme,
        downloadFileName: figure.plot,
        actions: { export: true, source: false, compiled: false, editor: false },
      });
    } catch (error) {
      plot.textContent = "This figure could not be drawn: " + error.message;
      plot.className = "empty";
      failed += 1;
    }
  }
  document.body.dataset.drawn = String(report.figures.length - failed);
  document.body.dataset.failed = String(failed);
})();
