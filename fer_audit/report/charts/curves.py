"""Training curves of a cell's utility model."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from fer_audit.report.charts.chart import Trace, axis, new_figure, share_axis
from fer_audit.report.charts.style import COLOURS, GREY
from fer_audit.results import Cell, Epoch


def accuracy_curves(cell: Cell) -> go.Figure:
    """Accuracy epoch by epoch, on augmented train batches and on the test split."""
    return _curves(cell, "accuracy", share_axis("Accuracy"), "%{fullData.name}, epoch %{x}: %{y:.1%}<extra></extra>")


def loss_curves(cell: Cell) -> go.Figure:
    """Loss epoch by epoch, on augmented train batches, on the test split and on train rows that were held out."""
    return _curves(cell, "loss", axis("Loss"), "%{fullData.name}, epoch %{x}: %{y:.3f}<extra></extra>")


def _curves(cell: Cell, measure: str, vertical: Trace, hover: str) -> go.Figure:
    history = cell.utility.history if cell.utility else []
    traces = [
        _trace("train (augmented batches)", _values(history, f"train_{measure}"), COLOURS[1], "dash"),
        _trace("test", _values(history, f"test_{measure}"), COLOURS[0], "solid"),
    ]
    if measure == "loss":
        traces.append(_trace("held-out train rows", _values(history, "held_out_loss"), COLOURS[2], "dot"))
    shown = [trace | {"hovertemplate": hover} for trace in traces if any(y is not None for y in trace["y"])]
    axes = {"xaxis": axis("Epoch", rangemode="tozero"), "yaxis": vertical | {"rangemode": "tozero"}}
    kept = kept_epoch(history)
    if kept is None:
        return new_figure(shown, **axes)
    return new_figure(shown, **axes, shapes=[_line(kept)], annotations=[_said(kept)])


def kept_epoch(history: Sequence[Epoch]) -> int | None:
    """The epoch whose weights early stopping keeps, that of the least loss on held-out rows; None without such rows."""
    known = [(epoch.held_out_loss, place) for place, epoch in enumerate(history, 1) if epoch.held_out_loss is not None]
    return min(known)[1] if known else None


def _line(epoch: int) -> Trace:
    line = {"color": GREY, "width": 1.5, "dash": "dot"}
    return {"type": "line", "x0": epoch, "x1": epoch, "yref": "paper", "y0": 0, "y1": 1, "line": line, "layer": "below"}


def _said(epoch: int) -> Trace:
    place = {"x": epoch, "yref": "paper", "y": 1, "xanchor": "left", "yanchor": "top", "showarrow": False}
    return place | {"text": f"epoch {epoch} is kept", "font": {"color": GREY, "size": 12}}


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
