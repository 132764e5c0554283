/* One cell: everything that the page's tables say of it, where each number stands, and how to make it again. */
ferAudit.parts.push((data) => {
  "use strict";
  const { tables, cells, reproduction } = data;
  const { make, get, set, listen } = ferAudit;
  const section = document.getElementById("cell");
  const body = section.querySelector("[data-cell]");
  const select = document.getElementById("cell-choice");

  const quoted = (id) => id.replaceAll("'", "'\\''");
  function facts(table, row) {
    const list = make("dl", { className: "facts" });
    table.columns.forEach((column, place) => {
      const [text, , note, , , , places] = table.rows[row][place];
      if (text === "\u2014") return;
      const said = make("dd", {}, make("span", {}, text));
      if (places) said.dataset.p = places;
      if (note) said.append(make("small", {}, note));
      list.append(make("dt", {}, column.title), said);
    });
    return list;
  }
  function show() {
    const place = cells.findIndex((cell) => cell.id === get("cell"));
    section.hidden = !get("cell");
    if (section.hidden) return;
    if (place < 0) {
      body.replaceChildren(make("p", { className: "none" }, `This run has no cell \u201c${get("cell")}\u201d; choose one of those that it has.`));
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
    const grid = make("div", { className: "pair" });
    for (const table of Object.values(tables)) {
      const rows = table.cells.flatMap((of, row) => (of === place ? [row] : []));
      if (!rows.length) continue;
      const card = make("div", { className: "card" }, make("h4", {}, table.caption));
      rows.slice(0, 12).forEach((row) => card.append(facts(table, row)));
      if (rows.length > 12) card.append(make("p", { className: "fine" }, `The first 12 of ${rows.length}; the table has all.`));
      grid.append(card);
    }
    body.replaceChildren(...parts, grid);
  }

  select.append(...cells.map((cell) => make("option", { value: cell.id }, cell.name)));
  select.addEventListener("change", () => set({ cell: select.value, "show.cell": "" }, { newPage: true }));
  section.querySelector("[data-close]").addEventListener("click", () => set({ cell: "", at: "all-cells" }, { newPage: true }));
  listen((changed) => changed === "cell", () => {
    show();
    if (get("cell")) { section.scrollIntoView(); section.querySelector("h2").focus({ preventScroll: true }); }
  });
  show();
});
