"""Which class is taken for which: by the model, or by whoever corrupted the labels."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from fer_audit.report.charts.chart import Trace, new_figure
from fer_audit.report.charts.style import plain
from fer_audit.results import Cell, Corruption


def confusion_matrix(cell: Cell, classes: Sequence[str]) -> go.Figure:
    """Counts of true against predicted classes; the shade is the share of the true class."""
    counts = cell.utility.confusion if cell.utility else []
    shares = [[count / (sum(row) or 1) for count in row] for row in counts]
    text = [[f"{count:,}" for count in row] for row in counts]
    return _matrix(shares, text, classes, "Predicted class", "True class", "%{text} images, %{z:.1%} of true %{y}")


def label_transition(corruption: Corruption, classes: Sequence[str]) -> go.Figure:
    """The realised share of given labels for each true one."""
    text = [[f"{100 * share:.0f}" if share else "" for share in row] for row in corruption.matrix]
    return _matrix(corruption.matrix, text, classes, "Given label", "True label", "%{z:.1%} of true %{y}")


def _matrix(
    shares: list[list[float]], text: list[list[str]], classes: Sequence[str], across: str, down: str, hover: str
) -> go.Figure:
    names = [plain(name) for name in classes[: len(shares)]]
    trace: Trace = {
        "type": "heatmap",
        "x": names,
        "y": names,
        "z": shares,
        "text": text,
        "texttemplate": "%{text}",
        "hovertemplate": f"%{{y}} \u2192 %{{x}}<br>{hover}<extra></extra>",
        "zmin": 0,
        "zmax": 1,
        "xgap": 1,
        "ygap": 1,
        "showscale": False,
    }
    horizontal = {"type": "category", "title": {"text": across}, "automargin": True}
    vertical = {"type": "category", "title": {"text": down}, "automargin": True, "autorange": "reversed"}
    return new_figure([trace], xaxis=horizontal, yaxis=vertical)
