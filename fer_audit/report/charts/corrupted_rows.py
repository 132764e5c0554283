"""What becomes of corrupted train rows, epoch by epoch."""

from __future__ import annotations

import plotly.graph_objects as go

from fer_audit.report.charts.chart import Trace, axis, new_figure, share_axis
from fer_audit.report.charts.style import COLOURS
from fer_audit.results import Cell, MemorisationEpoch

_SERIES = (
    ("memorised", "memorised", COLOURS[1], "solid"),
    ("recovered", "recovered", COLOURS[2], "solid"),
    ("neither", "neither", COLOURS[5], "dot"),
    ("clean rows", "clean_accuracy", COLOURS[0], "dash"),
)


def corrupted_rows(cell: Cell) -> go.Figure:
    """Shares of the corrupted rows, and the accuracy on the clean ones."""
    epochs = cell.memorisation.epochs if cell.memorisation else []
    traces = [_trace(name, epochs, field, tint, dash) for name, field, tint, dash in _SERIES]
    return new_figure(
        traces, xaxis=axis("Epoch", rangemode="tozero"), yaxis=share_axis("Share of rows", range=[-0.02, 1.02])
    )


def _trace(name: str, epochs: list[MemorisationEpoch], field: str, tint: str, dash: str) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(epochs) < 40 else "lines",
        "name": name,
        "x": list(range(1, len(epochs) + 1)),
        "y": [getattr(epoch, field) for epoch in epochs],
        "line": {"color": tint, "dash": dash, "width": 2},
        "marker": {"size": 5},
        "hovertemplate": "%{fullData.name}, epoch %{x}: %{y:.1%}<extra></extra>",
    }
