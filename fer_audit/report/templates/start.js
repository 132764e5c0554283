/* What all scripts of the page share: its data, and its state, which lives in the address. */
const ferAudit = (() => {
  "use strict";
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  async function unpack() {
    const packed = document.getElementById("payload").textContent.trim();
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  function make(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  /* `#privacy` is a place of the page; `#cell=...&model=...` is what the reader chose, and can be linked. */
  const read = () => {
    const text = location.hash.slice(1);
    if (text.includes("=")) return Object.fromEntries(new URLSearchParams(text));
    return text ? { at: text } : {};
  };
  let state = read();
  const listeners = [];
  const tell = (changed) => listeners.forEach(([keys, heard]) => { if (keys(changed)) heard(); });
  const get = (key) => state[key] ?? "";
  function set(changes, { newPage = false } = {}) {
    const changed = Object.keys(changes).filter((key) => get(key) !== String(changes[key] ?? ""));
    if (!changed.length) return;
    for (const key of changed) {
      if (changes[key]) state[key] = String(changes[key]);
      else delete state[key];
    }
    const { at, ...rest } = state;
    const text = Object.keys(rest).length ? new URLSearchParams(state).toString() : at ?? "";
    history[newPage ? "pushState" : "replaceState"](null, "", `#${text}`);
    tell(changed);
  }
  const listen = (keys, heard) => listeners.push([(changed) => changed.some(keys), heard]);
  const arrive = () => {
    const before = state;
    state = read();
    tell([...new Set([...Object.keys(before), ...Object.keys(state)])].filter((key) => before[key] !== state[key]));
  };
  addEventListener("hashchange", arrive);
  addEventListener("popstate", arrive);

  return { all, make, data: unpack(), get, set, listen, parts: [] };
})();
