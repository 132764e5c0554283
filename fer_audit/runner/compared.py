"""Cells as they are compared: what their models get right of the test rows, and what attacks make of each person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.audit import stretch_of
from fer_audit.metrics.intervals import summed
from fer_audit.metrics.paired import Area
from fer_audit.plan import Plan, PlannedCell
from fer_audit.results import Cell, PluginRecord
from fer_audit.runner.privacy import attack_entries, read_records
from fer_audit.store import Store


class Attacked(NamedTuple):
    """What an attack made of a cell."""

    attack: PluginRecord
    area: Area
    units: int  #: rows or people
    stretch: float  #: of what it has from several targets


@dataclass(frozen=True, eq=False)
class Compared:
    """A cell as it is compared."""

    planned: PlannedCell
    found: Cell
    correct: npt.NDArray[np.bool_]  #: (T,), test rows that the utility model is right about
    attacked: dict[int, Attacked]  #: by place of the attack in the grid; none where membership can't be trusted


def as_compared(plan: Plan, store: Store, planned: PlannedCell, found: Cell) -> Compared:
    """A cell that is done, with what the store has of it."""
    job = plan.trainings[planned.utility].job
    predicted = np.load(store.path(*job.fit) / "test.npy").argmax(axis=1)
    attacked = dict(_attacked(plan, store, planned, found))
    return Compared(planned, found, predicted == np.asarray(plan.data.test.labels), attacked)


def _attacked(plan: Plan, store: Store, planned: PlannedCell, found: Cell) -> Iterator[tuple[int, Attacked]]:
    if found.privacy is None or found.privacy.invalid or planned.keep is None or not found.privacy.attacks:
        return
    entries = attack_entries(
        plan.attacks,
        plan.data,
        keep=planned.keep,
        given=planned.labels.given,
        jobs=[plan.trainings[key].job for key in planned.privacy],
        seed=planned.seed,
        delta=found.privacy.attacks[0].epsilon.delta,
    )
    units = plan.data.pool.units
    for place, (entry, result) in enumerate(zip(entries, found.privacy.attacks, strict=True)):
        if result.auc.value is None:
            continue
        records = read_records(store, entry)
        people = records.first if units is None else units[records.first]
        influence = summed(records.influence, np.unique(people, return_inverse=True)[1])
        stretch = stretch_of(plan.attacks[place], len(result.targets))
        yield place, Attacked(result.attack, Area(result.auc.value, influence), len(people), stretch)
