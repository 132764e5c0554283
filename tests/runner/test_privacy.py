"""What attacks are called where their records are kept, and at which delta they bound epsilon."""

from types import SimpleNamespace

import numpy as np
import pytest

from fer_audit.attacks import create
from fer_audit.attacks.loss_threshold import LossThreshold as TheirBase
from fer_audit.data.dataset import FaceData, Rows
from fer_audit.data.splits import membership_matrix
from fer_audit.runner.privacy import _labels, attack_entries, measure_privacy
from fer_audit.store import Store


class LossThreshold(TheirBase):
    """One of that class name from elsewhere; source: this test."""

    name = "mine"


class OfPackage(TheirBase):
    """One of that plug-in name from elsewhere; source: this test."""

    package = "theirs"


def test_attacks_are_told_apart_by_class_name_and_only_else_by_plugin_name():
    attacks = [create("loss-threshold"), create("gap"), OfPackage()]
    assert _labels(attacks) == [
        "LossThreshold(queries='all', per_class=False)",
        "Gap(queries='all')",
        "OfPackage(queries='all', per_class=False)",
    ]
    twins = [create("loss-threshold"), LossThreshold(), create("gap")]
    assert _labels(twins) == [
        "loss-threshold: LossThreshold(queries='all', per_class=False)",
        "mine: LossThreshold(queries='all', per_class=False)",
        "Gap(queries='all')",
    ]


@pytest.fixture
def study(tmp_path):
    """Everything that `measure_privacy` needs but for what is given to each of its calls."""
    store, rng, rows = Store(tmp_path), np.random.default_rng(0), 60
    labels, names = rng.integers(0, 3, rows), tuple(map(str, range(rows)))
    pool = Rows(np.zeros((rows, 1, 1, 3), np.uint8), labels, names)
    keep = membership_matrix(4, labels, None, 0)
    jobs = []
    for number, members in enumerate(keep):
        answers = rng.normal(0, 1, (rows, 3)).astype(np.float32)
        answers[np.arange(rows), labels] += 9.0 * members
        arrays = {"pool": answers, "test": answers[:9], "population": answers[:0]}
        name = ("signals", str(number))
        store.write(*name, lambda folder, arrays=arrays: [np.save(folder / f"{k}.npy", a) for k, a in arrays.items()])
        training = SimpleNamespace(key=str(number))
        jobs.append(
            SimpleNamespace(
                fit=name, queries=("identity",), traces=(), training=training, answers=lambda name=name: [name]
            )
        )
    data = FaceData(("a", "b", "c"), pool, pool.take(np.arange(9)), pool.take(np.arange(0)), drawn=True)
    known = {"keep": keep, "given": labels, "jobs": jobs, "seed": 0}
    return SimpleNamespace(store=store, attacks=[create("loss-threshold")], data=data, known=known)


def test_epsilon_is_bounded_at_the_delta_that_is_asked_for(study):
    def bound(**options):
        privacy, _ = measure_privacy(study.store, study.attacks, study.data, digest="d", **study.known, **options)
        return privacy.attacks[0].epsilon

    usual, coarse = bound(), bound(delta=0.1)
    assert (usual.delta, coarse.delta) == (1e-5, 0.1)
    assert usual.lower_bound > coarse.lower_bound
    assert usual.rules == coarse.rules
    assert bound(delta=1e-5) == bound() == usual  # from the store, where both deltas are kept apart


def test_an_attack_is_kept_under_another_key_only_where_delta_is_another(study):
    keys = [
        attack_entries(study.attacks, study.data, **study.known, **options)
        for options in ({}, {"delta": 1e-5}, {"delta": 1e-6})
    ]
    assert keys[0] == keys[1] != keys[2]
