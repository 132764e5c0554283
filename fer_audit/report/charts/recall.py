"""Recall of each class."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from fer_audit.report.charts.chart import error_bar, new_figure, share_axis
from fer_audit.report.charts.style import COLOURS, faded, plain
from fer_audit.results import Cell


def class_recall(cell: Cell, classes: Sequence[str]) -> go.Figure:
    """Recall of each class with its interval, in the dataset's order."""
    recalls = cell.utility.per_class if cell.utility else []
    trace = {
        "type": "bar",
        "name": "recall",
        "x": [plain(name) for name in classes[: len(recalls)]],
        "y": [recall.value for recall in recalls],
        "error_y": error_bar(recalls, COLOURS[0]) | {"width": 5, "thickness": 2},
        "marker": {"color": faded(COLOURS[0], 0.45), "line": {"color": COLOURS[0], "width": 1}},
        "customdata": ["" if recall.n is None else f"{recall.n:,} test images" for recall in recalls],
        "hovertemplate": "%{x}: %{y:.1%}<br>%{customdata}<extra></extra>",
    }
    return new_figure(
        [trace],
        xaxis={"type": "category", "title": {"text": "Class"}, "automargin": True},
        yaxis=share_axis("Recall", range=[0, 1]),
        bargap=0.35,
    )
