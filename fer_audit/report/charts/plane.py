"""Cells in the plane of accuracy and leakage: which there are, which are on the front, and which are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fer_audit.report.charts.even_draw import even_draw
from fer_audit.report.charts.leakage import Leakage
from fer_audit.report.charts.leaks import Leaks
from fer_audit.report.charts.pareto import pareto_front
from fer_audit.results import AttackResult, Cell, Estimate

DRAWN = 600  #: marks of one figure; more would hide each other
_ROOMY = 200  #: marks that can have intervals and stay legible


@dataclass(frozen=True)
class Point:
    """A cell with both values."""

    place: int  #: in the grid
    cell: Cell
    attack: AttackResult  #: the strongest by this measure of leakage
    leak: Estimate
    accuracy: Estimate

    @property
    def at(self) -> tuple[float, float]:
        """Leakage and accuracy."""
        return self.leak.value or 0.0, self.accuracy.value or 0.0

    @property
    def sound(self) -> bool:
        """Whether the cell may stand on the front."""
        return self.cell.status == "done" and not (self.cell.privacy and self.cell.privacy.invalid)


def points(leaks: Leaks, measure: str, leakage: Leakage) -> list[Point]:
    """The cells that have both; `measure` is a field of their utility."""
    found = []
    for (place, cell), attack in zip(leaks.cells.items(), leaks.attacks[leakage], strict=True):
        accuracy: Estimate = getattr(cell.utility, measure)
        if attack is not None and accuracy.value is not None:
            found.append(Point(place, cell, attack, leakage.of(attack), accuracy))
    return found


def front_of(found: Sequence[Point]) -> list[Point]:
    """The Pareto front of the sound ones, from the least leakage on."""
    sound = [point for point in found if point.sound]
    return [sound[place] for place in pareto_front([point.at for point in sound])]


def drawn_of(found: Sequence[Point], front: Sequence[Point]) -> list[Point]:
    """All of the front, and of the others, as many as a figure can show, evenly from the least leakage to the most.

    Not evenly along the grid: it repeats its models and seeds, and equal steps could miss all but one of them.
    """
    kept = {point.place for point in front}
    others = sorted((point for point in found if point.place not in kept), key=lambda point: (*point.at, point.place))
    kept |= {point.place for point in even_draw(others, DRAWN - len(kept))}
    return [point for point in found if point.place in kept]


def crowded(drawn: int) -> bool:
    """Whether so many marks are small and without intervals."""
    return drawn > _ROOMY
