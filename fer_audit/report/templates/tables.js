/* Tables: words and choices that filter, heads that sort, columns to choose, and files of what is left. */
ferAudit.parts.push((data) => {
  "use strict";
  const { tables, cells } = data;
  const { all, make, get, set, listen } = ferAudit;
  const PAGE = 50;
  const PRINTED = 500;
  const collator = new Intl.Collator("en", { numeric: true });
  const FACETS = [["model", "Model"], ["augmentation", "Augmentation"], ["defence", "Defence"], ["labels", "Labels"], ["seed", "Seed"], ["attack", "Attack"], ["status", "Status"]];

  /* An entry is [text, sort key, note, bar, tone, link, places], without the empty ones at its end. */
  function inside([text, , , , tone, link], cell) {
    if (tone) return make("span", { className: `tag ${tone}` }, text);
    if (link) return make("a", { href: link }, text);
    return cell ? make("a", { href: `#cell=${encodeURIComponent(cell)}` }, text) : text;
  }
  function barOf([low, high, value]) {
    const bar = make("span", { className: "bar" });
    bar.setAttribute("aria-hidden", "true");
    const stripe = make("i");
    stripe.style.cssText = `left:${100 * low}%;width:${100 * (high - low)}%`;
    bar.append(stripe);
    if (value) {
      const tick = make("b");
      tick.style.cssText = `left:${100 * value}%`;
      bar.append(tick);
    }
    return bar;
  }
  function entryOf(entry, numeric, first, cell) {
    const made = make(first ? "th" : "td");
    if (first) made.scope = "row";
    if (numeric) made.className = "n";
    const [, sort, note, bar, , , places] = entry;
    if (sort !== null && sort !== undefined) made.dataset.v = sort;
    if (places) made.dataset.p = places;
    made.append(inside(entry, first ? cell : undefined));
    if (bar) made.append(barOf(bar));
    if (note) made.append(make("small", {}, note));
    return made;
  }
  function rowOf(entries, columns, hidden, cell) {
    const line = make("tr");
    entries.forEach((entry, place) => { if (!hidden.has(place)) line.append(entryOf(entry, columns[place].numeric, place === 0, cell)); });
    return line;
  }
  Object.assign(ferAudit, { rowOf, inside });

  const facets = () => FACETS.map(([key]) => [key, get(key)]).filter(([, value]) => value);
  const keeps = (cell, attack, [key, value]) => {
    if (key !== "attack") return cell[key] === value;
    return attack ? attack === value : cell.attack.includes(value);
  };

  function start(id, table) {
    const place = document.querySelector(`[data-table="${CSS.escape(id)}"]`);
    const within = place?.closest(".table");
    const input = within?.querySelector("[data-filter]");
    if (!input) return; // nothing to choose among the rows of so small a table
    const output = within.querySelector("[data-count]");
    const more = within.querySelector("[data-more]");
    const columnsOf = within.querySelector("[data-columns]");
    const heads = all("th", place.tHead);
    const titles = table.columns.map((column) => column.title);
    const attackOf = (row) => (titles.includes("Attack") ? table.attacks[row] : ""); // else a line speaks of all attacks
    let limit = PAGE;
    let words;
    let order = [];

    const key = (name) => `${id}.${name}`;
    const hidden = () => new Set(get(key("hide")).split("|").map((title) => titles.indexOf(title)).filter((column) => column > 0));
    const wordsOf = () => (words ??= table.rows.map((row) => row.map(([text, , note]) => `${text} ${note ?? ""}`).join(" ").toLowerCase()));
    ferAudit.idle(wordsOf);

    function chosen() {
      const wanted = get(key("q")).toLowerCase().split(/\s+/).filter(Boolean);
      const asked = facets();
      const found = wanted.length ? wordsOf() : [];
      const kept = [];
      table.rows.forEach((_, row) => {
        const cell = cells[table.cells[row]];
        if (cell && !asked.every((facet) => keeps(cell, attackOf(row), facet))) return;
        if (wanted.every((word) => found[row].includes(word))) kept.push(row);
      });
      return kept;
    }
    function sorted(rows) {
      const [, falling, title] = get(key("sort")).match(/^(-?)(.*)$/);
      const column = titles.indexOf(title);
      heads.forEach((head) => head.removeAttribute("aria-sort"));
      if (column < 0) return rows;
      heads[column].setAttribute("aria-sort", falling ? "descending" : "ascending");
      const sign = falling ? -1 : 1;
      const numeric = table.columns[column].numeric;
      const keyed = rows.map((row) => [table.rows[row][column][1] ?? null, row]);
      const compare = numeric ? (one, other) => one - other : (one, other) => collator.compare(one, other);
      keyed.sort(([one], [other]) => (one === null) - (other === null) || (one === null ? 0 : sign * compare(one, other)));
      return keyed.map(([, row]) => row);
    }
    function draw() {
      const gone = hidden();
      heads.forEach((head, column) => { head.hidden = gone.has(column); });
      const lines = order.slice(0, limit).map((row) => rowOf(table.rows[row], table.columns, gone, cells[table.cells[row]]?.id));
      place.tBodies[0].replaceChildren(...lines);
      const total = table.rows.length;
      const left = !order.length ? "no row matches" : order.length === total ? `${total.toLocaleString("en")} rows` : `${order.length.toLocaleString("en")} of ${total.toLocaleString("en")} rows`;
      const by = table.cells.some((cell) => cell >= 0) ? facets().map(([name, value]) => `${name} ${value}`).join(", ") : "";
      output.textContent = by ? `${left}, only ${by}` : left;
      more.hidden = order.length <= limit;
      more.textContent = `Show ${Math.min(PAGE, order.length - limit)} more of ${(order.length - limit).toLocaleString("en")}`;
    }
    function update() {
      if (input.value !== get(key("q"))) input.value = get(key("q"));
      limit = PAGE;
      order = sorted(chosen());
      draw();
      boxes.forEach((box, column) => { box.checked = !hidden().has(column); });
    }

    input.addEventListener("input", () => set({ [key("q")]: input.value }));
    heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
      const rising = head.getAttribute("aria-sort") !== "ascending";
      set({ [key("sort")]: `${rising ? "" : "-"}${titles[column]}` });
    }));
    more.addEventListener("click", () => { limit += PAGE; draw(); });
    const boxes = titles.map((title, column) => {
      const box = make("input", { type: "checkbox", checked: true, disabled: column === 0 });
      box.addEventListener("change", () => {
        const gone = titles.filter((_, other) => !boxes[other].checked);
        set({ [key("hide")]: gone.join("|") });
      });
      columnsOf.append(make("label", {}, box, ` ${title}`));
      return box;
    });
    for (const button of all("[data-download]", within)) {
      button.addEventListener("click", () => download(`${id}.${button.dataset.download}`, WRITERS[button.dataset.download](table, order, hidden())));
    }
    let shown = PAGE;
    addEventListener("beforeprint", () => { shown = limit; limit = Math.max(limit, PRINTED); draw(); });
    addEventListener("afterprint", () => { limit = shown; draw(); });
    listen((changed) => changed.startsWith(`${id}.`) || FACETS.some(([name]) => name === changed), update);
    update();
  }

  /* Files. */
  const value = ([text, sort]) => (sort === undefined || sort === null ? null : sort) ?? text;
  const quoted = (item) => {
    const said = String(item ?? "").replace(/\n/g, "; ");
    // A spreadsheet would run what looks like a formula.
    const tame = typeof item === "string" && /^[=+\-@\t\r]/.test(said) ? `'${said}` : said;
    return /[",;]/.test(tame) ? `"${tame.replace(/"/g, '""')}"` : tame;
  };
  function csv(table, order, gone) {
    const shown = table.columns.map((_, place) => place).filter((place) => !gone.has(place));
    const noted = new Set(shown.filter((place) => table.rows.some((row) => row[place][2])));
    const head = shown.flatMap((place) => (noted.has(place) ? [table.columns[place].title, `${table.columns[place].title}: note`] : [table.columns[place].title]));
    const lines = order.map((row) => [cells[table.cells[row]]?.id ?? "", ...shown.flatMap((place) => {
      const entry = table.rows[row][place];
      return noted.has(place) ? [value(entry), entry[2] ?? ""] : [value(entry)];
    })]);
    return [["cell", ...head], ...lines].map((line) => line.map(quoted).join(",")).join("\n") + "\n";
  }
  function json(table, order, gone) {
    const rows = order.map((row) => {
      const said = { cell: cells[table.cells[row]]?.id ?? null };
      table.columns.forEach(({ title }, place) => {
        if (gone.has(place)) return;
        const [text, sort, note, , , , places] = table.rows[row][place];
        said[title] = { text, value: sort ?? null, ...(note ? { note } : {}), ...(places ? { from: places } : {}) };
      });
      return said;
    });
    return JSON.stringify({ table: table.caption, rows }, null, 1);
  }
  const WRITERS = { csv, json };
  function download(name, text) {
    const address = URL.createObjectURL(new Blob([text], { type: name.endsWith("csv") ? "text/csv" : "application/json" }));
    const link = make("a", { href: address, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  /* Choices that hold for every table with a line a cell. */
  const bar = document.getElementById("facets");
  if (bar) {
    for (const [name, title] of FACETS) {
      const values = [...new Set(cells.flatMap((cell) => cell[name]))].filter(Boolean);
      if (values.length < 2) continue;
      const select = make("select", { id: `facet-${name}` }, make("option", { value: "" }, "all"), ...values.map((one) => make("option", { value: one }, one)));
      select.addEventListener("change", () => set({ [name]: select.value }));
      const follow = () => { select.value = values.includes(get(name)) ? get(name) : ""; };
      listen((changed) => changed === name, follow);
      follow();
      bar.append(make("label", { htmlFor: select.id }, `${title} `, select));
    }
    const clear = make("button", { type: "button", className: "plain" }, "Show all");
    clear.addEventListener("click", () => set(Object.fromEntries([...FACETS.map(([name]) => [name, ""]), ["cells.q", ""]])));
    const link = make("button", { type: "button", className: "plain" }, "Copy link to this view");
    link.addEventListener("click", async () => {
      set({ at: "all-cells" });
      try {
        await navigator.clipboard.writeText(location.href);
        link.textContent = "Copied";
      } catch {
        link.textContent = "Copy it from the address bar";
      }
      setTimeout(() => { link.textContent = "Copy link to this view"; }, 2000);
    });
    bar.append(clear, link);
  }

  Object.entries(tables).forEach(([id, table]) => start(id, table));
});
