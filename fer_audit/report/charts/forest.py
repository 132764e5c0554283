"""Intervals in rows: what all charts with one row a cell share."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from fer_audit.report.charts.chart import Trace, error_bar, new_figure
from fer_audit.report.charts.style import plain
from fer_audit.report.naming import several_seeds, within_model
from fer_audit.results import Cell, Estimate, Results

ROWS = 24  #: of one chart; a page can't show more at once

_SOME = 8  #: traces with room to spare
_TALLEST = 2400  #: px; rows come closer rather than that a chart grows on


def attacked_cells(results: Results, model: str) -> list[Cell]:
    """The first cells of the model that have privacy results, as many as a chart has rows."""
    return [cell for cell in results.cells if cell.model == model and cell.privacy][:ROWS]


def row_names(results: Results, cells: Sequence[Cell]) -> list[str]:
    """Treatment, and below it what was done to the labels; the model where neither is known."""
    seeds = several_seeds(results)
    return ["<br>".join(plain(part) for part in within_model(cell, seeds) or [cell.model]) for cell in cells]


def rows_figure(rows: Sequence[str], traces: Sequence[Trace], **layout: object) -> go.Figure:
    """A figure with named rows, the first on top, and in each row the traces in their order."""
    vertical = {"type": "category", "categoryarray": list(rows)[::-1], "categoryorder": "array", "automargin": True}
    legend = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "reversed"}
    many = len(traces) > _SOME
    bottom_up = [_narrow(trace) if many else trace for trace in reversed(traces)]
    gap = 0.2 if many else 0.45
    return new_figure(bottom_up, yaxis=vertical, scattermode="group", scattergap=gap, legend=legend, **layout)


def _narrow(trace: Trace) -> Trace:
    return trace | {"marker": trace["marker"] | {"size": 7}}


def row_trace(name: str, rows: Sequence[str], estimates: Sequence[Estimate], tint: str, mark: str) -> Trace:
    """One marker with its interval in each row."""
    return {
        "type": "scatter",
        "mode": "markers",
        "orientation": "h",
        "name": plain(name),
        "x": [estimate.value for estimate in estimates],
        "y": list(rows),
        "error_x": error_bar(estimates, tint),
        "marker": {"color": tint, "symbol": mark, "size": 9},
    }


def height(results: Results, cells: int, series: int) -> int:
    """Enough pixels for every row, as far as the chart may grow."""
    rows, lines = max(1, min(cells, ROWS)), 2 + several_seeds(results)
    marks = 15 * series if series <= _SOME else max(15 * _SOME, 12 * series)
    return min(130 + rows * max(14 * lines + 8, marks + 8), _TALLEST)
