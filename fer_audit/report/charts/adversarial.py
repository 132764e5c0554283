"""Accuracy against how much an attacker may change each pixel."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from fer_audit.report.charts.chart import Trace, axis, error_bar, new_figure, share_axis
from fer_audit.report.charts.style import GREY, colour, faded, plain, symbol
from fer_audit.report.naming import treatment, treatments
from fer_audit.results import AdversarialRobustness, Cell, Results

_DASHES = {"fgsm": "dash", "pgd": "solid"}


def adversarial_accuracy(results: Results, cells: Sequence[Cell]) -> go.Figure:
    """Cells that differ in their treatment: one colour each, one dash an attack; epsilon 0 is without an attack."""
    names = treatments(results)
    found = [(treatment(cell), cell.adversarial) for cell in cells if cell.adversarial]
    told = "" if any(names) else next((cell.model for cell in cells), "")
    traces = [
        _trace(names, treated, done, attack, treated or told)
        for treated, done in found
        for attack in _DASHES
        if any(point.attack == attack for point in done.points)
    ]
    every = [cell.adversarial for cell in results.cells if cell.adversarial]
    top = max((done.clean.high or done.clean.value or 0.0 for done in every), default=1.0)
    return new_figure(
        [*_once_in_the_legend(traces), *(_key(attack) for attack in _DASHES)],
        xaxis=axis("Epsilon, of 255 grey levels", rangemode="tozero"),
        yaxis=share_axis("Accuracy", range=[-0.02, 1.04 * top]),
        scattermode="group",  # bars at one epsilon stand side by side
        scattergap=0.85,
    )


def _trace(names: list[str], treated: str, done: AdversarialRobustness, attack: str, name: str) -> Trace:
    points = sorted((one for one in done.points if one.attack == attack), key=lambda one: one.epsilon)
    estimates = [done.clean, *(one.accuracy for one in points)]
    tint = colour(names, treated)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": plain(name),
        "legendgroup": plain(name),
        "x": [0.0, *(one.epsilon for one in points)],
        "y": [estimate.value for estimate in estimates],
        "error_y": error_bar(estimates, faded(tint, 0.55)),
        "customdata": [attack.upper()] * len(estimates),
        "hovertemplate": "%{fullData.name}, %{customdata}<br>epsilon %{x:g}: %{y:.1%}<extra></extra>",
        "line": {"color": tint, "dash": _DASHES[attack], "width": 2},
        "marker": {"symbol": symbol(names, treated), "size": 7},
    }


def _once_in_the_legend(traces: list[Trace]) -> list[Trace]:
    """Of the traces of a cell, the last stands in the legend."""
    last = {trace["name"]: place for place, trace in enumerate(traces)}
    return [trace | {"showlegend": last[trace["name"]] == place} for place, trace in enumerate(traces)]


def _key(attack: str) -> Trace:
    line = {"color": GREY, "dash": _DASHES[attack], "width": 2}
    empty: Trace = {"type": "scatter", "mode": "lines", "x": [None], "y": [None], "hoverinfo": "skip"}
    return empty | {"name": attack.upper(), "line": line, "meta": {"key": "Attack"}}
