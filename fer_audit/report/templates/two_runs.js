(() => {
  "use strict";
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  document.getElementById("theme").addEventListener("click", () => {
    const name = root.dataset.theme === "dark" ? "light" : "dark";
    root.dataset.theme = name;
    try { localStorage.setItem("fer-audit-theme", name); } catch { /* kept for this visit alone */ }
  });

  /* Only what differs: lines without a difference are hidden, and a table that has no other says so. */
  const only = document.getElementById("only");
  const lines = all("tbody tr");
  const same = lines.filter((line) => "same" in line.dataset);
  function show() {
    root.classList.toggle("differing", only.checked);
    for (const table of all(".table")) {
      const bare = only.checked && !table.querySelector("tbody tr:not([data-same])");
      table.querySelector("[data-nothing]").hidden = !bare;
      table.querySelector(".scroll").hidden = bare;
    }
    document.getElementById("kept").textContent = only.checked ? `${lines.length - same.length} of ${lines.length} lines` : `${lines.length} lines`;
  }
  only.addEventListener("change", show);
  only.closest("p").hidden = false;
  show();
})();
