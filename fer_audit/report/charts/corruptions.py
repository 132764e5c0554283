"""Accuracy on corrupted images by kind and severity, and the error of each kind relative to the baseline."""

from __future__ import annotations

import plotly.graph_objects as go

from fer_audit.report.charts.chart import Trace, axis, new_figure, span
from fer_audit.report.charts.forest import row_trace, rows_figure
from fer_audit.report.charts.style import COLOURS, GREY, plain
from fer_audit.report.numbers import UNKNOWN, interval
from fer_audit.results import Cell, Estimate, Results


def corruption_accuracy(cell: Cell) -> go.Figure:
    """Accuracy of a cell on every kind at every severity; the shade is the accuracy."""
    done = cell.corruptions
    rows = [kind.accuracy for kind in done.kinds] if done else []
    trace: Trace = {
        "type": "heatmap",
        "x": [str(severity) for severity in done.severities] if done else [],
        "y": [plain(kind.kind) for kind in done.kinds] if done else [],
        "z": [[estimate.value for estimate in row] for row in rows],
        "text": [[_percent(estimate) for estimate in row] for row in rows],
        "customdata": [[interval(estimate) for estimate in row] for row in rows],
        "texttemplate": "%{text}",
        "hovertemplate": "%{y}, severity %{x}<br>%{z:.1%} (%{customdata})<extra></extra>",
        "zmin": 0,
        "zmax": 1,
        "xgap": 1,
        "ygap": 1,
        "showscale": False,
    }
    horizontal = {"type": "category", "title": {"text": "Severity"}, "automargin": True}
    vertical = {"type": "category", "automargin": True, "autorange": "reversed"}
    return new_figure([trace], xaxis=horizontal, yaxis=vertical)


def _percent(estimate: Estimate) -> str:
    return UNKNOWN if estimate.value is None else f"{100 * estimate.value:.0f}"


def corruption_errors(results: Results, cell: Cell) -> go.Figure:
    """The corruption error of each kind; the axis is the same for all cells."""
    found = cell.corruptions.kinds if cell.corruptions else []
    rows, errors = [plain(kind.kind) for kind in found], [kind.error for kind in found]
    trace = row_trace("corruption error", rows, errors, COLOURS[0], "circle")
    hover = {"showlegend": False, "hovertemplate": "%{y}: %{x:.2f}<extra></extra>"}
    every = [kind.error for one in results.cells if one.corruptions for kind in one.corruptions.kinds]
    low, high = span(every)
    across = axis("Corruption error (1 is the baseline)", range=[min(low, 0.9), max(high, 1.1)])
    return rows_figure(rows, [trace | hover], xaxis=across, shapes=[_baseline()])


def _baseline() -> Trace:
    line = {"color": GREY, "width": 1.5, "dash": "dot"}
    return {"type": "line", "x0": 1, "x1": 1, "yref": "paper", "y0": 0, "y1": 1, "line": line, "layer": "below"}
