# ruff: noqa: NPY002
from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

from fer_audit.testing import CheckFailed
from fer_audit.testing.global_chance import global_seed


@pytest.mark.parametrize(
    ("use", "whose"),
    [
        (np.random.random, "NumPy"),
        (np.random.seed, "NumPy"),
        (random.random, "Python"),
    ],
)
def test_use_is_noticed(use: Callable[[], object], whose: str) -> None:
    with pytest.raises(CheckFailed, match=f"expected no use of {whose}'s global generator"), global_seed(0):
        use()


def test_generators_go_on_as_if_nothing_had_been() -> None:
    np.random.seed(5)
    random.seed(5)
    with global_seed(0):
        np.random.default_rng(0).random()
    found = np.random.random(), random.random()
    np.random.seed(5)
    random.seed(5)
    assert found == (np.random.random(), random.random())


def test_a_failure_inside_is_told_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), global_seed(0):
        _ = 1 / int(np.random.random())
