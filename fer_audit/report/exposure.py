"""Where the exposure of every single row is found, and how stable it is."""

from __future__ import annotations

from fer_audit.report.attack_rows import attack_entry
from fer_audit.report.naming import given_models, several_seeds
from fer_audit.report.numbers import decimal
from fer_audit.report.table import Column, Table, field, identified, linked, without
from fer_audit.results import Results


def exposure_table(results: Results, cells: int) -> Table:
    """The file of each of the first `cells` cells that has one, and the stability of what it says, attack by attack."""
    columns = (
        Column("Cell", numeric=False),
        Column("File", "one line for every row and attack", numeric=False),
        Column("Attack", numeric=False),
        Column("Rank correlation", "of the rows' exposure between two halves of the targets; 1 is the same order"),
    )
    seeds = several_seeds(results)
    kept = [(cell, cell.privacy) for cell in results.cells if cell.privacy and cell.privacy.records][:cells]
    rows = [
        (
            identified(cell, seeds),
            linked(found.records or ""),
            attack_entry(cell, attack),
            field(attack, "record_stability", decimal),
        )
        for cell, found in kept
        for attack in found.attacks
    ]
    table = Table("exposure", "Exposure of every row", columns, tuple(rows), tools=True)
    return without(table, "Rank correlation") if given_models(results) else table
