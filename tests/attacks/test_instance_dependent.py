from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import truncnorm

from fer_audit.attacks.instance_dependent import InstanceDependent, chances, destinations
from fer_audit.attacks.label_attack import Corruption, LabelContext
from fer_audit.errors import PluginError

ROWS = 4_000
IMAGES = np.random.default_rng(0).integers(0, 256, (ROWS, 6, 6, 3), np.uint8)
LABELS = np.random.default_rng(1).integers(0, 4, ROWS)
CLASSES = ("a", "b", "c", "d")


def corrupted(rate: float, rows: int = ROWS, seed: int = 1, images: Any = IMAGES, **params: Any) -> Corruption:
    context = LabelContext(CLASSES, np.random.default_rng(seed), images=None if images is None else images[:rows])
    return InstanceDependent(rate=rate, **params)(LABELS[:rows], context)


def deviations(rate: float, spread: float, count: int) -> float:
    """Four standard errors of the share of flipped rows, whose chances are independent: at most a coin's."""
    return 4 * np.sqrt(rate * (1 - rate) / count) + 4 * spread / np.sqrt(count)


@pytest.mark.parametrize("rate", [0.3, 0.5])
def test_the_realised_rate_is_near_the_one_asked_for(rate: float) -> None:
    assert corrupted(rate).rate == pytest.approx(rate, abs=deviations(rate, 0.1, ROWS))


def test_chances_are_quantiles_of_the_truncated_normal() -> None:
    levels = np.array([0.0, 0.01, 0.3, 0.5, 0.9, 1.0])
    for rate, spread in ((0.1, 0.1), (0.5, 0.2), (1.0, 0.1)):
        wanted = truncnorm.ppf(levels, -rate / spread, (1 - rate) / spread, loc=rate, scale=spread)
        np.testing.assert_allclose(chances(levels, rate, spread), wanted, atol=1e-9)
    assert chances(levels, 0.2, 0).tolist() == [0.2] * 6
    # As the docstring says of the mean at a low rate.
    assert truncnorm.mean(-1, 9, loc=0.1, scale=0.1) == pytest.approx(0.129, abs=5e-4)
    assert corrupted(0.1).rate == pytest.approx(0.129, abs=deviations(0.129, 0.1, ROWS))


def test_destinations_are_a_softmax_over_the_other_classes() -> None:
    weights = np.random.default_rng(0).normal(size=(3, 2, 3))
    features, labels = np.array([[1.0, -0.5], [1.0, -0.5], [0.2, 0.3]]), np.array([0, 1, 0])
    found = destinations(features, labels, weights)
    for row, label in enumerate(labels):
        scores = np.exp(features[row] @ weights[label])
        scores[label] = 0
        np.testing.assert_allclose(found[row], scores / scores.sum())


def test_equal_images_of_a_class_go_to_the_same_classes_and_others_elsewhere() -> None:
    images = np.repeat(IMAGES[:2], ROWS // 2, axis=0)
    context = LabelContext(CLASSES, np.random.default_rng(3), images=images)
    labels = np.zeros(ROWS, np.int64)
    done = InstanceDependent(rate=0.5)(labels, context)
    first, second = (
        np.bincount(done.labels[part], minlength=4)[1:] for part in (slice(ROWS // 2), slice(ROWS // 2, None))
    )
    # Two images, standardised, are each other's opposite: what one is mistaken for most, the other is hardly ever.
    assert first.sum() == pytest.approx(1000, abs=150)
    assert np.argmax(first) != np.argmax(second)
    assert first[np.argmax(first)] > 0.9 * first.sum()


def test_the_image_decides_on_the_class() -> None:
    some, again = corrupted(1.0), corrupted(1.0)
    np.testing.assert_array_equal(some.labels, again.labels)
    # With the same draws, other images lead to the same one of three classes by chance alone.
    shuffled = corrupted(1.0, images=IMAGES[np.random.default_rng(5).permutation(ROWS)])
    both = some.corrupted & shuffled.corrupted
    np.testing.assert_array_equal(some.corrupted, shuffled.corrupted)
    assert np.mean(some.labels[both] == shuffled.labels[both]) == pytest.approx(1 / 3, abs=0.05)
    assert np.any(some.labels != corrupted(1.0, seed=2).labels)


@settings(deadline=None)
@given(rows=st.integers(0, 60), rate=st.floats(0, 1), spread=st.floats(0, 1), seed=st.integers(0, 99))
@example(rows=3, rate=1e-308, spread=0.0, seed=6)
def test_an_exact_rate_is_hit_exactly(rows: int, rate: float, spread: float, seed: int) -> None:
    done = corrupted(rate, rows, seed, exact=True, spread=spread)
    assert done.corrupted.sum() == round(rate * rows)


@settings(deadline=None)
@given(low=st.floats(0, 1), high=st.floats(0, 1))
def test_more_noise_corrupts_the_same_rows_and_more(low: float, high: float) -> None:
    low, high = sorted((low, high))
    some, more = corrupted(low, 300), corrupted(high, 300)
    assert not np.any(some.corrupted & ~more.corrupted)
    np.testing.assert_array_equal(some.labels[some.corrupted], more.labels[some.corrupted])


def test_exact_rows_are_drawn_in_proportion_to_their_chances() -> None:
    # Few of many rows: the share of rows with the larger of two chances tends to that of their sum.
    chance = np.repeat([0.1, 0.4], 10_000)
    struck = InstanceDependent(rate=0.02, exact=True)._struck(chance, np.random.default_rng(0).random(20_000))
    assert struck.sum() == 400
    assert struck[10_000:].sum() / 400 == pytest.approx(0.8, abs=4 * np.sqrt(0.8 * 0.2 / 400))


def test_a_rate_of_zero_changes_nothing() -> None:
    assert corrupted(0).rate == 0
    assert corrupted(0, spread=0.5).rate == 0


def test_images_and_other_classes_are_needed() -> None:
    with pytest.raises(PluginError, match="depends on the images"):
        corrupted(0.1, images=None)
    alone = LabelContext(("a",), np.random.default_rng(0), images=IMAGES[:3])
    with pytest.raises(PluginError, match="at least 2 classes"):
        InstanceDependent(rate=0.1)(np.zeros(3, np.int64), alone)
