from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.attacks.label_attack import Corruption, LabelContext
from fer_audit.attacks.pair_flip import PairFlip
from fer_audit.errors import PluginError
from fer_audit.metrics.intervals import clopper_pearson

CLASSES = ("neutral", "happiness", "sadness", "surprise")
LABELS = np.random.default_rng(0).integers(0, 4, 8_000)


def corrupted(rate: float = 0.3, labels: np.ndarray = LABELS, seed: int = 1, **params: Any) -> Corruption:
    return PairFlip(rate=rate, **params)(labels, LabelContext(CLASSES, np.random.default_rng(seed)))


def test_each_class_becomes_the_next_one() -> None:
    assert corrupted(1.0, np.array([0, 1, 2, 3])).labels.tolist() == [1, 2, 3, 0]
    done = corrupted(0.3)
    next_one = np.roll(np.eye(4), 1, axis=1)
    assert np.all(done.matrix[(next_one + np.eye(4)) == 0] == 0)
    for true in range(4):
        rows = np.equal(LABELS, true)
        low, high = clopper_pearson(int(done.corrupted[rows].sum()), int(rows.sum()), 0.9999)
        assert low <= 0.3 <= high


def test_pairs_are_named_and_other_classes_stay() -> None:
    pairs = {"surprise": "sadness", "sadness": "surprise"}
    assert corrupted(1.0, np.array([0, 1, 2, 3]), pairs=pairs).labels.tolist() == [0, 1, 3, 2]


@given(rows=st.integers(0, 80), low=st.floats(0, 1), high=st.floats(0, 1), exact=st.booleans(), seed=st.integers(0, 99))
def test_counts_are_exact_and_rates_are_nested(rows: int, low: float, high: float, exact: bool, seed: int) -> None:
    low, high = sorted((low, high))
    some, more = (corrupted(rate, LABELS[:rows], seed, exact=exact) for rate in (low, high))
    assert not np.any(some.corrupted & ~more.corrupted)
    if exact:
        assert some.corrupted.sum() == round(low * rows)
        of_pair = LABELS[:rows] == 2
        one = corrupted(low, LABELS[:rows], seed, exact=True, pairs={"sadness": "surprise"})
        assert one.corrupted.sum() == round(low * of_pair.sum())


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"pairs": {"happines": "sadness"}}, "did you mean 'happiness'"),
        ({"pairs": {"happiness": "contempt"}}, "no class 'contempt'"),
        ({"pairs": {"happiness": "happiness"}}, "'happiness' becomes itself"),
        ({"pairs": {}}, "at least one pair"),
        ({"rate": -0.1}, "greater than or equal to 0"),
        ({"rate": float("nan")}, "finite number"),
    ],
)
def test_what_can_not_be_paired_is_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(PluginError, match=message):
        corrupted(**params)


def test_one_class_has_no_next_one() -> None:
    alone = LabelContext(("neutral",), np.random.default_rng(0))
    with pytest.raises(PluginError, match="at least 2 classes"):
        PairFlip(rate=0.1)(np.zeros(3, np.int64), alone)
    assert PairFlip(rate=0)(np.zeros(3, np.int64), alone).rate == 0
