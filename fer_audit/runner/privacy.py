"""The membership attacks of a cell, run on stored signals and kept, so that the same signals are attacked once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.audit import Audited, audited
from fer_audit.attacks.membership_attack import MembershipAttack
from fer_audit.attacks.records import Records
from fer_audit.attacks.signals import Signals
from fer_audit.data.dataset import FaceData
from fer_audit.metrics.accuracy import mean_accuracy
from fer_audit.plugins import content_key, guest
from fer_audit.results import SCHEMA_VERSION as RESULTS_SCHEMA
from fer_audit.results import AttackResult, Privacy
from fer_audit.runner.exposed import most_exposed
from fer_audit.sources import package_digest
from fer_audit.specs import TrainingJob
from fer_audit.store import ArtefactName, Store, array_digest

#: At which epsilon is bounded where no guarantee says another.
DELTA = 1e-5


def measure_privacy(
    store: Store,
    attacks: Sequence[MembershipAttack],
    data: FaceData,
    *,
    digest: str,
    keep: npt.NDArray[np.bool_],
    given: npt.NDArray[np.int64],
    jobs: Sequence[TrainingJob],
    seed: int,
    delta: float = DELTA,
) -> tuple[Privacy, dict[str, Audited]]:
    """What `attacks` make of the models of `jobs`, which trained on the rows in `keep` (M, N) with `given` (N,).

    Rows are sliced by class, subject size, the dataset's attributes, and by whether their label was corrupted. Exposed
    rows are named by the `digest` of `data`. Epsilon is bounded at `delta`.
    """
    logits, population = read_answers(store, jobs, "pool"), read_answers(store, jobs, "population")
    test = np.stack([np.load(store.path(*job.fit) / "test.npy") for job in jobs])
    has_population = len(data.population) > 0
    units = None if data.pool.units is None else np.asarray(data.pool.units)
    signals = Signals(
        logits=logits,
        keep=keep,
        labels=given,
        subjects=units,
        population_logits=population if has_population else None,
        population_labels=np.asarray(data.population.labels) if has_population else None,
        loss_trace=read_losses(store, jobs, array_digest(given)),
    )
    correct = logits[:, :, 0].argmax(axis=2) == given
    tested = test.argmax(axis=2) == np.asarray(data.test.labels)
    slices = _slices(data, given)
    names = attack_entries(attacks, data, keep=keep, given=given, jobs=jobs, seed=seed, delta=delta)
    found = [
        _attack_once(store, name, attack, signals, slices, jobs, seed, delta)
        for name, attack in zip(names, attacks, strict=True)
    ]
    corrupted = given != np.asarray(data.pool.labels)
    privacy = Privacy(
        trainings=[job.training.key for job in jobs],
        references=len(jobs) - 2,
        queries=list(jobs[0].queries),
        member_accuracy=mean_accuracy(correct, keep, units),
        nonmember_accuracy=mean_accuracy(correct, ~keep, units),
        test_accuracy=mean_accuracy(tested, np.ones_like(tested), data.test.units),
        attacks=[one.result for one in found],
        exposed=[most_exposed(one, digest, given, corrupted) for one in found],
    )
    return privacy, dict(zip(_labels(attacks), found, strict=True))


def _labels(attacks: Sequence[MembershipAttack]) -> list[str]:
    """What each attack is called in the records; classes of one name, of other files or packages, are told apart."""
    shown = [repr(attack) for attack in attacks]
    return [
        label if shown.count(label) == 1 else f"{attack.address()}: {label}"
        for label, attack in zip(shown, attacks, strict=True)
    ]


def attack_entries(
    attacks: Sequence[MembershipAttack],
    data: FaceData,
    *,
    keep: npt.NDArray[np.bool_],
    given: npt.NDArray[np.int64],
    jobs: Sequence[TrainingJob],
    seed: int,
    delta: float = DELTA,
) -> list[ArtefactName]:
    """Kind and key under which the store keeps each attack's result: the same signals are attacked once by one code."""
    population = np.asarray(data.population.labels) if len(data.population) else None
    labels = [None if array is None else array_digest(array) for array in (given, keep, data.pool.units, population)]
    groups = {name: array_digest(np.array(values, np.str_)) for name, values in _slices(data, given).items()}
    known = [labels, groups, seed, _code(), *([] if delta == DELTA else [delta])]
    return [("attacks", content_key([_identity(attack), _seen(attack, given, jobs), *known])) for attack in attacks]


def read_records(store: Store, name: ArtefactName) -> Records:
    """What the attack that is stored under `name` said of each unit."""
    with np.load(store.path(*name) / "records.npz") as file:
        return Records(**{field: file[field] for field in file.files})


def read_answers(store: Store, jobs: Sequence[TrainingJob], split: str) -> npt.NDArray[np.float32]:
    """Logits (M, K, Q, C) of all models on the rows of `split` (pool or population), from the store."""
    models = [[np.load(store.path(*artefact) / f"{split}.npy") for artefact in job.answers()] for job in jobs]
    return np.stack([np.stack(queries, axis=1) for queries in models])


def read_losses(store: Store, jobs: Sequence[TrainingJob], labels: str) -> npt.NDArray[np.float32] | None:
    """Losses (M, N, E) against the labels with that digest, or None where they were not followed."""
    if not all(labels in job.traces for job in jobs):
        return None
    losses: list[npt.NDArray[np.float32]] = [np.load(store.path(*job.trace(labels)) / "loss.npy") for job in jobs]
    return np.stack(losses)


@cache
def _code() -> tuple[str, ...]:
    """What runs in this process, asked once: all cells need it, and files that change meanwhile change nothing here."""
    versions = [metadata.version(name) for name in ("numpy", "scipy", "scikit-learn")]
    return (package_digest("fer_audit.attacks"), package_digest("fer_audit.metrics"), str(RESULTS_SCHEMA), *versions)


@lru_cache(maxsize=256)
def _identity(attack: MembershipAttack) -> dict[str, Any]:
    return attack.identity()


def _slices(data: FaceData, given: npt.NDArray[np.int64]) -> dict[str, Sequence[str]]:
    slices: dict[str, Sequence[str]] = dict(data.pool.attributes)
    corrupted = given != np.asarray(data.pool.labels)
    if corrupted.any():
        slices["labels"] = np.where(corrupted, "corrupted", "clean").tolist()
    return slices


def _seen(attack: MembershipAttack, given: npt.NDArray[np.int64], jobs: Sequence[TrainingJob]) -> list[ArtefactName]:
    """What the attack reads of each model."""
    seen = [artefact for job in jobs for artefact in job.answers()]
    return seen + [job.trace(array_digest(given)) for job in jobs] if attack.needed().loss_trace else seen


def _attack_once(
    store: Store,
    name: ArtefactName,
    attack: MembershipAttack,
    signals: Signals,
    slices: Mapping[str, Sequence[str]],
    jobs: Sequence[TrainingJob],
    seed: int,
    delta: float,
) -> Audited:
    """The result of one attack, from the store where it has been made before."""
    if store.has(*name):
        text = (store.path(*name) / "result.json").read_text(encoding="utf-8")
        return Audited(AttackResult.model_validate_json(text), read_records(store, name))
    with guest(attack, advice=f"; try `fer-audit check attack {attack.address()}`"):
        found = audited(signals, [attack], slices=slices, delta=delta, seed=seed)[0]
    uses = _seen(attack, signals.labels, jobs)
    store.write(*name, lambda folder: _write(folder, found), title=repr(attack), uses=uses)
    return found


def _write(folder: Path, found: Audited) -> None:
    (folder / "result.json").write_text(found.result.model_dump_json(), encoding="utf-8")
    np.savez(folder / "records.npz", **found.records.arrays())
