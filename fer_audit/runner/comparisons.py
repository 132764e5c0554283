"""Pairs of cells of one grid, compared on the same test rows and on the same people of the pool.

Intervals speak of other people, as those of the cells do: two models that are trained again differ anew.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.audit import STRETCHED, stretch_of
from fer_audit.data.dataset import FaceData
from fer_audit.metrics.intervals import summed
from fer_audit.metrics.paired import Area, accuracy_difference, auc_difference, balanced_difference
from fer_audit.plan import Plan, PlannedCell
from fer_audit.results import Cell, PairedDifference, PluginRecord
from fer_audit.runner.privacy import attack_entries, read_records
from fer_audit.store import Store

#: With more cells than these not every pair is compared, as pairs grow with the square of cells.
EVERY_PAIR = 40


class _Attacked(NamedTuple):
    """What an attack made of a cell."""

    attack: PluginRecord
    area: Area
    units: int  #: rows or people
    stretch: float  #: of what it has from several targets


@dataclass(frozen=True, eq=False)
class _Side:
    """A cell as it is compared."""

    planned: PlannedCell
    found: Cell
    correct: npt.NDArray[np.bool_]  #: (T,), test rows that the utility model is right about
    attacked: dict[int, _Attacked]  #: by place of the attack in the grid; none where membership can't be trusted


def paired_differences(plan: Plan, store: Store, cells: Sequence[Cell]) -> list[PairedDifference]:
    """Accuracy, balanced accuracy, and the AUC of each attack, of pairs of `cells`, those of `plan` in its order.

    Only cells that are done are compared; where there are many, only those that tell one thing apart: see `pairs`.
    """
    done = [place for place, found in enumerate(cells) if found.status == "done" and found.utility is not None]
    sides = [_side(plan, store, plan.cells[place], cells[place]) for place in done]
    return [
        difference
        for earlier, later in pairs([side.found for side in sides])
        for difference in _differences(plan.data, sides[later], sides[earlier])
    ]


def pairs(cells: Sequence[Cell], every: int = EVERY_PAIR) -> list[tuple[int, int]]:
    """Places of cells that are compared, the earlier first, each pair once.

    All pairs of at most `every` cells; of more cells each with its twin without augmentation, with its twin with clean
    labels, both of the same seed, and with the first.
    """
    if len(cells) <= every:
        return list(itertools.combinations(range(len(cells)), 2))
    plain = {(c.model, c.label_attack, c.seed): place for place, c in enumerate(cells) if not c.augmentation_plugins}
    clean = {(c.model, c.augmentation, c.seed): place for place, c in enumerate(cells) if c.label_attack_plugin is None}
    found = set()
    for place, cell in enumerate(cells):
        twins = (
            plain.get((cell.model, cell.label_attack, cell.seed)),
            clean.get((cell.model, cell.augmentation, cell.seed)),
        )
        others = {0, *(twin for twin in twins if twin is not None)} - {place}
        found |= {(min(place, other), max(place, other)) for other in others}
    return sorted(found)


def _side(plan: Plan, store: Store, planned: PlannedCell, found: Cell) -> _Side:
    job = plan.trainings[planned.utility].job
    predicted = np.load(store.path(*job.fit) / "test.npy").argmax(axis=1)
    attacked = dict(_attacked(plan, store, planned, found))
    return _Side(planned, found, predicted == np.asarray(plan.data.test.labels), attacked)


def _attacked(plan: Plan, store: Store, planned: PlannedCell, found: Cell) -> Iterator[tuple[int, _Attacked]]:
    if found.privacy is None or found.privacy.invalid or planned.keep is None:
        return
    entries = attack_entries(
        plan.attacks,
        plan.data,
        keep=planned.keep,
        given=planned.labels.given,
        jobs=[plan.trainings[key].job for key in planned.privacy],
        seed=planned.seed,
    )
    units = plan.data.pool.units
    for place, (entry, result) in enumerate(zip(entries, found.privacy.attacks, strict=True)):
        if result.auc.value is None:
            continue
        records = read_records(store, entry)
        people = records.first if units is None else units[records.first]
        influence = summed(records.influence, np.unique(people, return_inverse=True)[1])
        stretch = stretch_of(plan.attacks[place], len(result.targets))
        yield place, _Attacked(result.attack, Area(result.auc.value, influence), len(people), stretch)


def _differences(data: FaceData, cell: _Side, baseline: _Side) -> Iterator[PairedDifference]:
    labels, people = np.asarray(data.test.labels), data.test.units
    names, right = {"cell": cell.found.id, "baseline": baseline.found.id}, (cell.correct, baseline.correct)
    yield PairedDifference(metric="accuracy", **names, difference=accuracy_difference(*right, people))
    yield PairedDifference(metric="balanced_accuracy", **names, difference=balanced_difference(*right, labels, people))
    for place in sorted(cell.attacked.keys() & baseline.attacked.keys()):
        one, other = cell.attacked[place], baseline.attacked[place]
        difference = auc_difference(one.area, other.area, n=one.units, stretch=one.stretch)
        method = difference.method + (STRETCHED if one.stretch > 1 else "") + _apart(cell.planned, baseline.planned)
        difference = difference.model_copy(update={"method": method})
        yield PairedDifference(metric="auc", attack=one.attack, **names, difference=difference)


def _apart(one: PlannedCell, other: PlannedCell) -> str:
    same = one.keep is other.keep or (one.keep is not None and np.array_equal(one.keep, np.asarray(other.keep)))
    return "" if same else "; halves of the pool differ"
