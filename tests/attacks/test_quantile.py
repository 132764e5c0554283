from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from fer_audit.attacks import Signals, create
from fer_audit.attacks.quantile import _normal_score
from fer_audit.errors import PluginError

World = Callable[..., Signals]


def test_a_value_between_its_quantiles_has_its_normal_score() -> None:
    levels = np.array([0.1, 0.5, 0.9])
    values = np.linspace(-6, 8, 50)
    quantiles = np.repeat(norm.ppf(levels, 1, 2)[:, None], 50, axis=1)
    np.testing.assert_allclose(_normal_score(values, quantiles, levels), (values - 1) / 2, atol=1e-6)


def test_quantiles_that_coincide_keep_the_order() -> None:
    values = np.linspace(-1, 1, 21)
    scores = _normal_score(values, np.zeros((3, 21)), np.array([0.1, 0.5, 0.9]))
    assert np.all(np.diff(scores) > 0)
    assert np.isfinite(scores).all()


def test_a_class_that_the_population_lacks_is_scored_too(world: World) -> None:
    signals = world(0, models=4, rows=200, leak=2.0)
    there = signals.population_labels > 0
    part = replace(
        signals,
        population_logits=signals.population_logits[:, there],
        population_labels=signals.population_labels[there],
    )
    assert np.isfinite(create("quantile").score(part)).all()


def test_members_lie_above_what_non_members_would_get(world: World) -> None:
    signals = world(1, models=6, rows=400, population=400)
    scores, keep = create("quantile").score(signals), signals.keep[0]
    assert abs(np.median(scores[~keep])) < 0.35
    scores = create("quantile").score(world(1, models=6, rows=400, population=400, leak=3.0))
    assert np.median(scores[keep]) > 0.5


@pytest.mark.parametrize("levels", [[0.5], [0.5, 0.5], [0.0, 0.5], [0.9, 0.1], [0.5, 1.0]])
def test_levels_rise_within_zero_and_one(levels: list[float]) -> None:
    with pytest.raises(PluginError, match="rising levels"):
        create("quantile", levels=levels)
