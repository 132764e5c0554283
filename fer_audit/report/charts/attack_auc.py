"""The AUC of every attack on every cell of a model, with intervals."""

from __future__ import annotations

import plotly.graph_objects as go

from fer_audit.report.charts.chart import Trace, axis, span
from fer_audit.report.charts.forest import attacked_cells, row_names, row_trace, rows_figure
from fer_audit.report.charts.style import GREY, colour, symbol
from fer_audit.report.naming import attack_name, attacks
from fer_audit.results import AttackResult, Cell, Results


def attack_auc(results: Results, model: str) -> go.Figure:
    """One row a cell, one marker an attack."""
    cells, names = attacked_cells(results, model), attacks(results)
    rows, found = row_names(results, cells), [_named(cell) for cell in cells]
    traces = [_trace(names, name, rows, [one.get(name) for one in found]) for name in names]
    every = [attack.auc for cell in results.cells if cell.privacy for attack in cell.privacy.attacks]
    low, high = span(every)
    across = axis("Attack AUC (0.5 is chance)", range=[min(low, 0.48), max(high, 0.52)])
    return rows_figure(rows, [trace for trace in traces if trace["x"]], xaxis=across, shapes=[chance()])


def _trace(names: list[str], name: str, rows: list[str], found: list[AttackResult | None]) -> Trace:
    known = [(row, one.auc) for row, one in zip(rows, found, strict=True) if one and one.auc.value is not None]
    aucs = [auc for _, auc in known]
    trace = row_trace(name, [row for row, _ in known], aucs, colour(names, name), symbol(names, name))
    return trace | {"hovertemplate": "%{fullData.name}, %{y}<br>AUC %{x:.3f}<extra></extra>"}


def _named(cell: Cell) -> dict[str, AttackResult]:
    return {attack_name(cell, attack): attack for attack in cell.privacy.attacks} if cell.privacy else {}


def chance() -> Trace:
    """The line that an attack must pass."""
    line = {"color": GREY, "width": 1.5, "dash": "dot"}
    return {"type": "line", "x0": 0.5, "x1": 0.5, "yref": "paper", "y0": 0, "y1": 1, "line": line, "layer": "below"}
