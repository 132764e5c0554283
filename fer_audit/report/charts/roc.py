"""The ROC curve of each attack on a cell with its band, both axes logarithmic."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from fer_audit.report.charts.chart import Trace, axis, new_figure
from fer_audit.report.charts.style import GREY, colour, dash, faded, plain
from fer_audit.report.naming import attack_name
from fer_audit.report.numbers import DASH, share
from fer_audit.results import AttackResult, Cell, Roc

#: Points of a curve or of an edge of its band, however little room a page has.
_FEWEST = 12


def attack_roc(cell: Cell, attacks: Sequence[str], points: int = 200) -> go.Figure:
    """The curves of a cell with their bands, each thinned to `points`; `attacks` are the grid's, for their colours."""
    found = cell.privacy.attacks if cell.privacy else []
    curves = [(attack, attack_name(cell, attack), _curve(attack.roc, points)) for attack in found]
    ends = [value for _, _, curve in curves for value in (curve.fpr[:1] + curve.tpr[:1])]
    floor = 10.0 ** math.floor(math.log10(min([*ends, 0.1])))
    return new_figure(
        [
            _chance(floor),
            *(edge for _, name, curve in curves for edge in _band(name, curve, attacks, floor)),
            *(_trace(attack, name, curve, attacks) for attack, name, curve in curves),
        ],
        xaxis=axis("False-positive rate", type="log", range=[math.log10(floor), 0], dtick=1, exponentformat="none"),
        yaxis=axis("True-positive rate", type="log", range=[math.log10(floor), 0.02], dtick=1, exponentformat="none"),
        shapes=[_limit(level) for level in (0.01, 0.001) if level > floor],
    )


@dataclass(frozen=True)
class _Curve:
    """The points that are drawn; `low` and `high` are empty where there is no band."""

    fpr: list[float]
    tpr: list[float]
    low: list[float]
    high: list[float]


def _curve(roc: Roc, points: int) -> _Curve:
    """Points that a logarithmic axis can show, evenly along it, and the last; all of them stay realisable."""
    columns = (roc.fpr, roc.tpr, roc.low, roc.high)
    shown = [place for place, (x, y) in enumerate(zip(roc.fpr, roc.tpr, strict=True)) if x > 0 and y > 0]
    # The curve and both edges of its band share what a page has room for.
    room = max(_FEWEST, points // 3 if roc.low else points)
    if len(shown) > room:
        fpr = [roc.fpr[place] for place in shown]
        ratio = (fpr[-1] / fpr[0]) ** (1 / (room - 1))
        below = {bisect.bisect_right(fpr, fpr[0] * ratio**step) - 1 for step in range(room - 1)}
        shown = [shown[place] for place in sorted({0, *below, len(shown) - 1})]
    return _Curve(*([column[place] for place in shown] if column else [] for column in columns))


def _band(name: str, curve: _Curve, attacks: Sequence[str], floor: float) -> list[Trace]:
    """The lower edge, and the upper one with what lies between them; the curve's place in the legend serves both."""
    if not curve.low:
        return []
    edge = {
        "type": "scatter",
        "mode": "lines",
        "name": plain(name),
        "legendgroup": plain(name),
        "showlegend": False,
        "hoverinfo": "skip",
        "meta": {"key": "band"},
        "x": curve.fpr,
        "line": {"width": 0, "shape": "hv"},
    }
    tint = {"fill": "tonexty", "fillcolor": faded(colour(attacks, name), 0.16)}
    return [edge | {"y": [max(floor, low) for low in curve.low]}, edge | {"y": curve.high} | tint]


def _trace(attack: AttackResult, name: str, curve: _Curve, attacks: Sequence[str]) -> Trace:
    line = {"color": colour(attacks, name), "dash": dash(attacks, name), "width": 2.2, "shape": "hv"}
    auc = "" if attack.auc.value is None else f" (AUC {attack.auc.value:.3f})"
    trace = {
        "type": "scatter",
        "mode": "lines",
        "name": plain(name) + auc,
        "legendgroup": plain(name),
        "x": curve.fpr,
        "y": curve.tpr,
        "line": line,
        "hovertemplate": "%{fullData.name}<br>FPR %{x:.3g}, TPR %{y:.3g}<extra></extra>",
    }
    if not curve.low:
        return trace
    band = "band" if attack.roc.confidence is None else f"{share(attack.roc.confidence)} band"
    spans = [f"{band} {low:.3g}{DASH}{high:.3g}" for low, high in zip(curve.low, curve.high, strict=True)]
    hover = "%{fullData.name}<br>FPR %{x:.3g}, TPR %{y:.3g}<br>%{customdata}<extra></extra>"
    return trace | {"customdata": spans, "hovertemplate": hover}


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
