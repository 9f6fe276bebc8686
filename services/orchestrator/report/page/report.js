// Draws every figure of the page: its spec, with the rows of its queries put in.
(async () => {
  "use strict";
  const report = JSON.parse(document.getElementById("report-data").textContent);
  const copy = (value) => JSON.parse(JSON.stringify(value));

  // The rows of a query as objects; in the page they are packed.
  function rowsOf(query) {
    const { fields, texts, strings, rows } = report.queries[query];
    const isText = fields.map((_, column) => texts.includes(column));
    return rows.map((packed) => {
      const row = {};
      fields.forEach((field, column) => {
        const value = packed[column];
        row[field] = isText[column] && value !== null ? strings[value] : value;
      });
      return row;
    });
  }

  // A canvas does not follow the page's colours, light, dark or printed: its text is a grey that all bear.
  const canvasTheme = JSON.parse(JSON.stringify(report.theme).replaceAll("currentColor", "#6f7885"));

  const distinct = (rows, fields) =>
    new Set(rows.map((row) => JSON.stringify(fields.map((field) => row[field])))).size;

  // Panels that wrap: as many side by side as the page has room for, and rows that hold all panels of one group.
  function fitPanels(spec, rows, room) {
    const { panel, per_row: perRow, square, margin = 0 } = spec.usermeta;
    room -= 60 + margin; // the y axis and what stands beside it
    const panels = distinct(rows, panel) || 1;
    const together = perRow ? distinct(rows, [perRow]) : distinct(rows, ["regime"]);
    const narrowest = square ? 250 : 230;
    let columns = Math.max(1, Math.min(panels, Math.floor(room / narrowest)));
    if (together > 1 && columns > together) columns -= columns % together;
    const width = Math.min(Math.round(room / columns - 22), square ? 320 : 480);
    spec.columns = columns;
    spec.spec.width = Math.max(width, 160);
    if (square) spec.spec.height = spec.spec.width;
    spec.facet.header.labelLimit = spec.spec.width;
  }

  // Columns that share the width of the page.
  function fitColumns(spec, rows, room) {
    const columns = distinct(rows, [spec.facet.column.field]) || 1;
    const width = (Math.max(room, 640) - 110) / columns - 24;
    spec.spec.width = Math.round(Math.min(Math.max(width, 160), 640));
  }

  const choice = { dataset: "", regime: "" };
  function isChosen(row) {
    return ["dataset", "regime"].every((field) => !choice[field] || !row[field] || row[field] === choice[field]);
  }

  function prepared(figure, room) {
    const spec = copy(report.specs[figure.spec]);
    const datasets = {};
    for (const [name, key] of Object.entries(figure.queries)) {
      datasets[name] = rowsOf(key).filter(isChosen);
    }
    const rows = datasets[spec.data.name];
    if (spec.usermeta) fitPanels(spec, rows, room);
    else fitColumns(spec, rows, room);
    delete spec.usermeta;
    spec.datasets = datasets;
    return { spec, rows };
  }

  async function draw(figure) {
    const plot = document.getElementById(figure.plot);
    plot.parentElement.hidden = !isChosen(figure); // a survival map is of one data set
    if (plot.parentElement.hidden) return;
    const room = plot.clientWidth || 1040;
    const { spec, rows } = prepared(figure, room);
    if (rows.length === 0) {
      plot.innerHTML = '<p class="empty">Nothing of the chosen data set and regime.</p>';
      return;
    }
    const canvas = figure.spec === "survival_map"; // thousands of cells
    const theme = copy(canvas ? canvasTheme : report.theme);
    theme.legend.columns = room < 700 ? 1 : 2;
    theme.legend.layout = { top: { direction: room < 700 ? "vertical" : "horizontal" } };
    theme.legend.labelLimit = Math.min(theme.legend.labelLimit, room - 60);
    await vegaEmbed(plot, spec, {
      mode: "vega-lite",
      renderer: canvas ? "canvas" : "svg",
      config: theme,
      downloadFileName: figure.plot,
      actions: { export: true, source: false, compiled: false, editor: false },
    });
  }

  // With several data sets or regimes the reader may look at one of them.
  function offerChoice(field, label) {
    const values = [...new Set(rowsOf("cells").map((row) => row[field]))].sort();
    if (values.length < 2) return;
    const select = document.createElement("select");
    select.append(new Option("all", ""), ...values.map((value) => new Option(value, value)));
    select.addEventListener("change", () => {
      choice[field] = select.value;
      drawAll();
    });
    const text = document.createElement("label");
    text.append(label + " ", select);
    document.getElementById("choice").append(text);
  }

  let run = 0; // a later choice ends the drawing of an earlier one
  async function drawAll() {
    const mine = ++run;
    let failed = 0;
    for (const figure of report.figures) {
      if (mine !== run) return;
      try {
        await draw(figure);
      } catch (error) {
        const plot = document.getElementById(figure.plot);
        plot.textContent = "This figure could not be drawn: " + error.message;
        failed += 1;
      }
    }
    document.body.dataset.drawn = String(report.figures.length - failed);
    document.body.dataset.failed = String(failed);
  }

  addEventListener("beforeprint", () => {
    for (const finding of document.querySelectorAll(".findings details")) finding.open = true;
  });
  let width = document.body.clientWidth;
  let timer = 0;
  addEventListener("resize", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (width === document.body.clientWidth) return;
      width = document.body.clientWidth;
      drawAll();
    }, 200);
  });

  offerChoice("dataset", "Data set");
  offerChoice("regime", "Regime");
  await drawAll();
})();
