"""The table of leakage and accuracy over training time."""

from __future__ import annotations

from fer_audit.report.attack_rows import attack_entry
from fer_audit.report.charts.checkpoints import checkpoints
from fer_audit.report.naming import several_seeds
from fer_audit.report.numbers import decimal, signed
from fer_audit.report.table import Column, Entry, Table, field, identified, measured, number
from fer_audit.results import Privacy, Results


def checkpoints_table(results: Results) -> Table:
    """Each attack on each checkpoint, the least trained first, beside accuracy on members and non-members."""
    columns = (
        Column("Cell", numeric=False),
        Column("Epochs", "that this checkpoint was trained for"),
        Column("Attack", numeric=False),
        Column("AUC", "0.5 is chance"),
        Column("Members", "accuracy on members"),
        Column("Non-members", "accuracy on non-members"),
        Column("Gap", "members \u2212 non-members, in percentage points"),
    )
    seeds = several_seeds(results)
    rows = [
        (
            identified(cell, seeds),
            field(cell.audited, "checkpoint"),
            attack_entry(cell, attack),
            measured(attack.auc, decimal),
            *_accuracies(cell.privacy),
        )
        for cell in checkpoints(results)
        if cell.privacy
        for attack in cell.privacy.attacks
    ]
    return Table("checkpoints", "Attacks on checkpoints of one training", columns, tuple(rows), tools=True)


def _accuracies(privacy: Privacy) -> tuple[Entry, Entry, Entry]:
    inside, outside = privacy.member_accuracy, privacy.nonmember_accuracy
    gap = None if inside.value is None or outside.value is None else inside.value - outside.value
    return measured(inside), measured(outside), number(gap, signed, (inside, "value"), (outside, "value"))
