"""Where the exposure of every single row is found, and how stable it is."""

from __future__ import annotations

from fer_audit.report.naming import attack_name, several_seeds
from fer_audit.report.numbers import decimal
from fer_audit.report.table import Column, Table, identified, linked, number, words
from fer_audit.results import Cell, Results


def exposure_table(results: Results, cells: int) -> Table:
    """The file of each of the first `cells` cells that has one, and the stability of what it says, attack by attack."""
    columns = (
        Column("Cell", numeric=False),
        Column("File", "one line for every row and attack", numeric=False),
        Column("Attack", numeric=False),
        Column("Rank correlation", "of the rows' exposure between two halves of the targets; 1 is the same order"),
    )
    seeds = several_seeds(results)
    kept = [(cell, cell.privacy.records) for cell in results.cells if cell.privacy and cell.privacy.records][:cells]
    rows = [
        (identified(cell, seeds), linked(file), words(name), number(stability, decimal))
        for cell, file in kept
        for name, stability in _stabilities(cell)
    ]
    return Table("exposure", "Exposure of every row", columns, tuple(rows), tools=True)


def _stabilities(cell: Cell) -> list[tuple[str, float | None]]:
    found = cell.privacy.attacks if cell.privacy else []
    return [(attack_name(cell, attack), attack.record_stability) for attack in found]
