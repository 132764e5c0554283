from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.attacks.label_attack import Corruption, LabelContext
from fer_audit.attacks.symmetric import Symmetric
from fer_audit.errors import PluginError
from fer_audit.metrics.intervals import clopper_pearson

LABELS = np.random.default_rng(0).integers(0, 7, 20_000)


def corrupted(
    rate: float, seed: int = 1, labels: np.ndarray = LABELS, classes: int = 7, exact: bool = False
) -> Corruption:
    context = LabelContext(tuple(map(str, range(classes))), np.random.default_rng(seed))
    return Symmetric(rate=rate, exact=exact)(labels, context)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 1.0])
def test_the_realised_rate_is_the_one_asked_for(rate: float) -> None:
    done = corrupted(rate)
    low, high = clopper_pearson(int(done.corrupted.sum()), len(LABELS), 0.9999)
    assert low <= rate <= high


@given(rows=st.integers(0, 60), rate=st.floats(0, 1), seed=st.integers(0, 1000))
def test_an_exact_rate_is_hit_exactly(rows: int, rate: float, seed: int) -> None:
    done = corrupted(rate, seed, LABELS[:rows], exact=True)
    assert done.corrupted.sum() == round(rate * rows)
    assert np.all((done.labels >= 0) & (done.labels < 7))


@pytest.mark.parametrize("exact", [False, True])
def test_other_classes_are_equally_likely(exact: bool) -> None:
    matrix = corrupted(1.0, exact=exact).matrix
    np.testing.assert_allclose(matrix, (1 - np.eye(7)) / 6, atol=0.03)
    assert not matrix.diagonal().any()


@given(low=st.floats(0, 1), high=st.floats(0, 1), exact=st.booleans())
def test_more_noise_corrupts_the_same_rows_and_more(low: float, high: float, exact: bool) -> None:
    low, high = sorted((low, high))
    some, more = (corrupted(rate, labels=LABELS[:200], exact=exact) for rate in (low, high))
    assert not np.any(some.corrupted & ~more.corrupted)
    np.testing.assert_array_equal(some.labels[some.corrupted], more.labels[some.corrupted])


def test_the_seed_decides() -> None:
    np.testing.assert_array_equal(corrupted(0.3).labels, corrupted(0.3).labels)
    assert np.any(corrupted(0.3).labels != corrupted(0.3, seed=2).labels)


def test_one_class_has_no_other() -> None:
    with pytest.raises(PluginError, match="at least 2 classes"):
        corrupted(0.5, labels=np.zeros(3, np.int64), classes=1)
    assert corrupted(0.0, labels=np.zeros(3, np.int64), classes=1).rate == 0
    assert len(corrupted(0.5, labels=np.zeros(0, np.int64)).labels) == 0


def test_rates_are_probabilities() -> None:
    with pytest.raises(PluginError, match="rate"):
        Symmetric(rate=1.5)
