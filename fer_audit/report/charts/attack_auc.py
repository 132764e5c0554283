"""The AUC of every attack on every cell of a model, with intervals."""

from __future__ import annotations

import plotly.graph_objects as go

from fer_audit.report.charts.chart import Trace, axis, span
from fer_audit.report.charts.forest import attacked_cells, forest, row_name, row_trace
from fer_audit.report.charts.style import GREY, colour, symbol
from fer_audit.report.naming import attack_name, attacks
from fer_audit.results import AttackResult, Cell, Results


def attack_auc(results: Results, model: str) -> go.Figure:
    """One row a cell, one marker an attack."""
    cells = attacked_cells(results, model)
    traces = [_trace(results, cells, name) for name in attacks(results)]
    every = [attack.auc for cell in results.cells if cell.privacy for attack in cell.privacy.attacks]
    low, high = span(every)
    across = axis("Attack AUC (0.5 is chance)", range=[min(low, 0.48), max(high, 0.52)])
    return forest(results, cells, [trace for trace in traces if trace["x"]], xaxis=across, shapes=[chance()])


def _trace(results: Results, cells: list[Cell], name: str) -> Trace:
    found = [(cell, attack) for cell in cells if (attack := _attack(cell, name)) and attack.auc.value is not None]
    rows = [row_name(results, cell) for cell, _ in found]
    names = attacks(results)
    trace = row_trace(name, rows, [a.auc for _, a in found], colour(names, name), symbol(names, name))
    return trace | {"hovertemplate": "%{fullData.name}, %{y}<br>AUC %{x:.3f}<extra></extra>"}


def _attack(cell: Cell, name: str) -> AttackResult | None:
    found = cell.privacy.attacks if cell.privacy else []
    return next((attack for attack in found if attack_name(cell, attack) == name), None)


def chance() -> Trace:
    """The line that an attack must pass."""
    line = {"color": GREY, "width": 1.5, "dash": "dot"}
    return {"type": "line", "x0": 0.5, "x1": 0.5, "yref": "paper", "y0": 0, "y1": 1, "line": line, "layer": "below"}
