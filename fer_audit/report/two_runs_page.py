"""The page that compares two runs: one HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from fer_audit.report.cell_changes import Pair
from fer_audit.report.finding import counted
from fer_audit.report.naming import chain_name, labels_and_seed, several_seeds
from fer_audit.report.numbers import MINUS, UNKNOWN, confidence, decimal, integer, percent, points
from fer_audit.report.page import page_policy, resource, template
from fer_audit.report.provenance_changes import Fact, grid_difference, shortened
from fer_audit.report.run_differences import CostChange, Difference
from fer_audit.report.table import Bar, Column, Entry, measured, words
from fer_audit.report.two_runs import TwoRuns
from fer_audit.results import Cell, Estimate, write_text

LISTED = 1000  #: differences that can't be shown, and cells in one run only, that are listed all the same

_SCRIPTS = ("templates/theme.js", "templates/two_runs.js")


@dataclass(frozen=True)
class Line:
    """A line of a table, and whether the runs differ in it."""

    entries: tuple[Entry, ...]
    differs: bool


@dataclass(frozen=True)
class Lines:
    """A table whose lines can be cut down to what differs."""

    id: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Line, ...]


def write_two_runs(runs: TwoRuns, page: Path) -> None:
    """Writes the page."""
    write_text(page, two_runs_html(runs))


def two_runs_html(runs: TwoRuns) -> str:
    """The page as text."""
    scripts = [resource(name) for name in _SCRIPTS]
    alone = len(runs.cells.only_one) + len(runs.cells.only_other)
    return template("two_runs.html.j2").render(
        runs=runs,
        findings=runs.findings(),
        tiles=_tiles(runs),
        facts=facts_lines(runs.facts),
        statuses=status_lines(runs.cells.statuses),
        alone=alone_lines(runs),
        differences=difference_lines(runs),
        unlisted=max(0, len(runs.differences) - len(runs.shown) - LISTED),
        unlisted_alone=max(0, alone - LISTED),
        costs=cost_lines(runs.costs),
        grid=[(_kind(line), line) for line in grid_difference(runs.one, runs.other)],
        confidence=confidence(runs.other.results),
        style=Markup(resource("templates/page.css") + resource("templates/two_runs.css")),  # noqa: S704
        theme=Markup(scripts[0]),  # noqa: S704
        script=Markup(scripts[1]),  # noqa: S704
        policy=page_policy(scripts),
    )


def facts_lines(facts: Sequence[Fact]) -> Lines:
    """Everything that numbers may depend on."""
    columns = (Column("What", numeric=False), *_runs(numeric=False), Column("Changed", numeric=False))
    rows = [
        Line(
            (
                words(fact.name, fact.group),
                words(shortened(fact.one)),
                words(shortened(fact.other)),
                Entry("changed", "changed", tone="open") if fact.changed else words("equal"),
            ),
            fact.changed,
        )
        for fact in facts
    ]
    return Lines("facts", "What the numbers depend on", columns, tuple(rows))


def status_lines(pairs: Sequence[Pair]) -> Lines:
    """Cells in both runs that ended otherwise."""
    columns = (Column("Cell", numeric=False), *_runs(numeric=False), Column("Error", numeric=False))
    rows = [
        Line(
            (words(other.id), _status(one), _status(other), words(_first_line(other.error or one.error))),
            differs=True,
        )
        for one, other in pairs
    ]
    return Lines("statuses", "Cells with another status", columns, tuple(rows))


def alone_lines(runs: TwoRuns) -> Lines:
    """Cells that one of the runs does not have."""
    columns = (Column("Cell", numeric=False), Column("Only in", numeric=False), Column("Status", numeric=False))
    found = [("A", cell) for cell in runs.cells.only_one] + [("B", cell) for cell in runs.cells.only_other]
    rows = [Line((words(cell.id), words(run), _status(cell)), differs=True) for run, cell in found[:LISTED]]
    return Lines("alone", "Cells in one run only", columns, tuple(rows))


def difference_lines(runs: TwoRuns) -> Lines:
    """Differences of cells in both runs, those that can be shown first."""
    columns = (
        Column("Cell", numeric=False),
        Column("Measure", numeric=False),
        *_runs(numeric=True),
        Column(f"B {MINUS} A", "unpaired; the stripe is the interval, the tick the value, the line in the middle 0"),
        Column("Shown", "0 lies outside the interval, widened for the number of comparisons", numeric=False),
    )
    seeds = any(several_seeds(run.results) for run in (runs.one, runs.other))
    listed = runs.differences[: len(runs.shown) + LISTED]
    scales = _scales(listed)
    rows = [_difference_line(one, seeds, scales[one.measure.title]) for one in listed]
    return Lines("differences", "Differences of cells in both runs", columns, tuple(rows))


def cost_lines(changes: Sequence[CostChange]) -> Lines:
    """Costs of models in both runs."""
    columns = (
        *(Column("Model", numeric=False), Column("Cost", numeric=False), *_runs(numeric=True)),
        *(Column("B \u00f7 A"), Column("Changed", numeric=False)),
    )
    rows = [
        Line(
            (
                *(words(one.model), words(one.measure), _cost(one, one.one), _cost(one, one.other)),
                Entry(f"{one.other / one.one:.4g}") if one.one else Entry(UNKNOWN),
                _verdict(one),
            ),
            one.changed,
        )
        for one in changes
    ]
    return Lines("costs", "Costs of models in both runs", columns, tuple(rows))


def difference_text(one: Difference) -> str:
    """A difference with its sign and unit, such as `+3.1 points`."""
    value = one.difference.value or 0.0
    if one.measure.unit == "points":
        return f"{100 * value:+z.1f} points".replace("-", MINUS)
    return f"{value:+z.3f}".replace("-", MINUS)


def interval_text(one: Difference) -> str:
    """The interval of a difference, or why it has none."""
    if one.difference.low is None or one.difference.high is None:
        return one.difference.note
    form = points if one.measure.unit == "points" else decimal
    return f"{form(one.difference.low)} to {form(one.difference.high)}"


def _difference_line(one: Difference, seeds: bool, scale: float) -> Line:
    form = percent if one.measure.unit == "points" else decimal
    entries = (
        words(chain_name(one.cell), labels_and_seed(one.cell, seeds)),
        words(one.measure.title),
        measured(one.one, form),
        measured(one.other, form),
        Entry(difference_text(one), one.difference.value, interval_text(one), _bar(one.difference, scale)),
        Entry(one.word, one.word, tone=one.tone if one.sign else ""),
    )
    return Line(entries, bool(one.sign))


def _scales(found: Sequence[Difference]) -> dict[str, float]:
    """How far the intervals of each measure reach from 0."""
    scales: dict[str, float] = {}
    for one in found:
        ends = [abs(end) for end in (one.difference.low, one.difference.value, one.difference.high) if end is not None]
        scales[one.measure.title] = max([scales.get(one.measure.title, 0.0), *ends])
    return scales


def _bar(difference: Estimate, scale: float) -> Bar | None:
    """Where the interval lies when 0 is in the middle."""
    if difference.value is None or difference.low is None or difference.high is None or not scale:
        return None
    ends = (difference.low, difference.high, difference.value)
    return Bar(*(round(0.5 + end / scale / 2, 3) for end in ends))


def _runs(*, numeric: bool) -> tuple[Column, Column]:
    return Column("A", numeric=numeric), Column("B", numeric=numeric)


def _status(cell: Cell) -> Entry:
    return Entry(cell.status, cell.status, tone="good" if cell.status == "done" else "bad")


def _first_line(error: str) -> str:
    return error.strip().partition("\n")[0]


def _cost(change: CostChange, value: float) -> Entry:
    return Entry(integer(int(value)) if change.exact else f"{value:.2f}", value)


def _verdict(change: CostChange) -> Entry:
    if not change.exact:
        return words("not shown", "a time, without an interval")
    return Entry("changed", "changed", tone="open") if change.changed else words("equal")


def _tiles(runs: TwoRuns) -> list[tuple[str, str, str]]:
    """Title, number and note of the first things that a reader sees."""
    cells = runs.cells
    exact = [one for one in runs.costs if one.exact]
    statuses = f"{counted(len(cells.statuses), 'cell')} with another status" if cells.statuses else ""
    alone = f"{len(cells.only_one):,} only in A, {len(cells.only_other):,} only in B"
    return [
        ("Facts that changed", f"{len(runs.changed):,}", f"of {len(runs.facts):,} in the provenance"),
        ("Cells in both runs", f"{len(cells.both):,}", "; ".join(filter(None, (alone, statuses)))),
        ("Numbers that differ", f"{len(runs.shown):,}", f"beyond their intervals, of {len(runs.differences):,}"),
        ("Costs that changed", f"{sum(one.changed for one in exact):,}", f"of {len(exact):,} counts"),
    ]


def _kind(line: str) -> str:
    """What a line of a unified diff is."""
    if line.startswith(("---", "+++", "@@")):
        return "head"
    return {"+": "new", "-": "old"}.get(line[:1], "")
