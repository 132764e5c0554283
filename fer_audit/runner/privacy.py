"""The membership attacks of a cell, run on stored signals and kept, so that the same signals are attacked once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.audit import Audited, audited
from fer_audit.attacks.membership_attack import MembershipAttack
from fer_audit.attacks.records import Records
from fer_audit.attacks.signals import Signals
from fer_audit.data.dataset import FaceData
from fer_audit.metrics.accuracy import mean_accuracy
from fer_audit.plugins import content_key, package_digest
from fer_audit.results import SCHEMA_VERSION as RESULTS_SCHEMA
from fer_audit.results import AttackResult, Privacy
from fer_audit.specs import TrainingJob
from fer_audit.store import Store, array_digest


def measure_privacy(
    store: Store,
    attacks: Sequence[MembershipAttack],
    data: FaceData,
    *,
    keep: npt.NDArray[np.bool_],
    given: npt.NDArray[np.int64],
    jobs: Sequence[TrainingJob],
    seed: int,
) -> tuple[Privacy, dict[str, Records]]:
    """What `attacks` make of the models of `jobs`, which trained on the rows in `keep` (M, N) with `given` (N,).

    Rows are sliced by class, subject size, the dataset's attributes, and by whether their label was corrupted.
    """
    slices: dict[str, Sequence[str]] = dict(data.pool.attributes)
    corrupted = given != np.asarray(data.pool.labels)
    if corrupted.any():
        slices["labels"] = np.where(corrupted, "corrupted", "clean").tolist()
    trainings, queries = [job.training.key for job in jobs], jobs[0].queries
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
    found = [_attack_once(store, attack, signals, slices, jobs, seed) for attack in attacks]
    privacy = Privacy(
        trainings=trainings,
        references=len(jobs) - 2,
        queries=list(queries),
        member_accuracy=mean_accuracy(correct, keep, units),
        nonmember_accuracy=mean_accuracy(correct, ~keep, units),
        test_accuracy=mean_accuracy(tested, np.ones_like(tested), data.test.units),
        attacks=[one.result for one in found],
    )
    return privacy, {repr(attack): one.records for attack, one in zip(attacks, found, strict=True)}


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


def _attack_once(
    store: Store,
    attack: MembershipAttack,
    signals: Signals,
    slices: Mapping[str, Sequence[str]],
    jobs: Sequence[TrainingJob],
    seed: int,
) -> Audited:
    """The result of one attack, from the store where the same signals met the same code before."""
    code = [package_digest("fer_audit.attacks"), package_digest("fer_audit.metrics"), RESULTS_SCHEMA]
    code += [metadata.version(name) for name in ("numpy", "scipy", "scikit-learn")]
    arrays = (signals.labels, signals.keep, signals.subjects, signals.population_labels)
    labels = [None if array is None else array_digest(array) for array in arrays]
    groups = {name: array_digest(np.array(values, np.str_)) for name, values in slices.items()}
    seen = [artefact for job in jobs for artefact in job.answers()]
    if attack.needed().loss_trace:
        seen += [job.trace(array_digest(signals.labels)) for job in jobs]
    name = ("attacks", content_key([attack.identity(), seen, labels, groups, seed, code]))
    if store.has(*name):
        return _read(store.path(*name))
    found = audited(signals, [attack], slices=slices, seed=seed)[0]
    store.write(*name, lambda folder: _write(folder, found), title=repr(attack), uses=seen)
    return found


def _write(folder: Path, found: Audited) -> None:
    (folder / "result.json").write_text(found.result.model_dump_json(), encoding="utf-8")
    np.savez(folder / "records.npz", **found.records.arrays())


def _read(folder: Path) -> Audited:
    result = AttackResult.model_validate_json((folder / "result.json").read_text(encoding="utf-8"))
    with np.load(folder / "records.npz") as file:
        return Audited(result, Records(**{name: file[name] for name in file.files}))
