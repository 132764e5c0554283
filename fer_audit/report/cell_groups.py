"""Cells of a very large grid in groups: first those that differ in their seed alone, then those that differ in more."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from fer_audit.report.naming import joined_treatment, labels_name, models
from fer_audit.report.strongest import strongest_attack
from fer_audit.results import Cell, Estimate, Results

#: Groups up to which the page tells cells apart by all but their seed; of more, it tells them apart by less.
MOST_GROUPS = 5_000

#: What tells groups apart, from the finest on: title of a column, and what a cell has there.
Part = tuple[str, str, Callable[[Cell], str]]
PARTS: tuple[Part, ...] = (
    ("Model", "model", lambda cell: cell.model),
    ("Augmentation", "augmentation", lambda cell: cell.augmentation),
    ("Defence", "defence", lambda cell: cell.defence),
    ("Labels", "label_attack", labels_name),
)


@dataclass(frozen=True)
class Spread:
    """A number of several cells: its mean over them, and how far they lie apart."""

    cells: int
    mean: float
    sd: float | None  #: standard deviation over the cells; None of one cell
    low: float  #: the least
    high: float  #: the largest
    least: Estimate  #: which cell's that is, by its record
    most: Estimate


@dataclass(frozen=True)
class CellGroup:
    """Cells that are alike in all that `parts` names."""

    parts: tuple[str, ...]  #: values of the parts of `Grouping`
    keys: tuple[str, ...]  #: the same as the fields of a cell have them
    cells: tuple[Cell, ...]
    accuracy: Spread | None  #: of the cells that are done, as are the others
    balanced_accuracy: Spread | None
    auc: Spread | None  #: of the strongest attack on each, where it can be trusted

    def count(self, status: str) -> int:
        """How many cells have that status."""
        return sum(cell.status == status for cell in self.cells)

    @property
    def invalid(self) -> int:
        """Cells that are done and whose attacks can't be trusted, so that no mean of AUCs is over them."""
        return sum(bool(cell.status == "done" and cell.privacy and cell.privacy.invalid) for cell in self.cells)


@dataclass(frozen=True)
class Grouping:
    """All cells of a grid, in groups: those with the cell that leaks most first."""

    parts: tuple[Part, ...]  #: what tells the groups apart
    groups: tuple[CellGroup, ...]
    models: tuple[str, ...]  #: in the grid's order
    alike: tuple[str, ...]  #: titles of the parts in which groups differ, and cells of one group do not
    pooled: tuple[str, ...]  #: titles of the parts, and of the seed, in which cells of one group differ

    def name(self, group: CellGroup) -> tuple[str, ...]:
        """What tells a group from the others: its model, its treatment and its labels, as far as they do."""
        named = zip(self.parts, group.parts, strict=True)
        of = {title: value for (title, _, _), value in named if title in self.alike}
        treated = joined_treatment(of.get("Augmentation", ""), of.get("Defence", ""))
        return tuple(filter(None, (of["Model"], treated, of.get("Labels", ""))))


def grouped(results: Results, most: int = MOST_GROUPS) -> Grouping:
    """The cells by the most parts that leave at most that many groups; by their model alone where none does."""
    parts, found = next(_groupings(results.cells, most))
    groups = tuple(sorted((_group(parts, cells) for cells in found), key=_place))
    differing = [part for part in PARTS if len({getattr(cell, part[1]) for cell in results.cells}) > 1]
    alike = tuple(title for title, _, _ in parts if title == "Model" or any(one[0] == title for one in differing))
    pooled = [title for title, _, _ in differing if title not in alike]
    pooled += ["Seed"] if any(len({cell.seed for cell in cells}) > 1 for cells in found) else []
    return Grouping(parts, groups, tuple(models(results)), alike, tuple(pooled))


def _groupings(cells: Sequence[Cell], most: int) -> Iterator[tuple[tuple[Part, ...], list[list[Cell]]]]:
    """From the finest grouping on, those that are coarse enough."""
    for size in range(len(PARTS), 0, -1):
        parts = PARTS[:size]
        of: dict[tuple[str, ...], list[Cell]] = {}
        for cell in cells:
            of.setdefault(tuple(getattr(cell, name) for _, name, _ in parts), []).append(cell)
        if len(of) <= most or size == 1:
            yield parts, list(of.values())


def _group(parts: tuple[Part, ...], cells: list[Cell]) -> CellGroup:
    first, done = cells[0], [cell for cell in cells if cell.status == "done"]
    tested = [cell.utility for cell in done if cell.utility]
    attacks = [strongest_attack(cell) for cell in done if cell.privacy and not cell.privacy.invalid]
    return CellGroup(
        tuple(value(first) for _, _, value in parts),
        tuple(getattr(first, name) for _, name, _ in parts),
        tuple(cells),
        spread([one.accuracy for one in tested]),
        spread([one.balanced_accuracy for one in tested]),
        spread([attack.auc for attack in attacks if attack is not None]),
    )


def spread(estimates: Sequence[Estimate]) -> Spread | None:
    """Over those that have a value; None where none has."""
    known = [(one.value, one) for one in estimates if one.value is not None]
    if not known:
        return None
    values = [value for value, _ in known]
    mean = math.fsum(values) / len(values)
    square = math.fsum((value - mean) ** 2 for value in values)
    sd = math.sqrt(square / (len(values) - 1)) if len(values) > 1 else None
    least, most = min(known, key=_value), max(known, key=_value)
    return Spread(len(values), mean, sd, least[0], most[0], least[1], most[1])


def _value(known: tuple[float, Estimate]) -> float:
    return known[0]


def _place(group: CellGroup) -> tuple[int, float]:
    """The highest AUC first; then, without one, the least accuracy; last, those without any number."""
    if group.auc:
        return 0, -group.auc.high
    return (1, group.balanced_accuracy.low) if group.balanced_accuracy else (2, 0.0)
