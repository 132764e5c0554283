/* Charts: drawn one after another, and their numbers as tables. */
ferAudit.parts.push((data) => {
  "use strict";
  const { charts } = data;
  const root = document.documentElement;
  const { all, get, set, listen } = ferAudit;
  const places = Object.fromEntries(all("[data-chart]").map((place) => [place.dataset.chart, place]));

  function template() {
    const style = getComputedStyle(root);
    const value = (name) => style.getPropertyValue(name).trim();
    const axis = {
      gridcolor: value("--line"), linecolor: value("--line"), zerolinecolor: value("--line"), zeroline: false,
      tickcolor: value("--line"), tickfont: { color: value("--soft") }, title: { standoff: 8 },
    };
    return {
      layout: {
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", xaxis: axis, yaxis: axis,
        font: { family: getComputedStyle(document.body).fontFamily, size: 12.5, color: value("--ink") },
        hoverlabel: { bgcolor: value("--card"), bordercolor: value("--soft"), font: { color: value("--ink") }, align: "left" },
        modebar: { color: value("--soft"), activecolor: value("--accent"), bgcolor: "rgba(0,0,0,0)" },
      },
      data: { heatmap: [{ colorscale: [[0, value("--heat0")], [1, value("--heat")]], textfont: { color: value("--ink") } }] },
    };
  }

  const config = {
    displaylogo: false, displayModeBar: matchMedia("(hover: hover)").matches ? "hover" : false, responsive: true, showSendToCloud: false, showEditInChartStudio: false,
    modeBarButtonsToRemove: ["sendDataToCloud", "editInChartStudio", "select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
  };

  /* A choice is what the address says of it; the cell that is looked at chooses for all charts of cells. */
  const chosenOf = (choice) => (choice ? get(`show.${choice}`) || (choice === "cell" ? get("cell") : "") : "");
  const offered = (choice, wanted) => Object.values(charts).some((chart) => chart.choice === choice && Object.hasOwn(chart.variants, wanted));

  function variantOf(id) {
    const { choice, variants } = charts[id];
    const keys = Object.keys(variants);
    const wanted = chosenOf(choice);
    // What no chart offers is a mistyped address; what only this one lacks was not recorded.
    if (!offered(choice, wanted)) return variants[keys[0]];
    return Object.hasOwn(variants, wanted) ? variants[wanted] : undefined;
  }

  let printing = false;
  const isNarrow = (id) => places[id].clientWidth < 520;
  const untitled = (traces) => traces.map(({ legendgrouptitle, ...trace }) => trace);

  function layoutOf(id, variant) {
    const layout = structuredClone(variant.layout ?? charts[id].layout);
    if (isNarrow(id)) {
      const above = { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", traceorder: "normal" };
      if (layout.legend?.orientation === "v") layout.legend = above;
      layout.margin = { ...layout.margin, l: 44, r: 6 };
    }
    const size = printing ? { autosize: false, width: 640, height: layout.height ?? 380 } : { autosize: true };
    return { ...layout, template: template(), ...size };
  }

  function draw(id) {
    const place = places[id];
    const variant = variantOf(id);
    if (!variant) {
      Plotly.purge(place);
      place.textContent = "Nothing was recorded for this choice.";
      const open = document.querySelector(`[data-numbers="${CSS.escape(id)}"][open]`);
      if (open) fill(open);
      return undefined;
    }
    if (!place.querySelector(".main-svg")) place.textContent = "";
    const details = document.querySelector(`[data-numbers="${CSS.escape(id)}"]`);
    if (details.open) fill(details);
    return Plotly.react(place, isNarrow(id) ? untitled(variant.data) : variant.data, layoutOf(id, variant), config);
  }

  /* One chart at a time, so that the page answers while it draws. */
  const waiting = [];
  function queue(id) {
    if (!places[id] || waiting.includes(id)) return;
    waiting.push(id);
    if (waiting.length === 1) setTimeout(next, 0);
  }
  async function next() {
    try {
      await draw(waiting[0]);
    } catch (error) {
      places[waiting[0]].textContent = "This chart can't be drawn; its data are below.";
      console.error(error);
    }
    waiting.shift();
    if (waiting.length) setTimeout(next, 0);
    else root.dataset.drawn = "yes";
  }

  const selects = all("[data-choice]");
  const follow = () => selects.forEach((select) => {
    const wanted = chosenOf(select.dataset.choice);
    if (!wanted || !offered(select.dataset.choice, wanted)) select.selectedIndex = 0;
    else select.value = wanted; // shows nothing where these charts don't have it
  });
  selects.forEach((select) => select.addEventListener("change", () => set({ [`show.${select.dataset.choice}`]: select.value })));
  listen((changed) => changed.startsWith("show.") || changed === "cell", () => {
    follow();
    Object.keys(charts).filter((id) => charts[id].choice).forEach(queue);
  });
  follow();

  /* The numbers of a chart as a table, made from what is drawn. */
  const text = (value) => String(value ?? "").replace(/<br>/g, ", ").replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
  function written(value, axis) {
    if (typeof value !== "number") return text(value);
    if (axis?.tickformat?.includes("%")) return `${(100 * value).toFixed(1)}\u202f%`;
    return String(Number(value.toPrecision(4)));
  }
  function spanned(values, bars, place, axis) {
    const value = values[place];
    if (value === null || value === undefined) return "\u2014";
    const up = bars?.array?.[place] ?? 0;
    const down = bars?.arrayminus?.[place] ?? 0;
    const span = up || down ? ` (${written(value - down, axis)}\u2013${written(value + up, axis)})` : "";
    return written(value, axis) + span;
  }
  function numbers(traces, layout) {
    const heads = [layout.xaxis?.title?.text ?? "x", layout.yaxis?.title?.text ?? "y"].map(text);
    if (traces.some((trace) => trace.z)) {
      const [grid] = traces;
      const share = (at, to) => (grid.z[at][to] === null ? "" : written(grid.z[at][to], { tickformat: "%" }));
      const said = (at, to) => (grid.customdata ? `${share(at, to)} (${text(grid.customdata[at][to])})` : `${text(grid.text[at][to])} (${share(at, to)})`);
      return [[`${heads[1]} \\ ${heads[0]}`, ...grid.x.map(text)], grid.z.map((row, at) => [text(grid.y[at]), ...row.map((_, to) => said(at, to))])];
    }
    const shown = traces.filter((trace) => !trace.meta?.key);
    const named = shown.some((trace) => trace.customdata);
    const rows = shown.flatMap((trace) => trace.x.map((_, at) => [
      text(trace.name), ...(named ? [text(trace.customdata?.[at])] : []),
      spanned(trace.x, trace.error_x, at, layout.xaxis), spanned(trace.y, trace.error_y, at, layout.yaxis),
    ]));
    return [["Series", ...(named ? ["Of"] : []), ...heads], rows];
  }
  function cell(tag, content) {
    const made = document.createElement(tag);
    made.textContent = content;
    return made;
  }
  function row(tag, contents) {
    const made = document.createElement("tr");
    made.append(...contents.map((content) => cell(tag, content)));
    return made;
  }
  function fill(details) {
    const id = details.dataset.numbers;
    const variant = variantOf(id);
    const [heads, rows] = variant ? numbers(variant.data, variant.layout ?? charts[id].layout) : [[], []];
    const table = document.createElement("table");
    table.createTHead().append(row("th", heads));
    table.createTBody().append(...rows.map((contents) => row("td", contents)));
    details.querySelector("div").replaceChildren(table);
    const from = details.querySelector("[data-source]");
    from.textContent = variant?.source.length ? `From ${variant.source.join(", ")}; * stands for each of them.` : "";
    from.dataset.source = variant?.source.join(" ") ?? "";
  }
  ferAudit.repaint = () => Object.keys(charts).forEach(queue);
  ferAudit.repaint();
  /* Paper is white, and has a width of its own. */
  let theme = "";
  addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
    printing = true;
    Object.keys(charts).filter((id) => places[id]).forEach(draw);
  });
  addEventListener("afterprint", () => {
    root.dataset.theme = theme;
    printing = false;
    ferAudit.repaint();
  });
  if (!waiting.length) root.dataset.drawn = "yes";
  all("[data-numbers]").forEach((details) => details.addEventListener("toggle", () => { if (details.open) fill(details); }));
});
