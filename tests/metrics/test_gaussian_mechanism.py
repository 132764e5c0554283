"""One Gaussian mechanism in closed form."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from fer_audit.metrics.gaussian_mechanism import gaussian_delta, gaussian_epsilon


@pytest.mark.parametrize("shift", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("epsilon", [0.0, 0.5, 4.0])
def test_delta_is_what_no_test_can_gain(epsilon: float, shift: float) -> None:
    def gain(outcome: float) -> float:
        return float(norm.pdf(outcome - shift) - math.exp(epsilon) * norm.pdf(outcome))

    edge = epsilon / shift + shift / 2  # from here on the neighbour is exp(epsilon) times as likely
    expected = quad(gain, edge, edge + 12, epsabs=1e-13)[0]
    assert gaussian_delta(epsilon, shift) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_delta_is_that_of_the_analytic_gaussian_mechanism() -> None:
    # Balle and Wang (2018), theorem 8, as it stands there with sensitivity 1 and sigma = 1 / shift.
    for shift in (0.3, 1.0, 2.5):
        for epsilon in (0.1, 1.0, 3.0):
            expected = norm.cdf(shift / 2 - epsilon / shift) - math.exp(epsilon) * norm.cdf(
                -shift / 2 - epsilon / shift
            )
            assert gaussian_delta(epsilon, shift) == pytest.approx(expected, rel=1e-9)


@given(st.floats(1e-3, 1e3), st.floats(-10, -1))
def test_epsilon_is_the_inverse_of_delta(shift: float, exponent: float) -> None:
    delta = 10**exponent
    epsilon = gaussian_epsilon(delta, shift)
    assert epsilon >= 0
    if epsilon > 0:
        assert gaussian_delta(epsilon, shift) == pytest.approx(delta, rel=1e-4)
    else:
        assert gaussian_delta(0.0, shift) <= delta


def test_without_epsilon_delta_is_the_total_variation_distance() -> None:
    assert gaussian_delta(0.0, 2.0) == pytest.approx(norm.cdf(1) - norm.cdf(-1))
    assert gaussian_delta(1e6, 1.0) == 0
