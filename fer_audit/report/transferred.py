"""The table of false-positive rates that were asked for on the references and what they became on the targets."""

from __future__ import annotations

from fer_audit.report.attack_rows import attack_entry, attack_rows
from fer_audit.report.naming import several_seeds
from fer_audit.report.numbers import share
from fer_audit.report.table import Column, Entry, Table, identified, measured
from fer_audit.results import AttackResult, Results

_LEVELS = ("0.01", "0.001")


def transferred_table(results: Results) -> Table:
    """Every attack on every cell: FPR and TPR at thresholds that were set for a wanted FPR on the references."""
    columns = [Column("Cell", numeric=False), Column("Attack", numeric=False)]
    for level in _LEVELS:
        asked = share(float(level))
        columns += [
            Column(f"FPR, {asked} asked", f"share of non-members accused at the thresholds set for {asked}"),
            Column(f"TPR, {asked} asked", "share of members found at the same thresholds"),
        ]
    seeds = several_seeds(results)
    shown, note = attack_rows(results)
    rows = [(identified(cell, seeds), attack_entry(cell, attack), *_rates(attack)) for cell, attack in shown]
    caption = f"Thresholds asked for and what they really did{note}"
    return Table("transferred", caption, tuple(columns), tuple(rows), tools=True)


def _rates(attack: AttackResult) -> list[Entry]:
    found = [attack.transferred.get(level) for level in _LEVELS]
    return [measured(rate) for done in found for rate in ((done.fpr, done.tpr) if done else (None, None))]
