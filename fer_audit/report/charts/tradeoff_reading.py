"""How to read the trade-off chart: what it draws, what it leaves out, and how far its front can be trusted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fer_audit.report.charts.leakage import LEAKAGES
from fer_audit.report.charts.leaks import Leaks
from fer_audit.report.charts.plane import DRAWN, Point, crowded, points
from fer_audit.report.charts.private_line import lines_of
from fer_audit.report.numbers import confidence
from fer_audit.results import Results


def reading(results: Results) -> str:
    """The text above the chart."""
    leaks = Leaks.of(results)
    return " ".join([*_drawn(results, points(leaks, "balanced_accuracy", leaks.offered()[0])), *_unresolved(leaks)])


def _drawn(results: Results, found: Sequence[Point]) -> Iterator[str]:
    size = ", larger needs more MACs" if results.costs else ""
    yield f"Each mark is a cell: higher is more accurate, further right leaks more{size}."
    what = "Intervals stand in the table" if crowded(len(found)) else f"Bars are {confidence(results)} intervals"
    yield f"{what}; marks whose intervals overlap may well be equal."
    yield (
        "Rings mark the Pareto front: no other cell is as good in both and better in one. It is the front of the "
        "values as measured; intervals that overlap may put other cells on it."
    )
    if lines_of(found):
        yield (
            "The line joins private training of a model over its epsilons: a cell to its left leaks less at that "
            "accuracy, one to its right more, to the attacks that were run."
        )
    if not all(point.sound for point in found):
        yield "Pale cells failed, or their attacks can't be trusted; they are never on the front."
    if len(found) > DRAWN:
        yield f"{DRAWN} of {len(found):,} cells are drawn, all of the front among them; the table has all."


def _unresolved(leaks: Leaks) -> Iterator[str]:
    every, shown = len(leaks.cells), leaks.offered()
    for leakage in LEAKAGES:
        known = leaks.known(leakage)
        if leakage not in shown:
            yield f"{leakage.name} is not shown: {known or 'none'} of the {every:,} attacked cells resolve it."
        elif known < every:
            yield f"{leakage.name} is resolved by {known:,} of the {every:,} attacked cells; the others lack it."
