from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom

from fer_audit.attacks import Signals, audit, create
from fer_audit.attacks.mean_roc import mean_roc
from fer_audit.metrics.intervals import clopper_pearson, percentile_interval, resampled_weights
from fer_audit.metrics.membership import roc, weighted_tpr_at_fpr
from fer_audit.results import AttackResult, Roc

World = Callable[..., Signals]


def only(signals: Signals, name: str = "loss-threshold", **options: object) -> AttackResult:
    return audit(signals, [create(name)], **{"resamples": 100, **options})[0]


def test_the_roc_of_one_target_has_realisable_points_only() -> None:
    rng = np.random.default_rng(0)
    curve = roc(np.round(rng.normal(1, 1, 5000), 2), np.round(rng.normal(0, 1, 4000), 2))
    thinned = mean_roc([curve])
    points = set(zip(curve.fpr, curve.tpr, strict=True))
    assert set(zip(thinned.fpr, thinned.tpr, strict=True)) <= points
    assert len(thinned.fpr) <= 200
    assert (thinned.fpr[0], thinned.tpr[0]) == (0, 0)
    assert (thinned.fpr[-1], thinned.tpr[-1]) == (1, 1)
    assert sum(fpr < 0.01 for fpr in thinned.fpr) >= 10


def test_a_point_is_the_mean_over_targets_at_its_nominal_fpr() -> None:
    rng = np.random.default_rng(1)
    curves = [roc(np.round(rng.normal(0.5, 1, n), 1), np.round(rng.normal(0, 1, 90 - n), 1)) for n in (30, 45, 60)]
    found = mean_roc(curves)
    for nominal, fpr, tpr in list(zip(found.nominal, found.fpr, found.tpr, strict=True))[1:]:
        at = [curve.at_fpr(nominal) for curve in curves]
        assert fpr == pytest.approx(np.mean([curve.fpr[k] for curve, k in zip(curves, at, strict=True)]))
        assert tpr == pytest.approx(np.mean([curve.tpr[k] for curve, k in zip(curves, at, strict=True)]))
        assert fpr <= nominal
    assert np.all(np.diff(found.nominal[1:]) > 0)
    assert np.all((np.diff(found.fpr) > 0) | (np.diff(found.tpr) > 0))


def test_the_roc_of_several_targets_rises(world: World) -> None:
    result = only(world(3, leak=1.0, models=4))
    assert result.roc.fpr == sorted(result.roc.fpr)
    assert result.roc.tpr == sorted(result.roc.tpr)
    assert len(result.roc.fpr) <= 200
    area = np.sum(np.diff(result.roc.fpr) * (np.array(result.roc.tpr[1:]) + result.roc.tpr[:-1]) / 2)
    assert area == pytest.approx(result.auc.value, abs=0.01)


@pytest.mark.parametrize("name", ["loss-threshold", "shadow-mia"])
def test_the_band_holds_the_curve_and_starts_and_ends_with_it(name: str, world: World) -> None:
    found = only(world(3, leak=1.0, models=4), name, confidence=0.9)
    low, tpr, high = np.array([found.roc.low, found.roc.tpr, found.roc.high])
    assert low.shape == tpr.shape == high.shape
    assert np.all((low >= 0) & (low <= tpr) & (tpr <= high) & (high <= 1))
    assert (low[0], high[0], low[-1], high[-1]) == (0, 0, 1, 1)
    inside = (np.array(found.roc.fpr) > 0.1) & (np.array(found.roc.fpr) < 0.9)
    assert np.all((low < tpr)[inside] & (tpr < high)[inside])
    assert found.roc.confidence == 0.9
    assert found.roc.method.startswith("pointwise bootstrap over subjects, 100 resamples")
    assert "one false positive less" in found.roc.method
    assert ("sqrt(2)" in found.roc.method) == (name == "shadow-mia")


def test_the_upper_edge_is_that_of_the_tpr_at_its_fpr(world: World) -> None:
    for name in ("loss-threshold", "shadow-mia"):
        found = only(world(4, leak=2.0, models=4, rows=200), name)
        # With 100 non-members a target the lowest FPR that any target can have is 1 %.
        place, alone = found.roc.fpr.index(0.01), found.tpr_at_fpr["0.01"]
        assert found.roc.tpr[place] == alone.value
        assert found.roc.high[place] == pytest.approx(alone.high, abs=1e-6)
        assert found.roc.low[place] == 0  # nothing is known of a threshold above all non-members


def test_the_lower_edge_is_of_one_false_positive_less() -> None:
    rng = np.random.default_rng(2)
    scores, keep = rng.normal(0, 1, 100), np.arange(100) < 60
    curve = mean_roc([roc(scores[keep], scores[~keep])])
    np.testing.assert_allclose(curve.stricter, np.maximum(0, curve.nominal - 1 / 40), atol=1e-12)
    (weights,) = resampled_weights(np.arange(100), 300, seed=0)
    strict, nominal = (weighted_tpr_at_fpr(scores, keep, weights, fprs) for fprs in (curve.stricter, curve.nominal))
    low, high = curve.band(strict, nominal, 100, 0.95)
    for place in np.flatnonzero((curve.nominal > 2.5 / 40) & (curve.nominal < 0.9)):
        fewer = weighted_tpr_at_fpr(scores, keep, weights, [curve.nominal[place] - 1 / 40 + 1e-12])[:, 0]
        same = weighted_tpr_at_fpr(scores, keep, weights, [curve.nominal[place]])[:, 0]
        assert low[place] == min(curve.tpr[place], percentile_interval(fewer, 100, 0.95).low)
        assert high[place] == max(curve.tpr[place], percentile_interval(same, 100, 0.95).high)


def test_where_every_member_is_found_the_band_is_exact(world: World) -> None:
    signals = world(5, models=4, rows=200, leak=60.0)
    found = only(signals).roc
    place = found.tpr.index(1.0)
    assert found.fpr[place] < 1
    assert found.high[place] == 1
    assert found.low[place] == pytest.approx(clopper_pearson(20, 20).low, abs=1e-6)  # 40 people, in pairs


def at(found: Roc, fpr: float) -> int:
    return int(np.argmin(np.abs(np.array(found.fpr) - fpr)))


@pytest.mark.parametrize("leak", [0.0, 1.5])
def test_the_band_covers_at_its_rate(leak: float, world: World) -> None:
    # A world that is large enough knows the truth.
    truth = only(world(99, models=4, rows=20_000, leak=leak), targets=[0, 2], resamples=2).roc
    seeds, fprs = 60, (0.01, 0.1, 0.3, 0.6)
    missed = dict.fromkeys(fprs, 0)
    for seed in range(seeds):
        found = only(world(2000 + seed, models=4, rows=200, leak=leak), resamples=200).roc
        for fpr in fprs:
            place = at(found, fpr)
            expected = np.interp(found.fpr[place], truth.fpr, truth.tpr)
            missed[fpr] += not found.low[place] <= expected <= found.high[place]
    assert max(missed.values()) <= binom.ppf(0.999, seeds, 0.05)
    assert sum(missed.values()) > 0  # an interval that always covers would say nothing
