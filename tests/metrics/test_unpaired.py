import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.metrics.intervals import rate
from fer_audit.metrics.unpaired import unpaired_difference
from fer_audit.results import Estimate


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_shares_are_newcombes_method_10(one, other, low, high):
    """Newcombe (1998), Table II."""
    found = unpaired_difference(rate(*one), rate(*other))
    assert found.value == pytest.approx(one[0] / one[1] - other[0] / other[1])
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert found.n == one[1] + other[1]


def test_symmetric_intervals_add_their_squares():
    one, other = (Estimate(value=v, low=v - h, high=v + h) for v, h in ((0.8, 0.03), (0.5, 0.04)))
    found = unpaired_difference(one, other)
    assert (found.value, found.low, found.high) == pytest.approx((0.3, 0.25, 0.35))


shares = st.integers(1, 300).flatmap(lambda n: st.integers(0, n).map(lambda k: rate(k, n)))


@given(shares, shares)
def test_turning_round_turns_the_sign(one, other):
    there, back = unpaired_difference(one, other), unpaired_difference(other, one)
    assert (back.value, back.low, back.high) == pytest.approx((-there.value, -there.high, -there.low))


@given(shares, shares)
def test_limits_lie_between_one_interval_and_both_laid_end_to_end(one, other):
    found = unpaired_difference(one, other)
    assert -1 <= one.low - other.high <= found.low + 1e-12
    assert found.high - 1e-12 <= one.high - other.low <= 1
    assert found.low <= found.value <= found.high
    assert found.high - found.value >= max(one.high - one.value, other.value - other.low) - 1e-12


@given(shares)
def test_equal_estimates_do_not_differ(one):
    found = unpaired_difference(one, one)
    assert found.value == 0
    assert found.low <= 0 <= found.high
    assert found.high == pytest.approx(math.hypot(one.high - one.value, one.value - one.low))


def test_what_is_not_known_has_no_difference():
    known = rate(3, 10)
    lost = Estimate(value=None, note="not resolvable (needs at least 100)")
    assert unpaired_difference(known, lost).value is None
    assert unpaired_difference(lost, known).note == lost.note


@pytest.mark.parametrize("odd", [Estimate(value=0.5), Estimate(value=0.5, low=0.4, high=0.6, confidence=0.9)])
def test_without_like_intervals_there_is_none(odd):
    found = unpaired_difference(rate(3, 10), odd)
    assert found.value == pytest.approx(-0.2)
    assert found.low is found.high is None
    assert found.note.startswith("no interval")
