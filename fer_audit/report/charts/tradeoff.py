"""Accuracy against leakage: the chart of the first screen."""

from __future__ import annotations

import math
from typing import Literal

import plotly.graph_objects as go

from fer_audit.report.charts.chart import Trace, axis, error_bar, new_figure, share_axis, span
from fer_audit.report.charts.style import GREY, colour, faded, plain, symbol
from fer_audit.report.naming import attack_name, augmentations, cell_name, models, several_seeds
from fer_audit.report.numbers import decimal, short, with_interval
from fer_audit.report.strongest import strongest_attack
from fer_audit.results import AttackResult, Cell, Estimate, Results

Measure = Literal["accuracy", "balanced_accuracy"]
TITLES: dict[Measure, str] = {"accuracy": "Accuracy", "balanced_accuracy": "Balanced accuracy"}

_SMALLEST, _LARGEST = 9.0, 22.0  #: marker diameters in px

Point = tuple[Cell, AttackResult, Estimate]


def tradeoff(results: Results, measure: Measure = "balanced_accuracy") -> go.Figure:
    """Each attacked cell: its accuracy against the AUC of its strongest attack, with both intervals."""
    points = _points(results, measure)
    traces = [_trace(results, name, points) for name in augmentations(results)]
    across = span([attack.auc for _, attack, _ in points])
    return new_figure(
        [trace for trace in traces if trace["x"]] + _legend(results, points),
        xaxis=axis("AUC of the strongest attack (0.5 is chance)", range=[min(across[0], 0.485), across[1]]),
        yaxis=share_axis(TITLES[measure], range=span([accuracy for _, _, accuracy in points])),
        legend={"orientation": "v", "y": 1, "yanchor": "top", "x": 1.02, "traceorder": "grouped", "tracegroupgap": 2},
        shapes=[_chance()],
        annotations=[_better()],
    )


def _points(results: Results, measure: Measure) -> list[Point]:
    found = []
    for cell in results.cells:
        attack = strongest_attack(cell)
        accuracy: Estimate | None = getattr(cell.utility, measure) if cell.utility else None
        if attack is not None and accuracy is not None and accuracy.value is not None:
            found.append((cell, attack, accuracy))
    return found


def _trace(results: Results, augmentation: str, points: list[Point]) -> Trace:
    mine = [point for point in points if point[0].augmentation == augmentation]
    tint = colour(augmentations(results), augmentation)
    sizes = _sizes(results)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": plain(augmentation),
        "legendgroup": f"augmentation {plain(augmentation)}",
        "showlegend": False,
        "x": [attack.auc.value for _, attack, _ in mine],
        "y": [accuracy.value for _, _, accuracy in mine],
        "error_x": error_bar([attack.auc for _, attack, _ in mine], faded(tint, 0.55)),
        "error_y": error_bar([accuracy for _, _, accuracy in mine], faded(tint, 0.55)),
        "customdata": [plain(cell_name(cell, several_seeds(results))) for cell, _, _ in mine],
        "text": [_hover(results, *point) for point in mine],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "color": tint,
            "opacity": 0.92,
            "symbol": [_symbol(results, cell) for cell, _, _ in mine],
            "size": [sizes.get(cell.model, _SMALLEST) for cell, _, _ in mine],
            "line": {"color": tint, "width": 1.5},
        },
    }


def _symbol(results: Results, cell: Cell) -> str:
    return symbol(models(results), cell.model) + ("" if cell.label_attack_plugin is None else "-open")


def _sizes(results: Results) -> dict[str, float]:
    """Diameters whose areas grow with the MACs."""
    most = max((cost.macs for cost in results.costs), default=0) or 1
    return {c.model: _SMALLEST + (_LARGEST - _SMALLEST) * math.sqrt(c.macs / most) for c in results.costs}


def _hover(results: Results, cell: Cell, attack: AttackResult, accuracy: Estimate) -> str:
    macs = next((short(cost.macs) for cost in results.costs if cost.model == cell.model), "unknown")
    lines = [
        f"<b>{plain(cell_name(cell, several_seeds(results)))}</b>",
        f"accuracy {plain(with_interval(accuracy))}",
        f"{plain(attack_name(cell, attack))}: AUC {plain(with_interval(attack.auc, decimal))}",
        f"{macs} MACs",
    ]
    return "<br>".join(lines)


def _legend(results: Results, points: list[Point]) -> list[Trace]:
    shown = {point[0].model for point in points}, {point[0].augmentation for point in points}
    hues = augmentations(results)
    keys = [
        _key("Augmentation", f"augmentation {plain(name)}", name, colour(hues, name), "circle")
        for name in hues
        if name in shown[1]
    ]
    names = models(results)
    keys += [_key("Model", "model", name, GREY, symbol(names, name)) for name in names if name in shown[0]]
    if any(point[0].label_attack_plugin for point in points):
        keys.append(_key("Labels", "labels", "clean labels", GREY, "circle"))
        keys.append(_key("Labels", "labels", "corrupted labels", GREY, "circle-open"))
    return _titled(keys)


def _titled(keys: list[Trace]) -> list[Trace]:
    """The first key of each kind carries the kind's title."""
    seen: set[str] = set()
    for key in keys:
        title = key["meta"]["key"]
        if title not in seen:
            key["legendgrouptitle"] = {"text": title}
        seen.add(title)
    return keys


def _key(title: str, group: str, name: str, tint: str, mark: str) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [None],
        "y": [None],
        "name": plain(name),
        "legendgroup": group,
        "marker": {"color": tint, "symbol": mark, "size": 10, "line": {"color": tint, "width": 1.5}},
        "hoverinfo": "skip",
        "meta": {"key": title},
    }


def _chance() -> Trace:
    line = {"color": GREY, "width": 1.5, "dash": "dot"}
    return {"type": "line", "x0": 0.5, "x1": 0.5, "yref": "paper", "y0": 0, "y1": 1, "line": line, "layer": "below"}


def _better() -> Trace:
    place = {"xref": "paper", "yref": "paper", "x": 0.045, "y": 0.99, "xanchor": "left", "yanchor": "top"}
    return place | {"text": "\u2196 better", "showarrow": False, "font": {"color": GREY, "size": 12}}
