"""The attack that gets furthest on a cell."""

from __future__ import annotations

from fer_audit.results import AttackResult, Cell


def strongest_attacks(cell: Cell) -> list[AttackResult]:
    """The strongest attack on rows and the strongest on subjects, as far as there are any."""
    if cell.privacy is None:
        return []
    known = [attack for attack in cell.privacy.attacks if attack.auc.value is not None]
    of_unit = {unit: [attack for attack in known if attack.unit == unit] for unit in ("row", "subject")}
    return [max(found, key=lambda attack: attack.auc.value or 0.0) for found in of_unit.values() if found]


def strongest_attack(cell: Cell) -> AttackResult | None:
    """The attack of the cell with the highest AUC; the first of equals; None where no AUC is known."""
    if cell.privacy is None:
        return None
    known = [attack for attack in cell.privacy.attacks if attack.auc.value is not None]
    return max(known, key=lambda attack: attack.auc.value or 0.0, default=None)
