from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.attacks.flips import class_flips, picked, whole_numbers


def test_each_class_has_its_own_rate() -> None:
    labels = np.array([0, 1, 0, 1, 2, 2])
    draws = np.array([0.1, 0.1, 0.4, 0.9, 0.0, 0.0])
    rates = np.array([0.5, 0.5, 0.0])
    assert class_flips(labels, draws, rates, exact=False).tolist() == [True, True, True, False, False, False]
    assert class_flips(labels, draws, rates, exact=True).tolist() == [True, True, False, False, False, False]


def test_shares_are_picked_in_proportion_and_never_where_there_is_none() -> None:
    draws = np.array([0.0, 0.24, 0.25, 0.999999])
    assert picked(np.array([0.0, 1.0, 0.0, 3.0, 0.0]), draws).tolist() == [1, 1, 3, 3]
    each = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 1.0]])
    assert picked(each, draws).tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("quotas", "total", "expected"),
    [
        ([1.5, 1.3, 0.2], 3, [2, 1, 0]),
        ([0.29 * 100, 0.71 * 100], 100, [29, 71]),
        ([0.4, 0.4, 0.4], 1, [1, 0, 0]),
        ([0.0, 0.0], 0, [0, 0]),
    ],
)
def test_the_largest_remainders_are_rounded_up(quotas: list[float], total: int, expected: list[int]) -> None:
    assert whole_numbers(np.array(quotas), total).tolist() == expected


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8), st.integers(1, 500), st.data())
def test_whole_numbers_keep_the_total_and_stay_within_one(shares: list[float], rows: int, data: st.DataObject) -> None:
    if sum(shares) < 1e-3:
        return
    quotas = np.array(shares) / sum(shares) * data.draw(st.floats(0, 1)) * rows
    total = round(float(quotas.sum()))
    numbers = whole_numbers(quotas, total)
    assert numbers.sum() == total
    assert np.all(np.abs(numbers - quotas) < 1 + 1e-6)
