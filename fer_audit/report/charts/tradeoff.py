"""Accuracy against leakage: the chart of the first screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import plotly.graph_objects as go

from fer_audit.report.charts.chart import Trace, Variant, axis, new_figure, share_axis, span
from fer_audit.report.charts.cloud import Cloud
from fer_audit.report.charts.leakage import AUC, Leakage
from fer_audit.report.charts.leaks import Leaks
from fer_audit.report.charts.legend import legend_keys
from fer_audit.report.charts.marks import Marks
from fer_audit.report.charts.plane import Point, crowded, drawn_of, front_of, points
from fer_audit.report.charts.private_line import private_lines
from fer_audit.report.charts.style import GREY
from fer_audit.report.numbers import share
from fer_audit.report.private_training import private
from fer_audit.results import Estimate, Results

Measure = Literal["accuracy", "balanced_accuracy"]
TITLES: dict[Measure, str] = {"accuracy": "Accuracy", "balanced_accuracy": "Balanced accuracy"}


def tradeoff_variants(results: Results) -> tuple[Variant, ...]:
    """Each accuracy against each measure of leakage that the results resolve; none where no cell has both."""
    marks, leaks = Marks.of(results), Leaks.of(results)
    return tuple(
        Variant(
            f"{measure} {leakage.key}",
            f"{title} \u00b7 {leakage.name}",
            _figure(marks, found, title, leakage),
            _sources(results, measure, leakage),
        )
        for leakage in leaks.offered()
        for measure, title in reversed(TITLES.items())
        if (found := points(leaks, measure, leakage))
    )


def tradeoff(results: Results, measure: Measure = "balanced_accuracy", leakage: Leakage = AUC) -> go.Figure:
    """Each attacked cell: its accuracy against its strongest attack, with both intervals.

    Beside them the Pareto front, and the line along private training over its epsilons.
    """
    return _figure(Marks.of(results), points(Leaks.of(results), measure, leakage), TITLES[measure], leakage)


def height(results: Results) -> int:
    """Enough pixels for the chart, and for every key of its legend."""
    marks = Marks.of(results)
    return max(470, 220 + 21 * (len(marks.treatments) + len(marks.symbols)))


def _sources(results: Results, measure: Measure, leakage: Leakage) -> tuple[str, ...]:
    places = [f"cells/*/utility/{measure}", f"cells/*/privacy/attacks/*/{leakage.place}"]
    if results.costs:
        places.append("costs/*/macs")
    if any(map(private, results.cells)):
        places.append("cells/*/guarantee/epsilon")
    return tuple(f"results.json#/{place}" for place in places)


def _figure(marks: Marks, found: list[Point], title: str, leakage: Leakage) -> go.Figure:
    front = front_of(found)
    drawn = drawn_of(found, front)
    many = crowded(len(drawn))
    cloud = Cloud(marks, leakage, frozenset(point.place for point in front), many)
    return new_figure(
        [
            *cloud.line(front),
            *private_lines(marks, found, many),
            *cloud.traces(drawn),
            *legend_keys(marks, [point.cell for point in drawn], many),
        ],
        xaxis=_across(leakage, _shown([point.leak for point in drawn], many)),
        yaxis=share_axis(title, range=_up(_shown([point.accuracy for point in drawn], many))),
        legend={"orientation": "v", "y": 1, "yanchor": "top", "x": 1.02, "traceorder": "grouped", "tracegroupgap": 2},
        shapes=[_chance(leakage.chance)],
        annotations=[_better()],
    )


def _shown(estimates: list[Estimate], many: bool) -> list[Estimate]:
    """What an axis must have room for: intervals only where they are drawn."""
    return [Estimate(value=estimate.value) for estimate in estimates] if many else estimates


def _across(leakage: Leakage, shown: Sequence[Estimate]) -> Trace:
    """An AUC starts below chance; a rate at 0, on a linear axis, since 0 is a value that a logarithm can't show."""
    low, high = span(shown)
    title = f"{leakage.name} of the strongest attack ({{}} is chance)"
    if not leakage.fpr:
        return axis(title.format(leakage.chance), range=[min(low, 0.485), high])
    return share_axis(title.format(share(leakage.chance)), range=[0.0, max(high, 2 * leakage.chance)])


def _up(shown: Sequence[Estimate]) -> list[float]:
    """With room for the hint above all marks."""
    low, high = span(shown)
    return [low, high + 0.05 * (high - low)]


def _chance(at: float) -> Trace:
    line = {"color": GREY, "width": 1.5, "dash": "dot"}
    return {"type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1, "line": line, "layer": "below"}


def _better() -> Trace:
    place = {"xref": "paper", "yref": "paper", "x": 0.045, "y": 1, "xanchor": "left", "yanchor": "top"}
    return place | {"text": "\u2196 better", "showarrow": False, "font": {"color": GREY, "size": 12}}
