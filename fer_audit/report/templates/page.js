/* Theme, navigation and reloading; then everything starts. */
(async () => {
  "use strict";
  const root = document.documentElement;
  const { all, get, set } = ferAudit;
  const keep = (name, value) => { try { localStorage.setItem(name, value); } catch { /* kept for this visit alone */ } };
  const kept = (name) => { try { return localStorage.getItem(name); } catch { return null; } };

  /* The system's theme, unless the reader chose another. */
  const system = matchMedia("(prefers-color-scheme: dark)");
  const show = (name) => { root.dataset.theme = name; ferAudit.repaint?.(); };
  system.addEventListener("change", () => { if (kept("fer-audit-theme") === null) show(system.matches ? "dark" : "light"); });
  document.getElementById("theme").addEventListener("click", () => {
    const name = root.dataset.theme === "dark" ? "light" : "dark";
    keep("fer-audit-theme", name);
    show(name);
  });

  /* Where each number stands in the files beside the page. */
  const sources = document.getElementById("sources");
  const place = () => {
    sources.setAttribute("aria-pressed", String(get("sources") === "1"));
    root.toggleAttribute("data-sources", get("sources") === "1");
  };
  sources.addEventListener("click", () => set({ sources: get("sources") === "1" ? "" : "1" }));
  ferAudit.listen((changed) => changed === "sources", place);
  place();

  /* Links within the page keep what the reader chose. */
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="#"]');
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const text = link.getAttribute("href").slice(1);
    const wanted = text.includes("=") ? Object.fromEntries(new URLSearchParams(text)) : { at: text };
    const place = wanted.at && document.getElementById(wanted.at);
    if (wanted.at && !place) return;
    event.preventDefault();
    if (place) {
      place.scrollIntoView();
      const head = place.querySelector("h1, h2") ?? place;
      head.tabIndex = -1;
      head.focus({ preventScroll: true });
    }
    if (wanted.cell) wanted["show.cell"] = "";
    const before = get("cell");
    set(wanted, { newPage: true });
    if (wanted.cell && wanted.cell === before) document.getElementById("cell").scrollIntoView();
  });

  /* Menus close when the reader goes elsewhere. */
  const close = (event) => all(".menu[open]").filter((menu) => !menu.contains(event.target)).forEach((menu) => { menu.open = false; });
  document.addEventListener("click", close);
  document.addEventListener("focusin", close);
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && event.target.closest?.(".menu[open]");
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });

  /* The section in view is marked in the navigation. */
  const links = new Map(all("nav a").map((link) => [link.hash.slice(1), link]));
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) links.get(entry.target.id)?.classList.toggle("here", entry.isIntersecting);
  }, { rootMargin: "-30% 0px -65% 0px" });
  all("main > section").forEach((section) => watcher.observe(section));

  /* While the run lasts, the page is written anew, and reads itself anew. */
  const live = document.querySelector("[data-live]");
  if (live) {
    const pause = live.querySelector("button");
    let paused = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      pause.textContent = paused ? "Go on reloading" : "Pause";
      live.querySelector("[data-pace]").hidden = paused;
    });
    const busy = () => document.activeElement?.matches("input, select, details.menu *") || document.querySelector(".menu[open]");
    setInterval(() => {
      if (paused || busy()) return;
      try { sessionStorage.setItem("fer-audit-focus", document.activeElement?.id ?? ""); } catch { /* nothing is kept */ }
      location.reload();
    }, 1000 * Number(live.dataset.live));
  }

  ferAudit.idle = (task) => ("requestIdleCallback" in window ? requestIdleCallback(task) : setTimeout(task, 200));
  try {
    const data = await ferAudit.data;
    ferAudit.parts.forEach((part) => part(data));
    if (performance.getEntriesByType("navigation")[0]?.type === "reload") { // the browser keeps the place
      let focused = "";
      try { focused = sessionStorage.getItem("fer-audit-focus") ?? ""; } catch { /* nothing was kept */ }
      if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    } else if (get("cell")) document.getElementById("cell").scrollIntoView();
    else if (get("at")) document.getElementById(get("at"))?.scrollIntoView();
    root.dataset.ready = "yes";
  } catch (error) {
    document.getElementById("trouble").hidden = false;
    throw error;
  }
})();
