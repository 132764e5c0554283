"""The ROC curve of each attack on a cell, both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from fer_audit.report.charts.chart import Trace, axis, new_figure
from fer_audit.report.charts.style import GREY, colour, dash, plain
from fer_audit.report.naming import attack_name
from fer_audit.results import AttackResult, Cell, Roc


def attack_roc(cell: Cell, attacks: Sequence[str], points: int = 200) -> go.Figure:
    """The curves of a cell, each thinned to `points`; `attacks` are those of the grid, for their colours."""
    found = cell.privacy.attacks if cell.privacy else []
    curves = [(attack, _thin(_positive(attack.roc), points)) for attack in found]
    ends = [value for _, curve in curves for value in (curve[0][:1] + curve[1][:1])]
    floor = 10.0 ** math.floor(math.log10(min([*ends, 0.1])))
    return new_figure(
        [_chance(floor), *(_trace(attack, attack_name(cell, attack), curve, attacks) for attack, curve in curves)],
        xaxis=axis("False-positive rate", type="log", range=[math.log10(floor), 0], dtick=1, exponentformat="none"),
        yaxis=axis("True-positive rate", type="log", range=[math.log10(floor), 0.02], dtick=1, exponentformat="none"),
        shapes=[_limit(level) for level in (0.01, 0.001) if level > floor],
    )


Curve = tuple[list[float], list[float]]


def _positive(roc: Roc) -> Curve:
    """The points that a logarithmic axis can show."""
    pairs = [(x, y) for x, y in zip(roc.fpr, roc.tpr, strict=True) if x > 0 and y > 0]
    return [x for x, _ in pairs], [y for _, y in pairs]


def _thin(curve: Curve, points: int) -> Curve:
    """Every k-th point and the last; all of them stay realisable."""
    fpr, tpr = curve
    step = max(1, math.ceil(len(fpr) / points))
    kept = sorted({*range(0, len(fpr), step), *([len(fpr) - 1] if fpr else [])})
    return [fpr[place] for place in kept], [tpr[place] for place in kept]


def _trace(attack: AttackResult, name: str, curve: Curve, attacks: Sequence[str]) -> Trace:
    line = {"color": colour(attacks, name), "dash": dash(attacks, name), "width": 2.2, "shape": "hv"}
    auc = "" if attack.auc.value is None else f" (AUC {attack.auc.value:.3f})"
    return {
        "type": "scatter",
        "mode": "lines",
        "name": plain(name) + auc,
        "x": curve[0],
        "y": curve[1],
        "line": line,
        "hovertemplate": "%{fullData.name}<br>FPR %{x:.3g}, TPR %{y:.3g}<extra></extra>",
    }


def _chance(floor: float) -> Trace:
    line = {"color": GREY, "dash": "dot", "width": 1.5}
    ends = [floor, 1.0]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "chance",
        "x": ends,
        "y": ends,
        "line": line,
        "hoverinfo": "skip",
    }


def _limit(level: float) -> Trace:
    line = {"color": GREY, "width": 1}
    return {
        "type": "line",
        "x0": level,
        "x1": level,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": line,
        "layer": "below",
        "opacity": 0.6,
    }
