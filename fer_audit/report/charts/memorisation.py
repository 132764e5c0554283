"""Accuracy on members against accuracy on non-members: the gap that attacks live on."""

from __future__ import annotations

from typing import NamedTuple

import plotly.graph_objects as go

from fer_audit.report.charts.chart import Trace, share_axis, span
from fer_audit.report.charts.forest import attacked_cells, row_names, row_trace, rows_figure
from fer_audit.report.charts.style import COLOURS
from fer_audit.report.naming import given_models, tested_on
from fer_audit.results import Estimate, Privacy, Results


class Series(NamedTuple):
    """One kind of rows: what they are called, the field of `Privacy`, and their look."""

    name: str
    field: str
    tint: str
    mark: str


_SIDES = (
    Series("members", "member_accuracy", COLOURS[1], "circle"),
    Series("non-members", "nonmember_accuracy", COLOURS[0], "diamond"),
)


def series_of(results: Results) -> tuple[Series, ...]:
    """The kinds of rows that accuracies are known of; non-members that are tested on are not told twice."""
    tested = any(cell.privacy and cell.privacy.test_accuracy for cell in results.cells)
    if not tested or (given_models(results) and tested_on(results) == "the non-members"):
        return _SIDES
    return (*_SIDES, Series(tested_on(results).removeprefix("the "), "test_accuracy", COLOURS[5], "cross"))


def member_accuracy(results: Results, model: str) -> go.Figure:
    """One row a cell: accuracy on members, non-members and the test split, mean over the privacy models."""
    cells = attacked_cells(results, model)
    rows = row_names(results, cells)
    shown = series_of(results)
    every = [_estimate(cell.privacy, series.field) for cell in results.cells for series in shown]
    traces = [
        _trace(name, rows, found, *look)
        for name, field, *look in shown
        if _known(found := [_estimate(cell.privacy, field) for cell in cells])
    ]
    return rows_figure(rows, traces, xaxis=share_axis("Accuracy", range=span(every)))


def _trace(name: str, rows: list[str], estimates: list[Estimate], tint: str, mark: str) -> Trace:
    trace = row_trace(name, rows, estimates, tint, mark)
    return trace | {"hovertemplate": "%{fullData.name}, %{y}<br>%{x:.1%}<extra></extra>"}


def _estimate(privacy: Privacy | None, field: str) -> Estimate:
    found: Estimate | None = getattr(privacy, field) if privacy else None
    return found or Estimate(value=None)


def _known(estimates: list[Estimate]) -> bool:
    return any(estimate.value is not None for estimate in estimates)
