"""The table of what heat maps are worth, beside random maps."""

from __future__ import annotations

from dataclasses import replace

from fer_audit.report.attack_rows import MOST
from fer_audit.report.comparison import better
from fer_audit.report.naming import several_seeds
from fer_audit.report.numbers import UNKNOWN, decimal
from fer_audit.report.sections import cut
from fer_audit.report.table import Column, Entry, Table, field, identified, measured, words
from fer_audit.results import Explanation, ExplanationMeasure, Results

_VERDICTS = {1: ("better than random", "good"), -1: ("worse than random", "bad"), 0: ("not told apart", "open")}


def explanations_table(results: Results) -> Table:
    """Every measure of every cell; a cell without heat maps has one line that says why."""
    columns = (
        Column("Cell", numeric=False),
        Column("Measure", numeric=False),
        Column("Heat maps"),
        Column("Random maps"),
        Column("Difference", "heat maps less random maps, paired by image"),
        Column("Verdict", "from the interval of the difference, not corrected for the number of lines", numeric=False),
        Column("Layer", "whose map is explained, and its size", numeric=False),
        Column("Images"),
    )
    seeds = several_seeds(results)
    rows = [
        (identified(cell, seeds), *row)
        for cell in results.cells
        if cell.explanation is not None
        for row in _rows(cell.explanation)
    ]
    left_out = cut(len(rows), MOST, "lines are shown; results.json has all")
    caption = f"Heat maps against random maps{'.' if left_out else ''}{left_out}"
    return Table("explanations", caption, columns, tuple(rows[:MOST]), tools=True)


def _rows(done: Explanation) -> list[tuple[Entry, ...]]:
    if done.refused:
        return [(Entry("no heat maps", note=done.refused), *[Entry(UNKNOWN)] * 6)]
    size = " \u00d7 ".join(map(str, done.map_size)) if done.map_size else ""
    return [(*_measure(one), words(done.layer, size), _images(done, one)) for one in done.measures]


def _images(done: Explanation, one: ExplanationMeasure) -> Entry:
    """What a measure goes by, which may be fewer images than were explained."""
    notes = [f"{done.empty} without heat" if done.empty else "", one.value.note if one.value.value is not None else ""]
    counted = field(done, "rows") if one.value.n is None else field(one.value, "n")
    return replace(counted, note="; ".join(filter(None, notes)))


def _measure(one: ExplanationMeasure) -> tuple[Entry, ...]:
    verdict, tone = _VERDICTS[better(one, 1)]
    known = one.difference.value is not None
    return (
        words(one.name, f"{one.better} is better"),
        measured(one.value, decimal),
        measured(one.baseline, decimal),
        measured(one.difference, decimal),
        Entry(verdict, verdict, tone=tone) if known else Entry(UNKNOWN),
    )
