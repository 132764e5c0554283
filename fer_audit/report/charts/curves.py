"""Training curves of a cell's utility model."""

from __future__ import annotations

import plotly.graph_objects as go

from fer_audit.report.charts.chart import Trace, axis, new_figure, share_axis
from fer_audit.report.charts.style import COLOURS
from fer_audit.results import Cell, Epoch


def accuracy_curves(cell: Cell) -> go.Figure:
    """Accuracy epoch by epoch, on augmented train batches and on the test split."""
    return _curves(cell, "accuracy", share_axis("Accuracy"), "%{fullData.name}, epoch %{x}: %{y:.1%}<extra></extra>")


def loss_curves(cell: Cell) -> go.Figure:
    """Loss epoch by epoch, on augmented train batches and on the test split."""
    return _curves(cell, "loss", axis("Loss"), "%{fullData.name}, epoch %{x}: %{y:.3f}<extra></extra>")


def _curves(cell: Cell, measure: str, vertical: Trace, hover: str) -> go.Figure:
    history = cell.utility.history if cell.utility else []
    traces = [
        _trace("train (augmented batches)", _values(history, f"train_{measure}"), COLOURS[1], "dash"),
        _trace("test", _values(history, f"test_{measure}"), COLOURS[0], "solid"),
    ]
    shown = [trace | {"hovertemplate": hover} for trace in traces if any(y is not None for y in trace["y"])]
    return new_figure(shown, xaxis=axis("Epoch", rangemode="tozero"), yaxis=vertical | {"rangemode": "tozero"})


def _values(history: list[Epoch], field: str) -> list[float | None]:
    return [getattr(epoch, field) for epoch in history]


def _trace(name: str, values: list[float | None], tint: str, dash: str) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(values) < 40 else "lines",
        "name": name,
        "x": list(range(1, len(values) + 1)),
        "y": values,
        "line": {"color": tint, "dash": dash, "width": 2},
        "marker": {"size": 5},
    }
