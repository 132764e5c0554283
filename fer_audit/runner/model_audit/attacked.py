"""What membership attacks make of an audited model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.audit import Audited as Attacked
from fer_audit.attacks.audit import audited as attack_all
from fer_audit.attacks.membership_attack import MembershipAttack
from fer_audit.attacks.signals import Signals
from fer_audit.data.splits import split_by_subject
from fer_audit.errors import DataError
from fer_audit.metrics.accuracy import mean_accuracy
from fer_audit.plugins import guest
from fer_audit.results import Privacy
from fer_audit.runner.exposed import most_exposed
from fer_audit.runner.model_audit.asked import Asked
from fer_audit.runner.model_audit.references import References
from fer_audit.runner.model_audit.subjects import Audited


def signals_of(audited: Audited, asked: Asked, references: References | None) -> Signals:
    """The answers of the model, and of its references behind it; raises SignalsError."""
    data = audited.rows.data
    pool, population, keep = asked.pool[None], asked.population[None], audited.rows.member[None]
    if references:
        pool, keep = np.concatenate([pool, references.pool]), np.concatenate([keep, references.keep])
        population = np.concatenate([population, references.population])
    has_population = len(data.population) > 0
    units = data.pool.units
    return Signals(
        logits=pool,
        keep=keep,
        labels=np.asarray(data.pool.labels),
        subjects=None if units is None else np.asarray(units),
        population_logits=population if has_population else None,
        population_labels=np.asarray(data.population.labels) if has_population else None,
    )


def calibration_rows(audited: Audited, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Rows (N,) that set thresholds: `share` of members and of non-members in every class, whole people."""
    pool, member = audited.rows.data.pool, audited.rows.member
    sides = 2 * np.asarray(pool.labels) + member
    part = split_by_subject(sides, pool.units, (1 - share, share), np.random.default_rng([seed, len(pool)]))
    return np.asarray(part == 1)


def check_calibration(audited: Audited, share: float, seed: int) -> None:
    """Raises DataError where the split leaves no member or non-member, to choose thresholds on or to score."""
    held, member = calibration_rows(audited, share, seed), audited.rows.member
    for side, rows in (("members", member), ("non-members", ~member)):
        if not (rows & held).any() or not (rows & ~held).any():
            raise DataError(
                f"the {int(rows.sum())} {side} are too few people to choose thresholds on a share of {share:g} and to "
                f"score the others; expected some on each side; give more {side}, or another --calibration"
            )


def attacked(
    signals: Signals,
    attacks: Sequence[MembershipAttack],
    slices: Mapping[str, Sequence[str]],
    calibration: npt.NDArray[np.bool_] | None,
    seed: int,
) -> list[Attacked]:
    """What each attack makes of the first model; raises SignalsError, PluginError."""
    scored = np.arange(signals.rows) if calibration is None else np.flatnonzero(~calibration)
    found = []
    for attack in attacks:
        with guest(attack, advice=f"; try `fer-audit check attack {attack.address()}`"):
            one = attack_all(signals, [attack], targets=[0], slices=slices, seed=seed, calibration=calibration)[0]
        found.append(replace(one, records=replace(one.records, first=scored[one.records.first])))
    return found


def attack_label(attacks: Sequence[MembershipAttack], number: int) -> str:
    """What an attack is called in the records; classes of one name, of other files or packages, are told apart."""
    shown = [repr(attack) for attack in attacks]
    label = shown[number]
    return label if shown.count(label) == 1 else f"{attacks[number].address()}: {label}"


def privacy_of(
    audited: Audited,
    asked: Asked,
    found: Sequence[Attacked],
    *,
    queries: Sequence[str],
    references: References | None,
    digest: str,
    invalid: str,
) -> Privacy:
    """What the attacks found, beside accuracies on members and non-members."""
    data, member = audited.rows.data, audited.rows.member
    labels, units = np.asarray(data.pool.labels), data.pool.units
    correct = (asked.pool[:, 0].argmax(axis=1) == labels)[None]
    tested = (asked.predicted == np.asarray(data.test.labels))[None]
    return Privacy(
        trainings=[],
        references=len(references) if references else 0,
        queries=list(queries),
        member_accuracy=mean_accuracy(correct, member[None], units),
        nonmember_accuracy=mean_accuracy(correct, ~member[None], units),
        test_accuracy=mean_accuracy(tested, np.ones_like(tested), data.test.units),
        attacks=[one.result for one in found],
        exposed=[most_exposed(one, digest, labels, np.zeros(len(labels), np.bool_)) for one in found],
        invalid=invalid,
    )
