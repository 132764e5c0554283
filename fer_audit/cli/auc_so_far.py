"""What the trainings that the store has already tell of the AUC of membership attacks, and of its variance."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.attacked import references_of
from fer_audit.attacks.audit import stretch_of
from fer_audit.attacks.frame import Frame, make_frame
from fer_audit.attacks.membership_attack import MembershipAttack
from fer_audit.attacks.signals import Signals
from fer_audit.budget import fewest_references
from fer_audit.metrics.expected_interval import AucVariance, measured_auc_variance, pair_influence
from fer_audit.metrics.membership import auc
from fer_audit.plan import Plan, PlannedCell
from fer_audit.runner.privacy import read_answers, read_losses
from fer_audit.specs import TrainingJob
from fer_audit.store import Store, array_digest

#: Cells, seeds of one cell, and models that are looked at: each takes about as long as its attacks.
_MOST_CELLS, _MOST_SEEDS, _MOST_TARGETS = 2, 10, 16

#: Pairs on either side with which each pair is compared.
_NEIGHBOURS = 2

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """What one attack made of the trainings of a cell that are done."""

    cell: PlannedCell
    attack: MembershipAttack
    targets: int  #: that were read: leading pairs of the cell's
    auc: float  #: mean over them
    variance: AucVariance


def widest_reading(plan: Plan, store: Store) -> Reading | None:
    """The reading with the widest interval at the grid's references, of the first cells with enough that is done."""
    cells = itertools.islice((cell for cell in plan.cells if _targets(plan, cell)), _MOST_CELLS)
    readings = [reading for cell in cells for reading in _of_cell(plan, store, cell, plan.attacks)]
    return max(readings, key=lambda one: one.variance.half_width(len(one.cell.privacy)), default=None)


def of_other_seeds(plan: Plan, store: Store, reading: Reading) -> list[float]:
    """The AUC by the attack of `reading` in its cell and in some that differ from it in the seed alone."""
    own = reading.cell
    same = (own.model, own.chain, own.defence, own.label_attack)
    twins = [cell for cell in plan.cells if (cell.model, cell.chain, cell.defence, cell.label_attack) == same]
    cells = itertools.islice((cell for cell in twins if _targets(plan, cell)), _MOST_SEEDS)
    return [found.auc for cell in cells for found in _of_cell(plan, store, cell, [reading.attack])]


def _targets(plan: Plan, cell: PlannedCell) -> int:
    """How many of the cell's models to read: leading pairs that are done; 0 where they are too few for all attacks."""
    done = next((place for place, key in enumerate(cell.privacy) if key not in plan.done), len(cell.privacy))
    targets = min(done - done % 2, max(_MOST_TARGETS, fewest_references(plan)))
    return targets if targets >= fewest_references(plan) else 0


def _of_cell(plan: Plan, store: Store, cell: PlannedCell, attacks: Sequence[MembershipAttack]) -> list[Reading]:
    """Each attack on the models of `cell` that are to be read."""
    readings = list[Reading]()
    jobs = [plan.trainings[key].job for key in cell.privacy[: _targets(plan, cell)]]
    # Answers may be damaged, and an attack may be anyone's: a run says what is wrong, here it is an estimate less.
    with contextlib.suppress(Exception):
        signals = _signals(plan, store, cell, jobs)
        for attack in attacks:
            with contextlib.suppress(Exception):
                readings.append(Reading(cell, attack, len(jobs), *read_auc(signals, attack)))
    return readings


def _signals(plan: Plan, store: Store, cell: PlannedCell, jobs: list[TrainingJob]) -> Signals:
    data, population = plan.data, len(plan.data.population) > 0
    given = cell.labels.given
    return Signals(
        logits=read_answers(store, jobs, "pool"),
        keep=np.asarray(cell.keep)[: len(jobs)],
        labels=given,
        subjects=None if data.pool.units is None else np.asarray(data.pool.units),
        population_logits=read_answers(store, jobs, "population") if population else None,
        population_labels=np.asarray(data.population.labels) if population else None,
        loss_trace=read_losses(store, jobs, array_digest(given)),
    )


def read_auc(signals: Signals, attack: MembershipAttack) -> tuple[float, AucVariance]:
    """Mean AUC of `attack` on each of `signals`' models, in complementary pairs, and its variance; SignalsError."""
    frame, targets = make_frame(signals, attack.unit, {}), range(signals.models)
    scores = np.stack([_scores(signals, attack, frame, target) for target in targets])
    pairs = pair_influence(scores, frame.keep, frame.clusters)
    alike = None
    if attack.needed().references:
        alike = _alike(signals, attack, frame)
    areas = [auc(row[keep], row[~keep]) for row, keep in zip(scores, frame.keep, strict=True)]
    return float(np.mean(areas)), measured_auc_variance(pairs, alike, stretch_of(attack, signals.models))


def _alike(signals: Signals, attack: MembershipAttack, frame: Frame) -> float:
    """Mean of sum_s H_a(s) H_b(s) over pairs a and b that are no references of each other; 0 where none can be spared.

    Of many pairs only neighbours are compared, in a circle.
    """
    count = signals.models // 2
    if signals.models - 4 < attack.needed().references:
        return 0.0
    apart = [(a, b) for a, b in itertools.combinations(range(count), 2) if min(b - a, count - b + a) <= _NEIGHBOURS]
    return float(
        np.mean([_without(signals, attack, frame, a, b) @ _without(signals, attack, frame, b, a) for a, b in apart])
    )


def _without(signals: Signals, attack: MembershipAttack, frame: Frame, pair: int, other: int) -> Floats:
    """The influences (S,) of `pair` where the models of pair `other` are no references."""
    targets = [2 * pair, 2 * pair + 1]
    scores = np.stack([_scores(signals, attack, frame, target, {2 * other, 2 * other + 1}) for target in targets])
    return np.asarray(pair_influence(scores, frame.keep[targets], frame.clusters)[0], np.float64)


def _scores(signals: Signals, attack: MembershipAttack, frame: Frame, target: int, but: Collection[int] = ()) -> Floats:
    """Scores (U,) of the units on `target`, by all references of an audit `but` some."""
    references = [model for model in references_of(signals.keep, target) if model not in but]
    return np.asarray(np.nan_to_num(attack.scored(signals, target, references=references).scores)[frame.first])
