from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.attacks.label_attack import Corruption, LabelContext
from fer_audit.attacks.transition import Transition
from fer_audit.attacks.transition_presets import preset_rows
from fer_audit.data.dataset import EXPRESSIONS
from fer_audit.errors import PluginError
from fer_audit.metrics.intervals import clopper_pearson

CLASSES = ("a", "b", "c")
LABELS = np.random.default_rng(0).choice(3, 9_000, p=(0.6, 0.3, 0.1))
MATRIX = ((0.8, 0.15, 0.05), (0.0, 0.5, 0.5), (0.0, 0.0, 1.0))
#: Train rows of RAF-DB, in the order of EXPRESSIONS.
RAF_DB = np.repeat(np.arange(7), (2524, 4772, 1982, 1290, 281, 717, 705))


def corrupted(
    labels: np.ndarray = LABELS, classes: tuple[str, ...] = CLASSES, seed: int = 1, **params: Any
) -> Corruption:
    return Transition(**params)(labels, LabelContext(classes, np.random.default_rng(seed)))


@pytest.mark.parametrize(
    "matrix", [MATRIX, {"a": {"a": 0.8, "b": 0.15, "c": 0.05}, "b": {"b": 0.5, "c": 0.5}}], ids=["rows", "names"]
)
def test_the_realised_matrix_is_the_one_asked_for(matrix: Any) -> None:
    done = corrupted(matrix=matrix)
    for true, row in enumerate(MATRIX):
        count = int(np.equal(LABELS, true).sum())
        for given_, share in enumerate(row):
            low, high = clopper_pearson(round(done.matrix[true, given_] * count), count, 0.9999)
            assert low <= share <= high
    assert done.matrix[2].tolist() == [0, 0, 1]
    np.testing.assert_array_equal(done.labels, corrupted(matrix=MATRIX).labels)


def test_exact_counts_are_nearest_whole_numbers() -> None:
    labels = np.repeat([0, 1, 2], (10, 7, 3))
    done = corrupted(labels, matrix=MATRIX, exact=True)
    counts = done.matrix * [[10], [7], [3]]
    # 8/1.5/.5 of ten rows, two of which leave: the remainders tie; 3.5 of seven rows are rounded to the even number.
    np.testing.assert_allclose(counts, [[8, 2, 0], [0, 3, 4], [0, 0, 3]])


@st.composite
def matrices(draw: st.DrawFn) -> np.ndarray:
    rows = draw(st.lists(st.lists(st.integers(0, 20), min_size=3, max_size=3), min_size=3, max_size=3))
    counts = np.array(rows, np.float64) + np.eye(3)
    return counts / counts.sum(axis=1, keepdims=True)


@given(matrix=matrices(), rows=st.integers(0, 90), seed=st.integers(0, 99))
def test_exact_rows_hit_every_matrix(matrix: np.ndarray, rows: int, seed: int) -> None:
    labels = LABELS[:rows]
    done = corrupted(labels, seed=seed, matrix=matrix.tolist(), exact=True)
    for true in range(3):
        of_class = labels == true
        counts = np.bincount(done.labels[of_class], minlength=3)
        # The total is hit first, then each class: a count may be up to one off for either.
        assert np.all(np.abs(counts - matrix[true] * of_class.sum()) < 2 + 1e-6)
    expected = sum((1 - matrix[true, true]) * (labels == true).sum() for true in range(3))
    assert done.corrupted.sum() == round(expected)


@given(low=st.floats(0, 0.2), high=st.floats(0, 0.2), exact=st.booleans())
def test_a_rate_scales_the_matrix_and_rates_are_nested(low: float, high: float, exact: bool) -> None:
    low, high = sorted((low, high))
    some, more = (corrupted(LABELS[:2000], matrix=MATRIX, rate=rate, exact=exact) for rate in (low, high))
    if exact:
        assert some.corrupted.sum() == round(low * 2000)
    else:
        assert not np.any(some.corrupted & ~more.corrupted)
        np.testing.assert_array_equal(some.labels[some.corrupted], more.labels[some.corrupted])


def test_a_scaled_matrix_keeps_its_proportions() -> None:
    done = corrupted(matrix=MATRIX, rate=0.1, exact=True)
    off = done.matrix * (1 - np.eye(3))
    assert done.rate == pytest.approx(0.1, abs=2e-4)
    assert off[0, 1] / off[0, 2] == pytest.approx(3, rel=0.02)
    assert off[1].sum() / off[0].sum() == pytest.approx(2.5, rel=0.02)


def test_a_rate_of_zero_changes_nothing() -> None:
    assert corrupted(matrix=MATRIX, rate=0).rate == 0
    assert corrupted(matrix=np.eye(3).tolist(), rate=0).rate == 0
    assert len(corrupted(LABELS[:0], matrix=MATRIX, rate=0.1).labels) == 0


def test_no_more_than_all_rows_of_a_class_can_leave_it() -> None:
    chances = 1 - np.diag(MATRIX)[LABELS]
    most = chances.mean() / chances.max()
    assert corrupted(matrix=MATRIX, rate=most).matrix[1, 1] == pytest.approx(0, abs=1e-3)
    with pytest.raises(PluginError, match=f"corrupts {most:.3f} of the rows"):
        corrupted(matrix=MATRIX, rate=most + 0.01)
    with pytest.raises(PluginError, match=r"corrupts 0\.000 of the rows"):
        corrupted(matrix=np.eye(3).tolist(), rate=0.1)


def test_resup_us_counts_on_rafdb() -> None:
    done = corrupted(RAF_DB, EXPRESSIONS, preset="resup-us", exact=True)
    left = dict(zip(EXPRESSIONS, np.bincount(RAF_DB[done.corrupted], minlength=7).tolist(), strict=True))
    # Half of 281 is rounded to the even 140, which is what the published list has too.
    expected = {"neutral": 0, "happiness": 0, "sadness": 793, "surprise": 129, "fear": 140, "disgust": 215}
    assert left == expected | {"anger": 141}
    sadness = EXPRESSIONS.index("sadness")
    np.testing.assert_allclose(np.delete(done.matrix[sadness], sadness) * 1982, 793 / 6, atol=1)


def test_human_confusion_counts() -> None:
    done = corrupted(np.repeat(np.arange(7), 1000), EXPRESSIONS, preset="human-ferplus", exact=True)
    counts = (done.matrix * 1000).round().astype(int)
    neutral, happiness, sadness, surprise, fear, disgust, anger = counts
    # .70 .03 .02 .11 .03 .01 .01 of .91, in the order neutral, happiness, sadness, surprise, fear, disgust, anger.
    assert neutral.tolist() == [769, 33, 121, 22, 11, 11, 33]
    assert fear.tolist() == [53, 21, 84, 168, 611, 21, 42]
    assert [row.sum() for row in (sadness, disgust, anger)] == [1000] * 3
    assert happiness.tolist() == [0, 1000, 0, 0, 0, 0, 0]
    assert surprise.tolist() == [0, 0, 0, 1000, 0, 0, 0]


@pytest.mark.parametrize("preset", ["human-ferplus", "resup-us"])
def test_presets_are_stochastic_and_by_name(preset: Any) -> None:
    assert all(sum(row.values()) == pytest.approx(1) for row in preset_rows(preset).values())
    labels = np.repeat(np.arange(8), 50)
    classes = ("contempt", *EXPRESSIONS[::-1])
    done = corrupted(labels, classes, preset=preset)
    assert done.matrix[0].tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert not done.matrix[1:, 0].any()
    assert done.corrupted[labels == classes.index("fear")].any()
    with pytest.raises(PluginError, match=f"preset '{preset}' needs the class 'neutral', which the dataset lacks"):
        corrupted(np.zeros(3, np.int64), EXPRESSIONS[1:], preset=preset)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "expected either matrix or preset"),
        ({"matrix": MATRIX, "preset": "resup-us"}, "expected either matrix or preset"),
        ({"matrix": ((0.5, 0.4), (0.0, 1.0))}, "row 0 sums to 0.9"),
        ({"matrix": ((1.5, -0.5), (0.0, 1.0))}, "shares within 0..1"),
        ({"matrix": ((0.5, 0.5), (1.0,))}, "expected 2 numbers in each of the 2 rows, not 1"),
        ({"matrix": ((0.5, 0.5), (0.0, 1.0))}, "expected a matrix of 3 rows, one for each of a, b, c; received 2"),
        ({"matrix": {"a": {"b": 0.5}}}, "row 'a' sums to 0.5"),
        ({"matrix": {"a": {"d": 1.0}}}, "no class 'd'"),
        ({"matrix": {"x": {"a": 1.0}}}, "no class 'x'"),
        ({"preset": "human"}, "preset"),
        ({"matrix": MATRIX, "rate": 2}, "less than or equal to 1"),
        ({"matrix": {"a": {"a": float("nan"), "b": 0.5}}}, "finite number"),
        ({"matrix": {}}, "at least one row"),
    ],
)
def test_what_is_no_transition_is_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(PluginError, match=message):
        corrupted(**params)
