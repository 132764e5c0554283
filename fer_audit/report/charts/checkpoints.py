"""Leakage and accuracy over the time that one model was trained."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from fer_audit.report.charts.chart import Trace, axis, error_bar, new_figure, share_axis, span
from fer_audit.report.charts.style import COLOURS, GREY, colour, faded, plain, symbol
from fer_audit.report.naming import attack_name, attacks
from fer_audit.results import AttackResult, Cell, Estimate, Results

#: Sides of accuracy: name, field of `Privacy`, colour and mark.
_SIDES = (
    ("members", "member_accuracy", COLOURS[1], "circle"),
    ("non-members", "nonmember_accuracy", COLOURS[0], "diamond"),
)


def checkpoints(results: Results) -> list[Cell]:
    """The cells that are checkpoints of one training, by epoch; none where there are fewer than two."""
    found = [cell for cell in results.cells if cell.privacy and cell.audited and cell.audited.checkpoint is not None]
    return sorted(found, key=_epoch) if len(found) > 1 else []


def _epoch(cell: Cell) -> int:
    return (cell.audited.checkpoint or 0) if cell.audited else 0


def leakage_over_time(results: Results) -> go.Figure:
    """AUC of each attack against the epochs that a checkpoint was trained for."""
    cells = checkpoints(results)
    lines = [(name, [_auc(cell, name) for cell in cells]) for name in attacks(results)]
    names = [name for name, _ in lines]
    traces = [
        _line(name, cells, estimates, colour(names, name), symbol(names, name), ".3f") for name, estimates in lines
    ]
    every = [estimate for _, estimates in lines for estimate in estimates]
    chance = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 0.5, "y1": 0.5, "line": _CHANCE_LINE}
    up = axis("Attack AUC (0.5 is chance)", range=span([*every, _CHANCE]))
    return new_figure(traces, xaxis=axis("Epochs"), yaxis=up, shapes=[chance | {"layer": "below"}])


def accuracy_over_time(results: Results) -> go.Figure:
    """Accuracy on members and on non-members against the epochs that a checkpoint was trained for."""
    cells = checkpoints(results)
    lines = {name: [_accuracy(cell, field) for cell in cells] for name, field, _, _ in _SIDES}
    traces = [_line(name, cells, lines[name], tint, mark, ".1%") for name, _, tint, mark in _SIDES]
    every = [estimate for estimates in lines.values() for estimate in estimates]
    return new_figure(traces, xaxis=axis("Epochs"), yaxis=share_axis("Accuracy", range=span(every)))


_CHANCE = Estimate(value=0.5)
_CHANCE_LINE = {"color": GREY, "width": 1.5, "dash": "dot"}


def _auc(cell: Cell, name: str) -> Estimate:
    found: Sequence[AttackResult] = cell.privacy.attacks if cell.privacy else ()
    return next((attack.auc for attack in found if attack_name(cell, attack) == name), Estimate(value=None))


def _accuracy(cell: Cell, field: str) -> Estimate:
    found: Estimate | None = getattr(cell.privacy, field, None)
    return found or Estimate(value=None)


def _line(name: str, cells: Sequence[Cell], estimates: list[Estimate], tint: str, mark: str, form: str) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": plain(name),
        "x": [_epoch(cell) for cell in cells],
        "y": [estimate.value for estimate in estimates],
        "error_y": error_bar(estimates, faded(tint, 0.55)),
        "hovertemplate": f"%{{fullData.name}}<br>%{{x}} epochs: %{{y:{form}}}<extra></extra>",
        "line": {"color": tint, "width": 2},
        "marker": {"symbol": mark, "size": 9},
    }
