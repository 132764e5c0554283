"""What the report costs: seconds to render, size of the page, and how soon a browser shows, filters and sorts it.

    python experiments/benchmarks/report.py [--grid reports/grid] [--cells 2000 10000] [--browser PATH] [--quick]

Targets: the main grid's page has at most 3 MB and is ready in under 2 s; 2,000 cells are rendered in under 10 s to at
most 6 MB; filter and sort take under 200 ms (95th percentile); 10,000 cells still open. The main grid is measured where
its folder is given; the others are simulated. Every rendering runs in a process of its own; the page is opened from a
file in headless Chromium, each time in a fresh context. Filter and sort are timed from their event to after the second
animation frame, of which two alone take some 30 ms.
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from side import run, tell
from simulated_results import simulate
from table import Measured, heading, note, show

from fer_audit.report.page import render
from fer_audit.results import read_results, write_results, write_run

READY_WITHIN = 60  #: seconds after which a page counts as never ready
REPETITIONS = 20
WORDS = ("ghost", "mixup", "symmetric", "")  #: each leaves other rows than the one before
FILTER, HEADS, BODY = '[data-filter="cells"]', '[data-table="cells"] thead button', '[data-table="cells"] tbody'

#: Runs before the page's own scripts; the clock starts with the navigation.
_WATCH = """
new MutationObserver(() => {
  if (document.documentElement?.dataset.ready === "yes") window.readyAt ??= performance.now();
}).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-ready"] });
"""
#: Waits with a timer of its own: what playwright waits with is refused by the page's content security policy.
_READY = """(limit) => new Promise((done) => {
  const over = () => window.readyAt || performance.now() > limit;
  const look = () => (over() ? done(window.readyAt ?? null) : setTimeout(look, 20));
  look();
})"""
_LOADED = """() => new Promise((done) => {
  const look = () => {
    const end = performance.getEntriesByType("navigation")[0].loadEventEnd;
    return end ? done(end) : setTimeout(look, 5);
  };
  look();
})"""
_FRAMES = "await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));"
_FILTER = f"""async ([selector, words]) => {{
  const input = document.querySelector(selector);
  input.value = words;
  const began = performance.now();
  input.dispatchEvent(new Event("input", {{ bubbles: true }}));
  {_FRAMES}
  return performance.now() - began;
}}"""
_SORT = f"""async ([selector, place]) => {{
  const heads = document.querySelectorAll(selector);
  const head = heads[place % heads.length];
  const began = performance.now();
  head.click();
  {_FRAMES}
  return performance.now() - began;
}}"""
_TEXT = "(selector) => document.querySelector(selector).textContent"
_THERE = "(selectors) => selectors.every((selector) => document.querySelector(selector))"


@dataclass(frozen=True)
class Limit:
    """A target."""

    most: float
    unit: str
    sign: str = "<"

    def __str__(self) -> str:
        return f"{self.sign} {self.most:g} {self.unit}"

    def verdict(self, value: float) -> str:
        """Whether `value` keeps the limit, and by how much it does not."""
        kept = value < self.most or (self.sign == "<=" and value == self.most)
        return "met" if kept else f"missed by {value - self.most:.3g} {self.unit}"


@dataclass(frozen=True)
class Case:
    """Results to render; `limits` are of the figures that have a target."""

    title: str
    repeats: int
    limits: dict[str, Limit]
    grid: Path | None = None  #: folder of real results
    cells: int = 0  #: of simulated ones


@dataclass
class Visit:
    """What a browser measured, in the page's own clock; seconds of loads, milliseconds of answers."""

    load: list[float] = field(default_factory=list)
    ready: list[float | None] = field(default_factory=list)  #: None where it was not in time
    filter: list[float] = field(default_factory=list)
    sort: list[float] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)  #: of "filter" and "sort", what changed no row


_INTERACTION = {"filter": Limit(200, "ms"), "sort": Limit(200, "ms")}
_MAIN = {"size": Limit(3, "MB", "<="), "ready": Limit(2, "s"), **_INTERACTION}
_SIMULATED: dict[int, dict[str, Limit]] = {
    2000: {"render": Limit(10, "s"), "size": Limit(6, "MB", "<="), **_INTERACTION},
    10000: {"ready": Limit(READY_WITHIN, "s")},
}


def main() -> None:
    """Prints a table for each case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grid", type=Path, help="folder of the main grid's results")
    parser.add_argument("--cells", type=int, nargs="*", default=[2000, 10000], help="sizes of simulated grids")
    parser.add_argument("--browser", default=shutil.which("chromium"), help="path of Chromium")
    parser.add_argument("--quick", action="store_true", help="200 cells, one load: to see that it works")
    options = parser.parse_args()
    if why := _no_browser(options.browser):
        note(f"nothing is measured in a browser: {why}")
        options.browser = None
    for case in _cases(options.grid, [200] if options.quick else options.cells, options.quick):
        with tempfile.TemporaryDirectory() as folder:
            _measure(case, Path(folder), options.browser)


def _no_browser(path: str | None) -> str:
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed"
    return (
        "" if path and Path(path).exists() else f"there is no chromium{f' at {path}' if path else ''}; give --browser"
    )


def _cases(grid: Path | None, sizes: Sequence[int], quick: bool) -> list[Case]:
    repeats = 1 if quick else 5
    found = [Case(f"Main grid, {grid}", repeats, _MAIN, grid=grid)] if grid else []
    return found + [
        Case(f"Simulated grid of {cells:,} cells", min(repeats, 3), _SIMULATED.get(cells, _INTERACTION), cells=cells)
        for cells in sizes
    ]


def _measure(case: Case, folder: Path, browser: str | None) -> None:
    if case.grid:
        # The given folder keeps the page that it has.
        shutil.copytree(case.grid, folder, dirs_exist_ok=True)
    else:
        run("report:simulated", cells=case.cells, folder=str(folder))
    read = run("report:read", folder=str(folder))
    made = run("report:rendered", folder=str(folder))
    heading(f"{case.title}: results.json of {_megabytes(folder / 'results.json'):,.1f} MB")
    page = folder / "report.html"
    rows: list[tuple[object, ...]] = [
        ("figure", "measured", "target", ""),
        _row(case, "render", "page written after", Measured([made["written"]], "s"), made["written"]),
        ("  all memory freed after", Measured([made["seconds"]], "s")),
        ("  of it reading", Measured([read["seconds"]], "s")),
        ("  processor time", Measured([made["processor"]], "s")),
        ("  memory, at most", f"{made['megabytes']:,.0f} MB"),
        _row(case, "size", "size of the page", f"{_megabytes(page):.2f} MB", _megabytes(page)),
        ("  results.csv", f"{_megabytes(folder / 'results.csv'):.2f} MB"),
    ]
    if browser:
        tell(f"opening the page of {case.title}")
        rows += _seen(case, _visit(browser, page, case.repeats))
    show(rows)


def _seen(case: Case, visit: Visit) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = [_row(case, "load", "load event", Measured(visit.load, "s", 2), max(visit.load))]
    ready = [seconds for seconds in visit.ready if seconds is not None]
    if len(ready) < len(visit.ready):
        late = f"in {len(ready)} of {len(visit.ready)} loads"
        return [*rows, ("ready", late, case.limits.get("ready", ""), f"not ready within {READY_WITHIN} s")]
    rows.append(_row(case, "ready", "ready", Measured(ready, "s", 2), Measured(ready).median))
    return [*rows, *(_answers(case, name, getattr(visit, name), name in visit.idle) for name in ("filter", "sort"))]


def _answers(case: Case, name: str, times: list[float], idle: bool) -> tuple[object, ...]:
    if not times:
        return (name, "not measured", case.limits.get(name, ""), "the page has no table of cells to try it on")
    high = float(np.quantile(times, 0.95))
    measured = f"{high:,.0f} ms (median {np.median(times):,.0f})"
    row = _row(case, name, f"{name}, 95th percentile of {len(times)}", measured, high)
    return (*row[:-1], "changed no row") if idle else row


def _row(case: Case, key: str, title: str, measured: object, value: float) -> tuple[object, ...]:
    limit = case.limits.get(key)
    return (title, measured, limit, limit.verdict(value)) if limit else (title, measured, "", "")


def _visit(browser: str, page: Path, loads: int) -> Visit:
    from playwright.sync_api import sync_playwright

    visit = Visit()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for left in reversed(range(loads)):
            context = chromium.new_context(viewport={"width": 1400, "height": 1000})
            context.set_default_timeout(1000 * 2 * READY_WITHIN)
            opened = context.new_page()
            opened.add_init_script(_WATCH)
            opened.goto(page.as_uri(), wait_until="load")
            visit.load.append(opened.evaluate(_LOADED) / 1000)
            ready = opened.evaluate(_READY, 1000 * READY_WITHIN)
            visit.ready.append(ready and ready / 1000)
            if not left and ready and opened.evaluate(_THERE, [FILTER, HEADS, BODY]):
                _answer(opened, visit)
            context.close()
            if not ready:
                break
        chromium.close()
    return visit


def _answer(page: Any, visit: Visit) -> None:
    """Filters and sorts; what the table shows is compared outside of the time."""
    words = [WORDS[place % len(WORDS)] for place in range(REPETITIONS)]
    for name, script, selector, tries in (
        ("filter", _FILTER, FILTER, words),
        ("sort", _SORT, HEADS, list(range(REPETITIONS))),
    ):
        shown = {page.evaluate(_TEXT, BODY)}
        for one in tries:
            getattr(visit, name).append(page.evaluate(script, [selector, one]))
            shown.add(page.evaluate(_TEXT, BODY))
        if len(shown) == 1:
            visit.idle.append(name)


def _megabytes(path: Path) -> float:
    return path.stat().st_size / 1e6


def simulated(cells: int, folder: str) -> dict[str, Any]:
    """Writes simulated results."""
    results, record = simulate(cells)
    write_results(results, Path(folder) / "results.json")
    write_run(record, Path(folder) / "run.json")
    return {}


def read(folder: str) -> dict[str, Any]:
    """Seconds to read and check the results."""
    began = time.perf_counter()
    read_results(Path(folder) / "results.json")
    return {"seconds": time.perf_counter() - began}


def rendered(folder: str) -> dict[str, Any]:
    """Seconds until the page is written, until all memory is free again, of the processor, and the most memory."""
    began, worked, hour = time.perf_counter(), time.process_time(), time.time()
    written = render(Path(folder)).stat().st_mtime - hour
    seconds, processor = time.perf_counter() - began, time.process_time() - worked
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return {"seconds": seconds, "written": written, "processor": processor, "megabytes": most}


if __name__ == "__main__":
    main()
