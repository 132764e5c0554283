"""Positive control: a world whose best possible test is known in closed form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from fer_audit.attacks import Signals, create
from fer_audit.metrics.intervals import auc_variance
from fer_audit.metrics.membership import auc

ROWS, MODELS, LEAK, NOISE = 6000, 130, 1.0, 0.8


@pytest.fixture(scope="module")
def gaussian() -> Signals:
    """With two classes phi is z_y - z_other, here N(mu_i + LEAK keep, NOISE^2): the best test compares phi - mu_i."""
    rng = np.random.default_rng(0)
    halves = rng.random((MODELS // 2, ROWS)) < 0.5
    keep = np.concatenate((halves, ~halves))
    labels = rng.integers(0, 2, ROWS + 400)
    margin = rng.normal(-1, 1, ROWS + 400) + rng.normal(0, NOISE, (MODELS, ROWS + 400))
    margin[:, :ROWS] += LEAK * keep
    logits = np.zeros((MODELS, ROWS + 400, 1, 2))
    logits[:, np.arange(ROWS + 400), 0, labels] = margin
    return Signals(logits[:, :ROWS], keep, labels[:ROWS], None, logits[:, ROWS:], labels[ROWS:])


@pytest.mark.parametrize(
    ("name", "params", "slack"),
    [
        ("lira-online", {}, 0.0),
        ("lira-online", {"variance": "pooled-unbiased"}, 0.0),
        ("lira-offline", {}, 0.0),
        ("calibration", {}, 0.0),
        ("empirical-bayes", {}, 0.0),
        # Ratios of probabilities order rows of different difficulty a little differently than the best test.
        ("rmia", {}, 0.006),
        ("base", {}, 0.006),
    ],
)
def test_the_bayes_auc_is_reached(gaussian: Signals, name: str, params: dict[str, Any], slack: float) -> None:
    scores, keep = create(name, **params).score(gaussian), gaussian.keep[0]
    bayes = norm.cdf(LEAK / NOISE / math.sqrt(2))
    error = math.sqrt(auc_variance(scores[keep], scores[~keep]))
    assert bayes - 3 * error - slack < auc(scores[keep], scores[~keep]) < bayes + 3 * error
