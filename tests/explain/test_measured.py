"""Means over rows with their intervals, from arrays alone."""

import numpy as np
import pytest

from fer_audit.explain.measured import estimate, measured

RNG = np.random.default_rng(0)


def test_the_interval_is_as_wide_as_the_standard_error():
    values = RNG.normal(0.4, 0.1, 200)
    found = estimate(values)
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * 1.97 * np.std(values, ddof=1) / np.sqrt(200), rel=0.1)
    assert found.n == 200
    assert found.method.startswith("bootstrap over rows, 1000 resamples")


def test_rows_of_one_subject_do_not_count_as_many():
    values, subjects = RNG.normal(0.4, 0.1, 50), np.arange(50)
    copies = estimate(np.repeat(values, 4), np.repeat(subjects, 4))
    alone = estimate(values, subjects)
    assert (copies.low, copies.high) == pytest.approx((alone.low, alone.high))
    assert copies.method.startswith("bootstrap over subjects")


def test_rows_without_a_value_are_left_out_and_told():
    found = estimate(np.array([0.2, np.nan, 0.4, np.nan]), np.array([0, 1, 2, 2]))
    assert found.value == pytest.approx(0.3)
    assert (found.n, found.note) == (2, "2 of 4 rows have no value and are left out")
    nothing = estimate(np.full(3, np.nan))
    assert (nothing.value, nothing.n) == (None, 0)
    assert nothing.note == "3 of 3 rows have no value and are left out"
    assert estimate(np.empty(0)).note == "no rows"


def test_one_subject_gives_no_interval():
    found = estimate(np.array([0.2, 0.4]), np.zeros(2))
    assert found.value == pytest.approx(0.3)
    assert (found.low, found.high) == (None, None)


def arrays(**changes):
    noise = RNG.normal(0, 0.2, 60)
    deletion = 0.3 + noise + RNG.normal(0, 0.01, 60)
    return {"deletion": deletion, "deletion_random": 0.5 + noise, **changes}


def test_differences_are_paired_by_row():
    (found,) = measured(arrays())
    assert (found.name, found.better) == ("deletion", "lower")
    assert found.difference.value == pytest.approx(found.value.value - found.baseline.value)
    assert found.difference.high < -0.18
    assert found.difference.high - found.difference.low < 0.2 * (found.value.high - found.value.low)


def test_all_three_numbers_go_by_the_same_rows():
    given = arrays()
    given["deletion"][0], given["deletion_random"][1] = np.nan, np.nan
    (found,) = measured(given)
    assert found.value.n == found.baseline.n == found.difference.n == 58
    assert found.difference.value == pytest.approx(found.value.value - found.baseline.value)


def test_measures_have_the_names_and_directions_of_results():
    names = ["deletion", "insertion", "flip_agreement", "inside"]
    found = measured({name + of: RNG.random(5) for name in names for of in ("", "_random")} | {"rows": np.arange(5)})
    assert [(one.name, one.better) for one in found] == [
        ("deletion", "lower"),
        ("insertion", "higher"),
        ("flip-agreement", "higher"),
        ("inside", "higher"),
    ]
