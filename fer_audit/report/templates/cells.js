/* One cell: everything that the page's tables say of it, where each number stands, and how to make it again. */
ferAudit.parts.push((data) => {
  "use strict";
  const { tables, cells, reproduction, unshown } = data;
  const { all, make, get, set, listen, rowOf, inside } = ferAudit;
  const section = document.getElementById("cell");
  const body = section.querySelector("[data-cell]");
  const select = document.getElementById("cell-choice");

  const quoted = (id) => id.replaceAll("'", "'\\''");
  const UNKNOWN = "\u2014";
  function facts(table, row) {
    const list = make("dl", { className: "facts" });
    table.columns.forEach((column, place) => {
      const [text, , note, , , , places] = table.rows[row][place];
      if (text === UNKNOWN || column.title === "Cell") return;
      const said = make("dd", {}, make("span", {}, inside(table.rows[row][place])));
      if (places) said.dataset.p = places;
      if (note) said.append(make("small", {}, note));
      list.append(make("dt", {}, column.title), said);
    });
    return make("div", { className: "card" }, make("h4", {}, table.caption), list);
  }
  function lines(table, rows) {
    const gone = new Set(table.columns.flatMap((column, place) => (column.title === "Cell" || rows.every((row) => table.rows[row][place][0] === UNKNOWN) ? [place] : [])));
    const head = make("tr", {}, ...table.columns.flatMap(({ title, numeric }, place) => (gone.has(place) ? [] : [make("th", { scope: "col", className: numeric ? "n" : "" }, title)])));
    const body = make("tbody", {}, ...rows.map((row) => rowOf(table.rows[row], table.columns, gone)));
    const shown = make("div", { className: "scroll", tabIndex: 0, role: "group", ariaLabel: `${table.caption}, this cell` }, make("table", {}, make("thead", {}, head), body));
    return make("div", { className: "table" }, make("h4", {}, table.caption), shown);
  }
  function show() {
    const place = cells.findIndex((cell) => cell.id === get("cell"));
    section.hidden = !get("cell");
    if (section.hidden) return;
    if (place < 0) {
      const elsewhere = unshown ? "This page has no details of" : "This run has no";
      const others = unshown ? ` ${unshown.toLocaleString("en")} cells are in results.csv and results.json alone.` : "";
      body.replaceChildren(make("p", { className: "none" }, `${elsewhere} cell \u201c${get("cell")}\u201d; choose one of those that it has.${others}`));
      return;
    }
    const cell = cells[place];
    select.value = cell.id;
    const parts = [make("h3", {}, cell.name), make("p", { className: "fine" }, make("code", {}, cell.id))];
    if (cell.error) {
      const log = make("pre", { tabIndex: 0 }, cell.error);
      parts.push(make("div", { className: "card failure" }, make("p", {}, `This cell is ${cell.status}.`), log));
    }
    if (reproduction) {
      parts.push(make("p", { className: "reading" }, "Train and attack this cell alone, on the code and versions under Provenance:"));
      parts.push(make("pre", { className: "card", tabIndex: 0 }, reproduction.replace("{cell}", () => quoted(cell.id))));
    }
    const [single, several] = [make("div", { className: "pair" }), []];
    for (const table of Object.values(tables)) {
      const rows = table.cells.flatMap((of, row) => (of === place ? [row] : []));
      if (rows.length === 1) single.append(facts(table, rows[0]));
      else if (rows.length) several.push(lines(table, rows));
    }
    body.replaceChildren(...parts, single, ...several);
  }

  select.append(...cells.map((cell) => make("option", { value: cell.id }, cell.name)));
  select.addEventListener("change", () => set({ cell: select.value, "show.cell": "" }, { newPage: true }));
  section.querySelector("[data-close]").addEventListener("click", () => {
    const leads = (link) => new URLSearchParams(link.hash.slice(1)).get("cell") === get("cell");
    const line = all('[data-table="cells"] tbody a').find(leads);
    set({ cell: "", at: "all-cells" }, { newPage: true });
    const head = document.querySelector("#all-cells h2");
    if (head) head.tabIndex = -1;
    (line ?? head)?.focus({ preventScroll: true });
    document.getElementById("all-cells")?.scrollIntoView();
  });
  listen((changed) => changed === "cell", () => {
    show();
    if (get("cell")) { section.scrollIntoView(); section.querySelector("h2").focus({ preventScroll: true }); }
  });
  show();
});
