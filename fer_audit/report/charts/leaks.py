"""What the strongest attack of each cell finds out, and which measures of it the results resolve."""

from __future__ import annotations

from dataclasses import dataclass

from fer_audit.report.charts.leakage import AUC, LEAKAGES, Leakage
from fer_audit.results import AttackResult, Cell, Results

_ENOUGH = 2 / 3  #: share of the attacked cells that must resolve a measure for it to be offered


@dataclass(frozen=True)
class Leaks:
    """The strongest attacks, looked up once for all figures."""

    cells: dict[int, Cell]  #: place in the grid -> cell with an accuracy and at least one attack
    attacks: dict[Leakage, list[AttackResult | None]]  #: strongest by each measure, of each of the cells

    @classmethod
    def of(cls, results: Results) -> Leaks:
        """Of all attacked cells."""
        found = {
            place: cell
            for place, cell in enumerate(results.cells)
            if cell.utility and cell.privacy and cell.privacy.attacks
        }
        return cls(found, {one: [one.strongest(cell) for cell in found.values()] for one in LEAKAGES})

    def known(self, leakage: Leakage) -> int:
        """How many cells resolve the measure."""
        return sum(attack is not None for attack in self.attacks[leakage])

    def offered(self) -> tuple[Leakage, ...]:
        """The measures that at least two thirds of the cells resolve.

        The first is that at the lowest false-positive rate that all of them resolve, and the AUC where there is none.
        """
        known = {leakage: self.known(leakage) for leakage in LEAKAGES}
        first = next((one for one in LEAKAGES if known[one] == len(self.cells)), AUC)
        return (first, *(one for one in LEAKAGES if one != first and known[one] >= _ENOUGH * len(self.cells)))
