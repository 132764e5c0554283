from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fer_audit.attacks import Signals, create
from fer_audit.attacks.in_out import completed, in_out
from fer_audit.attacks.target_view import TargetView

World = Callable[..., Signals]


@pytest.mark.parametrize("centre", ["mean", "median"])
def test_both_sides_are_those_of_a_loop(world: World, centre: Any) -> None:
    signals = world(0, models=6, rows=50, queries=2)
    view = TargetView(signals, 0, references=[2, 3, 4], queries=[0, 1])
    sides, phi = in_out(view, centre), signals.answers.phi[[2, 3, 4]]
    for row in range(50):
        for side, keep in (
            (sides.inside, signals.keep[[2, 3, 4], row]),
            (sides.outside, ~signals.keep[[2, 3, 4], row]),
        ):
            values = phi[keep, row]
            assert side.count[row] == len(values)
            if len(values):
                np.testing.assert_allclose(side.centre[row], getattr(np, centre)(values, axis=0))
                np.testing.assert_allclose(side.squares[row], len(values) * np.var(values, axis=0), atol=1e-12)
            else:
                assert np.isnan(side.centre[row]).all()


def test_pooled_deviations_are_those_of_the_oracle(golden_signals: Signals, expected: dict[str, Any]) -> None:
    for name, target, references in (
        ("pooled_sigma", 0, range(1, 17)),
        ("pooled_sigma_t1", 1, [0, *range(2, 17)]),
        ("pooled_sigma_r4", 0, range(1, 5)),
    ):
        view = TargetView(golden_signals, target, references=references, queries=[0, 1])
        sides, wanted = in_out(view), expected["phi_statistic"][name]
        for word, side in (("in", sides.inside), ("out", sides.outside)):
            np.testing.assert_allclose(side.pooled_deviation(unbiased=False), wanted[f"{word}_ddof0"], rtol=1e-9)
            np.testing.assert_allclose(side.pooled_deviation(unbiased=True), wanted[f"{word}_unbiased"], rtol=1e-9)


@pytest.mark.parametrize("references", [[1], [2], [2, 4]])
def test_a_side_that_is_missing_is_completed_with_the_average_gap(world: World, references: list[int]) -> None:
    signals = world(1, models=6, rows=400, leak=2.0)
    view = TargetView(signals, 0, references=references, queries=[0])
    known, sides = in_out(view), completed(in_out(view), view)
    assert len(view.notes) == 1
    gaps = (sides.inside.centre - sides.outside.centre)[~(known.inside.known & known.outside.known)]
    np.testing.assert_allclose(gaps[:, 0], gaps[0, 0])
    assert gaps[0, 0] > 0.5
    for side, other in ((sides.inside, known.inside), (sides.outside, known.outside)):
        np.testing.assert_array_equal(side.centre[other.known], other.centre[other.known])


@pytest.mark.parametrize("name", ["lira-online", "lira-offline", "calibration", "base", "empirical-bayes", "rmia"])
@pytest.mark.parametrize("references", [[2], [2, 3], [2, 3, 4]])
def test_few_references_do(world: World, name: str, references: list[int]) -> None:
    signals = world(2, models=6, rows=400, leak=3.0)
    scored, keep = create(name).scored(signals, references=references), signals.keep[0]
    assert np.isfinite(scored.scores).all()
    assert np.mean(scored.scores[keep][:, None] > scored.scores[~keep]) > 0.6
    assert scored.notes or len(references) > 1


def test_a_value_of_its_own_is_no_variance(world: World) -> None:
    signals = world(3, models=6, rows=200)
    scores = create("lira-online", variance="per-example").score(signals, references=[2, 3])
    assert np.abs(scores).max() < 1e4
