"""The AUC of each attack on each target model of a cell."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from fer_audit.report.charts.attack_auc import chance
from fer_audit.report.charts.chart import Trace, axis, span
from fer_audit.report.charts.forest import ROWS, row_trace, rows_figure
from fer_audit.report.charts.style import colour, symbol
from fer_audit.report.naming import attack_name
from fer_audit.results import AttackResult, Cell


def target_auc(cell: Cell, attacks: Sequence[str]) -> go.Figure:
    """One row a target, one marker an attack; `attacks` are those of the grid, for their colours."""
    found = cell.privacy.attacks if cell.privacy else []
    rows = list(dict.fromkeys(_row(target.target) for attack in found for target in attack.targets[:ROWS]))
    low, high = span([target.auc for attack in found for target in attack.targets])
    across = axis("Attack AUC (0.5 is chance)", range=[min(low, 0.48), max(high, 0.52)])
    return rows_figure(
        rows, [_trace(attack, attack_name(cell, attack), attacks) for attack in found], xaxis=across, shapes=[chance()]
    )


def _row(target: int) -> str:
    return f"target {target}"


def _trace(attack: AttackResult, name: str, attacks: Sequence[str]) -> Trace:
    targets = [target for target in attack.targets[:ROWS] if target.auc.value is not None]
    rows, aucs = [_row(target.target) for target in targets], [target.auc for target in targets]
    trace = row_trace(name, rows, aucs, colour(attacks, name), symbol(attacks, name))
    return trace | {"hovertemplate": "%{fullData.name}, %{y}<br>AUC %{x:.3f}<extra></extra>"}
