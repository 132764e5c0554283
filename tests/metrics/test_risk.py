from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fer_audit.errors import SignalsError
from fer_audit.metrics.risk import risk_score

VALUES = arrays.arrays(np.float64, st.integers(1, 12), elements=st.integers(-5, 5).map(float))


def test_with_the_target_as_its_own_reference_it_is_the_golden_one(golden: Path) -> None:
    with np.load(golden / "scores.npz") as file, np.load(golden / "world.npz") as world:
        loss, wanted, keep = -file["tfp_loss"], file["tfp_membership_probability"], world["keep"][0]
    edges = np.geomspace(loss.min(), loss.max(), 15 + 1)  # the oracle's default: 15 bins, equally wide in log loss
    found = risk_score(loss[keep], loss[~keep], loss, edges)
    # The oracle's outermost bins lose the largest loss, and count the smallest one, which rounding puts below the first
    # edge, in the last bin.
    inner = (loss >= edges[1]) & (loss < edges[-2])
    assert np.count_nonzero(~inner) == 44
    np.testing.assert_allclose(found[inner], wanted[inner], rtol=0, atol=1e-12)


@given(VALUES, VALUES, VALUES, st.lists(st.integers(-6, 6), min_size=2, max_size=6, unique=True).map(sorted))
def test_it_is_the_share_of_members_in_the_same_bin(
    members: np.ndarray, others: np.ndarray, scores: np.ndarray, edges: list[int]
) -> None:
    def place(value: float) -> int:
        return sum(value >= edge for edge in edges[1:-1])

    for score, found in zip(scores, risk_score(members, others, scores, edges), strict=True):
        inside = np.mean([place(value) == place(score) for value in members])
        outside = np.mean([place(value) == place(score) for value in others])
        assert found == pytest.approx(inside / (inside + outside) if inside + outside else 0.5)


def test_scores_beyond_the_edges_and_infinite_ones_are_in_the_outermost_bins() -> None:
    found = risk_score(np.array([5.0, 6.0]), np.array([-5.0]), np.array([-np.inf, -9, 0.5, 9, np.inf]), [-1, 0, 1, 2])
    np.testing.assert_array_equal(found, [0, 0, 0.5, 1, 1])


@pytest.mark.parametrize(
    ("members", "scores", "bins", "message"),
    [
        ([1.0], [1.0], [0.0, 0.0], "rising edges"),
        ([1.0], [1.0], [0.0], "rising edges"),
        ([], [1.0], [0.0, 1.0], "received none"),
        ([1.0], [np.nan], [0.0, 1.0], "NaN; received 1 of 1"),
    ],
)
def test_what_has_no_risk_is_refused(members: Any, scores: Any, bins: Any, message: str) -> None:
    with pytest.raises(SignalsError, match=message):
        risk_score(np.array(members), np.array([0.0]), np.array(scores), bins)
