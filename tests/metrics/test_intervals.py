from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.metrics import intervals


def test_limits_of_shares_are_the_golden_ones(expected: dict[str, Any]) -> None:
    for row in expected["dp_statistics"]["binomial_ci_table"]:
        case = row["k"], row["n"], row["confidence"]
        assert intervals.clopper_pearson(*case) == pytest.approx(row["scipy_exact"], abs=1e-9)
        assert intervals.wilson(*case) == pytest.approx(row["scipy_wilson"], abs=1e-9)


def test_variances_of_the_auc_are_the_golden_ones(golden: Path, expected: dict[str, Any]) -> None:
    with np.load(golden / "world.npz") as world, np.load(golden / "scores.npz") as scores:
        members, subjects = world["keep"][0], world["subjects"]
        for row in expected["auc_variance"]:
            pair = scores[row["score"]][members], scores[row["score"]][~members]
            persons = subjects[members], subjects[~members]
            exact = row["delong_variance_exact_fraction_to_float"]
            assert intervals.auc_variance(*pair) == pytest.approx(exact, rel=1e-12)
            clustered = row["obuchowski_cluster_variance_by_subject"]
            assert intervals.auc_variance(*pair, *persons) == pytest.approx(clustered, rel=1e-12)
            estimate = intervals.auc_interval(*pair)
            assert (estimate.low, estimate.high) == pytest.approx(row["delong_ci95"], abs=1e-12)


def test_the_clustered_bootstrap_is_as_wide_as_the_clustered_variance(golden: Path, expected: dict[str, Any]) -> None:
    with np.load(golden / "world.npz") as world, np.load(golden / "scores.npz") as scores:
        members, subjects = world["keep"][0], world["subjects"]
        for row in expected["auc_variance"][:2]:
            score = scores[row["score"]]
            estimate = intervals.auc_interval(
                score[members],
                score[~members],
                member_subjects=subjects[members],
                nonmember_subjects=subjects[~members],
            )
            width = 2 * 1.96 * np.sqrt(row["obuchowski_cluster_variance_by_subject"])
            assert estimate.high - estimate.low == pytest.approx(width, rel=0.1)


def test_a_subject_with_rows_of_both_kinds_counts_once() -> None:
    rng = np.random.default_rng(0)
    subjects = np.repeat(np.arange(30), 4)
    difficulty = np.repeat(rng.normal(0, 3, 30), 4)
    keep = np.tile([True, True, False, False], 30)
    scores = difficulty + rng.normal(0, 1, 120)
    apart = intervals.auc_variance(scores[keep], scores[~keep])
    together = intervals.auc_variance(scores[keep], scores[~keep], subjects[keep], subjects[~keep])
    assert together < apart / 3


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("method", ["delong", "bootstrap"])
def test_perfect_separation_is_not_certain(value: float, method: Any) -> None:
    members = np.arange(10) + (100.0 if value else -100.0)
    estimate = intervals.auc_interval(members, np.arange(20.0), method=method, resamples=50)
    assert estimate.value == value
    assert estimate.high - estimate.low == pytest.approx(1 - 0.025 ** (1 / 10))


def test_one_subject_tells_nothing() -> None:
    estimate = intervals.auc_interval(
        np.array([1.0, 2.0]), np.array([0.0, 3.0]), member_subjects=np.zeros(2), nonmember_subjects=np.zeros(2)
    )
    assert (estimate.low, estimate.high) == (0, 1)


def test_shares_of_clusters_are_wider_than_of_rows() -> None:
    k, n = np.array([4, 0, 4, 0, 4, 0, 4, 4, 0, 0]), np.full(10, 4)
    clustered, rows = intervals.clustered_rate(k, n), intervals.clopper_pearson(20, 40)
    assert clustered.value == 0.5
    assert clustered.low < intervals.clopper_pearson(5, 10).low < rows.low
    assert clustered.high > rows.high
    alone = intervals.clustered_rate(np.array([1] * 20 + [0] * 20), np.ones(40, np.int64))
    assert (alone.low, alone.high) == pytest.approx(rows, abs=0.01)


@pytest.mark.parametrize(("k", "value"), [(0, 0.0), (4, 1.0)])
def test_all_or_nothing_counts_clusters(k: int, value: float) -> None:
    estimate = intervals.clustered_rate(np.full(10, k), np.full(10, 4))
    assert estimate.value == value
    assert estimate.high - estimate.low == pytest.approx(1 - 0.025 ** (1 / 10))


def test_no_rows_have_no_share() -> None:
    for estimate in (intervals.rate(0, 0), intervals.clustered_rate(np.zeros(3, np.int64), np.zeros(3, np.int64))):
        assert estimate.value is None
        assert estimate.note == "no rows"
    assert intervals.wilson(0, 0) == intervals.clopper_pearson(0, 0) == (0, 1)


def test_clustered_shares_cover_at_their_rate() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        rates = rng.beta(1, 4, 40)
        n = rng.integers(1, 10, 40)
        estimate = intervals.clustered_rate(rng.binomial(n, rates), n)
        hits += estimate.low <= 0.2 <= estimate.high
    assert hits / 400 > 0.93


def test_differences_use_what_clusters_share() -> None:
    rng = np.random.default_rng(0)
    rates, n = rng.beta(0.5, 0.5, 60), np.full(60, 20)
    k1, k0 = rng.binomial(n, rates), rng.binomial(n, rates)
    paired = intervals.clustered_difference((k1, n), (k0, n))
    one, other = intervals.clustered_rate(k1, n), intervals.clustered_rate(k0, n)
    assert paired.low < 0 < paired.high
    assert paired.high - paired.low < 0.5 * (one.high - other.low)


def test_a_difference_without_variation_keeps_the_limits_of_its_parts() -> None:
    n = np.full(10, 2)
    estimate = intervals.clustered_difference((n, n), (n, n))
    assert estimate.value == 0
    assert estimate.low == -estimate.high
    assert estimate.high > 0.2


def test_bootstrap_of_a_mean_is_as_wide_as_its_standard_error() -> None:
    rng = np.random.default_rng(0)
    values, rows = rng.normal(3, 2, 200), np.arange(200)
    low, high = intervals.bootstrap(lambda w: w @ values / w.sum(axis=1), rows, resamples=2000)
    error = np.std(values, ddof=1) / np.sqrt(200)
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=0.2 * error)
    assert high - low == pytest.approx(2 * 1.97 * error, rel=0.08)
    copies = np.repeat(values, 5)
    clustered = intervals.bootstrap(lambda w: w @ copies / w.sum(axis=1), np.repeat(rows, 5), resamples=2000)
    assert clustered == pytest.approx((low, high))


def test_resamples_draw_whole_clusters_and_follow_their_seed() -> None:
    clusters = np.array(["b", "a", "b", "c"])
    weights = np.concatenate(list(intervals.resampled_weights(clusters, 500, seed=1)))
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    np.testing.assert_array_equal(weights[:, [0, 1, 3]].sum(axis=1), 3)
    np.testing.assert_array_equal(weights, np.concatenate(list(intervals.resampled_weights(clusters, 500, seed=1))))
    assert np.any(weights != np.concatenate(list(intervals.resampled_weights(clusters, 500, seed=2))))


@given(st.integers(1, 200), st.data())
def test_limits_enclose_the_share_and_mirror(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    for limits in (intervals.clopper_pearson, intervals.wilson):
        low, high = limits(k, n)
        assert 0 <= low <= k / n <= high <= 1
        assert limits(n - k, n) == pytest.approx((1 - high, 1 - low), abs=1e-9)
        wider = limits(k, n, 0.99)
        assert wider.low <= low
        assert wider.high >= high


def test_a_band_is_the_interval_of_each_statistic() -> None:
    values = np.random.default_rng(0).normal(size=(200, 3))
    low, high = intervals.percentile_band(values, 20, 0.9)
    for column in range(3):
        assert (low[column], high[column]) == intervals.percentile_interval(values[:, column], 20, 0.9)
    undefined = np.concatenate((values, np.full((5, 3), np.nan)))
    np.testing.assert_array_equal(intervals.percentile_band(undefined, 20, 0.9), (low, high))
    low, high = intervals.percentile_band(values, 1, 0.9)
    assert np.all(np.isinf(low) & np.isinf(high))
