/* Every cell against a baseline that the reader picks. */
ferAudit.parts.push((data) => {
  "use strict";
  const { cells, differences } = data;
  const section = document.getElementById("compare");
  if (!section || !differences) return;
  const { make, get, set, listen, rowOf } = ferAudit;
  const { measures, values, pairs, stretch } = differences;
  const select = document.getElementById("baseline");
  const only = document.getElementById("differs");
  const output = section.querySelector("output");
  const table = section.querySelector("table");
  const MINUS = "\u2212";
  const MOST = 300;

  const paired = Object.fromEntries(measures.map(({ key }) => [key, new Map(pairs[key].map(([cell, other, ...rest]) => [`${cell},${other}`, rest]))]));
  const measured = (place) => measures.some(({ key }) => values[key][place]);
  const candidates = cells.map((_, place) => place).filter(measured);

  /* Square-and-add (Zou and Donner 2008) where the pair was not measured on the same rows: wider than need be where both
     rise and fall together. */
  function apart([value, low, high, place], [other, otherLow, otherHigh, otherPlace]) {
    const known = ![low, high, otherLow, otherHigh].includes(null);
    const down = known ? Math.hypot(value - low, otherHigh - other) : 0;
    const up = known ? Math.hypot(high - value, other - otherLow) : 0;
    const difference = value - other;
    return { value: difference, low: known ? difference - down : null, high: known ? difference + up : null, places: `${place} ${MINUS} ${otherPlace}`, paired: false, beyond: undefined };
  }
  function difference(key, cell, baseline) {
    const found = paired[key].get(`${cell},${baseline}`);
    if (found) return { value: found[0], low: found[1], high: found[2], places: found[3], paired: true, beyond: found[4] === 1 };
    const turned = paired[key].get(`${baseline},${cell}`);
    const minus = (end) => (end === null ? null : -end);
    if (turned) return { value: -turned[0], low: minus(turned[2]), high: minus(turned[1]), places: `${MINUS} ${turned[3]}`, paired: true, beyond: turned[4] === 1 };
    const [one, other] = [values[key][cell], values[key][baseline]];
    return one && other ? apart(one, other) : null;
  }
  /* Beyond 0 even when the interval is widened for the number of comparisons. */
  function differs(found) {
    if (!found || found.low === null) return false;
    if (found.beyond !== undefined) return found.beyond;
    const low = found.value - stretch * (found.value - found.low);
    const high = found.value + stretch * (found.high - found.value);
    return low > 0 || high < 0;
  }
  /* Halves go to the even digit, as everywhere on the page. */
  const fixed = (value, digits) => {
    const scaled = value * 10 ** digits;
    const below = Math.floor(scaled);
    return (scaled - below === 0.5 ? (below + (below % 2 === 0 ? 0 : 1)) / 10 ** digits : value).toFixed(digits);
  };
  const written = (value, unit) => {
    const said = unit === "points" ? fixed(100 * value, 1) : fixed(value, 3);
    return `${value > 0 && Number(said) ? "+" : ""}${said}`.replace("-", MINUS);
  };
  function entry(found, unit) {
    if (!found) return ["\u2014", null];
    const span = found.low === null ? "" : `${written(found.low, unit)} to ${written(found.high, unit)}`;
    const notes = [span, found.paired ? "" : "not paired"].filter(Boolean).join("\n");
    const tone = differs(found) ? (found.value > 0 ? "up" : "down") : "";
    return [written(found.value, unit), found.value, notes, 0, tone, "", found.places];
  }

  function draw() {
    const baseline = candidates.find((place) => cells[place].id === get("baseline")) ?? candidates[0];
    select.value = cells[baseline].id;
    only.checked = get("differs") === "1";
    const lines = candidates.filter((place) => place !== baseline).map((place) => [place, measures.map(({ key }) => difference(key, place, baseline))]);
    const telling = lines.filter(([, found]) => found.some(differs));
    const shown = only.checked ? telling : lines;
    const kept = measures.map((_, column) => column).filter((column) => !only.checked || shown.some(([, found]) => differs(found[column])));
    const columns = [{ title: "Cell", numeric: false }, ...kept.map((column) => ({ title: measures[column].title + (measures[column].unit === "points" ? ", points" : ""), numeric: true }))];
    table.tHead.replaceChildren(make("tr", {}, ...columns.map(({ title, numeric }) => make("th", { scope: "col", className: numeric ? "n" : "" }, title))));
    const rows = shown.slice(0, MOST).map(([place, found]) => rowOf([[cells[place].name, null], ...kept.map((column) => entry(found[column], measures[column].unit))], columns, new Set(), cells[place].id));
    table.tBodies[0].replaceChildren(...rows);
    const cut = shown.length > MOST ? ` The first ${MOST} of them are shown.` : "";
    output.textContent = `${telling.length} of ${lines.length} cells differ from the baseline in something.${cut}`;
  }

  select.append(...candidates.map((place) => make("option", { value: cells[place].id }, cells[place].name)));
  select.addEventListener("change", () => set({ baseline: select.value }));
  only.addEventListener("change", () => set({ differs: only.checked ? "1" : "" }));
  listen((changed) => changed === "baseline" || changed === "differs", draw);
  draw();
});
