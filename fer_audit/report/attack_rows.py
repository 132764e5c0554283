"""What tables with one line for each attack on each cell share."""

from __future__ import annotations

from fer_audit.report.naming import attack_name
from fer_audit.report.sections import cut
from fer_audit.report.strongest import strongest_attack
from fer_audit.report.table import Entry
from fer_audit.results import AttackResult, Cell, Results

ALL = 4_000  #: lines up to which every attack has its own; of more, a cell has one
MOST = 10_000  #: lines of any table; more would make the page too heavy to open


def attack_entry(cell: Cell, attack: AttackResult, note: str = "") -> Entry:
    """An attack as the cell's attacks are told apart."""
    name = attack_name(cell, attack)
    return Entry(name, sort=name, note=note, attack=name)


def attack_rows(results: Results) -> tuple[list[tuple[Cell, AttackResult]], str]:
    """Every attack on every cell, or of very many the strongest of each cell; and what a caption says of that."""
    every = [(cell, attack) for cell in results.cells if cell.privacy for attack in cell.privacy.attacks]
    if len(every) <= ALL:
        return every, ""
    first = {cell.id: (cell, strongest_attack(cell) or attack) for cell, attack in reversed(every)}
    kept = list(reversed(first.values()))
    said = f". Of {len(every):,} attacks those that are the strongest on their cell are shown; results.csv has all."
    return kept[:MOST], said + cut(len(kept), MOST, "cells are shown")
