"""Pairs of cells of one grid, compared on the same test rows and on the same people of the pool.

Intervals speak of other people, as those of the cells do: two models that are trained again differ anew.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from fer_audit.attacks.audit import STRETCHED
from fer_audit.metrics.paired import PairedRows, auc_difference
from fer_audit.plan import Plan, PlannedCell
from fer_audit.results import Cell, PairedDifference
from fer_audit.runner.compared import Compared, as_compared
from fer_audit.store import Store

#: With more cells than these not every pair is compared, as pairs grow with the square of cells.
EVERY_PAIR = 40


def paired_differences(plan: Plan, store: Store, cells: Sequence[Cell]) -> list[PairedDifference]:
    """Accuracy, balanced accuracy, and the AUC of each attack, of pairs of `cells`, those of `plan` in its order.

    Only cells that are done are compared; where there are many, only those that tell one thing apart: see `pairs`.
    """
    done = [place for place, found in enumerate(cells) if found.status == "done" and found.utility is not None]
    sides = [as_compared(plan, store, plan.cells[place], cells[place]) for place in done]
    labels, people = np.asarray(plan.data.test.labels), plan.data.test.units
    rows, by_class = PairedRows(np.zeros(len(labels), np.int64), people), PairedRows(labels, people)
    return [
        difference
        for earlier, later in pairs([side.found for side in sides])
        for difference in _differences(rows, by_class, sides[later], sides[earlier])
    ]


def pairs(cells: Sequence[Cell], every: int = EVERY_PAIR) -> list[tuple[int, int]]:
    """Places of cells that are compared, the earlier first, each pair once.

    All pairs of at most `every` cells; of more cells each with its twin without augmentation and defence, with its twin
    with clean labels, both of the same seed, and with the first.
    """
    if len(cells) <= every:
        return list(itertools.combinations(range(len(cells)), 2))
    plain = {
        (c.model, c.label_attack, c.seed): place
        for place, c in enumerate(cells)
        if not c.augmentation_plugins and c.defence_plugin is None
    }
    clean = {
        (c.model, c.augmentation, c.defence, c.seed): place
        for place, c in enumerate(cells)
        if c.label_attack_plugin is None
    }
    found = set()
    for place, cell in enumerate(cells):
        twins = (
            plain.get((cell.model, cell.label_attack, cell.seed)),
            clean.get((cell.model, cell.augmentation, cell.defence, cell.seed)),
        )
        others = {0, *(twin for twin in twins if twin is not None)} - {place}
        found |= {(min(place, other), max(place, other)) for other in others}
    return sorted(found)


def _differences(
    rows: PairedRows, by_class: PairedRows, cell: Compared, baseline: Compared
) -> Iterator[PairedDifference]:
    names, right = {"cell": cell.found.id, "baseline": baseline.found.id}, (cell.correct, baseline.correct)
    yield PairedDifference(metric="accuracy", **names, difference=rows.difference(*right))
    yield PairedDifference(metric="balanced_accuracy", **names, difference=by_class.difference(*right))
    for place in sorted(cell.attacked.keys() & baseline.attacked.keys()):
        one, other = cell.attacked[place], baseline.attacked[place]
        difference = auc_difference(one.area, other.area, n=one.units, stretch=one.stretch)
        method = difference.method + (STRETCHED if one.stretch > 1 else "") + _apart(cell.planned, baseline.planned)
        difference = difference.model_copy(update={"method": method})
        yield PairedDifference(metric="auc", attack=one.attack, **names, difference=difference)


def _apart(one: PlannedCell, other: PlannedCell) -> str:
    same = one.keep is other.keep or (one.keep is not None and np.array_equal(one.keep, np.asarray(other.keep)))
    return "" if same else "; halves of the pool differ"
