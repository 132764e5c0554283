"""The membership attacks of a cell, run on stored signals and kept, so that the same signals are attacked once."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.audit import audit
from fer_audit.attacks.membership_attack import MembershipAttack
from fer_audit.attacks.signals import Signals
from fer_audit.data.dataset import FaceData
from fer_audit.metrics.accuracy import mean_accuracy
from fer_audit.plugins import content_key, package_digest
from fer_audit.results import SCHEMA_VERSION as RESULTS_SCHEMA
from fer_audit.results import AttackResult, Privacy
from fer_audit.store import Store, array_digest


def measure_privacy(
    store: Store,
    attacks: Sequence[MembershipAttack],
    data: FaceData,
    *,
    keep: npt.NDArray[np.bool_],
    given: npt.NDArray[np.int64],
    trainings: Sequence[str],
    folders: Sequence[Path],
    queries: Sequence[str],
    seed: int,
) -> Privacy:
    """What `attacks` make of the models in `folders`, which trained on the rows in `keep` (M, N) with `given` (N,)."""
    logits = np.stack([np.load(folder / "pool.npy") for folder in folders])
    test = np.stack([np.load(folder / "test.npy") for folder in folders])
    population = np.stack([np.load(folder / "population.npy") for folder in folders])
    has_population = len(data.population) > 0
    signals = Signals(
        logits=logits,
        keep=keep,
        labels=given,
        subjects=None if data.pool.subjects is None else np.asarray(data.pool.subjects),
        population_logits=population if has_population else None,
        population_labels=np.asarray(data.population.labels) if has_population else None,
    )
    correct = logits[:, :, 0].argmax(axis=2) == given
    tested = test.argmax(axis=2) == np.asarray(data.test.labels)
    return Privacy(
        trainings=list(trainings),
        references=len(folders) - 2,
        queries=list(queries),
        member_accuracy=mean_accuracy(correct, keep, data.pool.subjects),
        nonmember_accuracy=mean_accuracy(correct, ~keep, data.pool.subjects),
        test_accuracy=mean_accuracy(tested, np.ones_like(tested), data.test.subjects),
        attacks=[_attack_once(store, attack, signals, trainings, given, seed) for attack in attacks],
    )


def _attack_once(
    store: Store,
    attack: MembershipAttack,
    signals: Signals,
    trainings: Sequence[str],
    given: npt.NDArray[np.int64],
    seed: int,
) -> AttackResult:
    """The result of one attack, from the store where the same signals met the same code before."""
    subjects = None if signals.subjects is None else array_digest(signals.subjects)
    code = [package_digest("fer_audit.attacks"), package_digest("fer_audit.metrics"), RESULTS_SCHEMA]
    code += [metadata.version(name) for name in ("numpy", "scipy", "scikit-learn")]
    population = None if signals.population_labels is None else array_digest(signals.population_labels)
    labels = [array_digest(given), array_digest(signals.keep), subjects, population]
    key = content_key([attack.identity(), list(trainings), labels, seed, code])
    known = store.read_json("attacks", key)
    if known is not None:
        return AttackResult.model_validate(known)
    result = audit(signals, [attack], seed=seed)[0]
    store.write_json("attacks", key, result.model_dump(mode="json"))
    return result
