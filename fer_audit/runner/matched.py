"""Cells without a guarantee against differentially private training of equal accuracy, attack by attack."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from fer_audit.attacks.audit import STRETCHED
from fer_audit.data.dataset import FaceData
from fer_audit.metrics.matched import Point, matched_difference, neighbours
from fer_audit.plan import Plan
from fer_audit.results import Cell, MatchedDifference
from fer_audit.runner.compared import Compared, as_compared
from fer_audit.store import Store

#: Decimals of an accuracy that are no rounding errors.
_DECIMALS = 9

_NOT_APART = "the two private cells are not shown to differ in accuracy, so the line between them is no sure reference"


def matched_differences(plan: Plan, store: Store, cells: Sequence[Cell]) -> list[MatchedDifference]:
    """AUCs of cells without a guarantee, less those of private training that has their balanced accuracy.

    Private training is that of the same model, label attack and seed, without augmentation: with one it would be
    another defence. Of private cells of equal accuracy the one that promises most is taken. A cell that is less or more
    accurate than all of them has no such difference.

    Args:
        plan: of the grid.
        store: with everything that `cells` were made of.
        cells: those of `plan`, in its order.
    """
    accuracies = {place: accuracy for place, cell in enumerate(cells) if (accuracy := _accuracy(cell)) is not None}
    lines = _lines(cells, accuracies)
    sides: dict[int, Compared] = {}
    found: list[MatchedDifference] = []
    for place, accuracy in accuracies.items():
        line = lines.get(_shared(cells[place]), []) if cells[place].guarantee is None else []
        between = neighbours(accuracy, [accuracies[private] for private in line])
        if between is None:
            continue
        three = (place, *(line[private] for private in between))
        sides |= {one: as_compared(plan, store, plan.cells[one], cells[one]) for one in three if one not in sides}
        found += _differences(plan.data, *(sides[one] for one in three))
    return found


def _accuracy(cell: Cell) -> float | None:
    """The balanced accuracy of a cell that can be compared, where equal accuracies are equal numbers."""
    attacked = cell.privacy is not None and cell.privacy.attacks and not cell.privacy.invalid
    if cell.status != "done" or cell.utility is None or cell.utility.balanced_accuracy.value is None or not attacked:
        return None
    return round(cell.utility.balanced_accuracy.value, _DECIMALS)


def _shared(cell: Cell) -> tuple[str, str, int]:
    """What a cell has in common with the private training that it is compared with."""
    return cell.model, cell.label_attack, cell.seed


def _lines(cells: Sequence[Cell], accuracies: Mapping[int, float]) -> dict[tuple[str, str, int], list[int]]:
    """Places of private cells without augmentation, by what they share; of each accuracy one, the lowest first."""
    epsilons = {
        place: guarantee.epsilon
        for place in accuracies
        if (guarantee := cells[place].guarantee) is not None and not cells[place].augmentation_plugins
    }
    ordered = sorted(epsilons, key=lambda place: (_shared(cells[place]), accuracies[place], epsilons[place]))
    lines: dict[tuple[str, str, int], list[int]] = {}
    for (shared, _), equal in itertools.groupby(ordered, lambda place: (_shared(cells[place]), accuracies[place])):
        lines.setdefault(shared, []).append(next(equal))
    return lines


def _differences(data: FaceData, cell: Compared, below: Compared, above: Compared) -> Iterator[MatchedDifference]:
    labels, people = np.asarray(data.test.labels), data.test.units
    for place in sorted(cell.attacked.keys() & below.attacked.keys() & above.attacked.keys()):
        own = cell.attacked[place]
        points = tuple(Point(side.correct, side.attacked[place].area) for side in (cell, below, above))
        matched = matched_difference(points, labels, people, n=own.units, stretch=own.stretch)
        method = matched.difference.method + (STRETCHED if own.stretch > 1 else "")
        yield MatchedDifference(
            metric="auc",
            attack=own.attack,
            cell=cell.found.id,
            accuracy=matched.accuracy,
            below=below.found.id,
            above=above.found.id,
            share=matched.share,
            reference=matched.reference,
            difference=matched.difference.model_copy(update={"method": method}),
            note="" if matched.apart else _NOT_APART,
        )
