"""P-values of several tests at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from fer_audit.metrics.multiplicity import benjamini_hochberg, holm

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=20).map(np.array)


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])


@given(p_values)
def test_benjamini_hochberg_is_that_of_scipy(p: np.ndarray) -> None:
    np.testing.assert_allclose(benjamini_hochberg(p), false_discovery_control(p), rtol=1e-12)


@given(p_values)
def test_corrections_only_raise_and_keep_the_order(p: np.ndarray) -> None:
    for adjusted in (holm(p), benjamini_hochberg(p)):
        assert np.all((adjusted >= p) & (adjusted <= 1))
        assert np.all(np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0)
    assert np.all(holm(p) >= benjamini_hochberg(p) - 1e-15)


def test_tests_that_were_not_made_are_no_members_of_the_family() -> None:
    p = np.array([0.01, np.nan, 0.04])
    np.testing.assert_allclose(holm(p), [0.02, np.nan, 0.04])
    np.testing.assert_allclose(benjamini_hochberg(p), [0.02, np.nan, 0.04])
    assert holm(np.array([])).shape == (0,)
