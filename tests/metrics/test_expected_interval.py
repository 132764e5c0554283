"""How wide an interval is expected to be. `tests/cli/test_auc_so_far.py` says how far off that is."""

import itertools
import math

import numpy as np
import pytest
from scipy.special import stdtrit

from fer_audit.metrics.expected_interval import (
    AucVariance,
    assumed_auc_variance,
    measured_auc_variance,
    pair_influence,
)
from fer_audit.metrics.intervals import auc_influence, linearised_variance
from fer_audit.metrics.membership import auc


def test_four_times_the_targets_halve_the_interval_where_nothing_is_shared():
    variance = AucVariance(shared=0.0, own=0.01, clusters=100)
    assert variance.half_width(24) == pytest.approx(variance.half_width(6) / 2)
    assert variance.targets_for(variance.half_width(6) / 2) == 24
    assert variance.floor() == 0


def test_what_pairs_share_stays_however_many_there_are():
    variance = AucVariance(shared=0.01, own=0.01, clusters=100)
    assert variance.half_width(10**9) == pytest.approx(variance.floor())
    assert variance.floor() == pytest.approx(stdtrit(99, 0.975) * 0.1)
    assert variance.targets_for(variance.floor()) is None
    assert variance.targets_for(variance.floor() / 2) is None


@pytest.mark.parametrize(("shared", "own"), itertools.product([0, 1e-6, 1e-4], [1e-5, 1e-3]))
def test_so_many_targets_are_the_fewest_that_are_enough(shared, own):
    variance = AucVariance(shared, own, 50, stretch=math.sqrt(2))
    for wanted in np.linspace(1.01 * variance.floor() + 1e-4, variance.half_width(2), 7):
        targets = variance.targets_for(wanted)
        assert targets % 2 == 0
        assert variance.half_width(targets) <= wanted * (1 + 1e-9)
        assert targets == 2 or variance.half_width(targets - 2) > wanted


def test_the_assumed_variance_of_two_targets_is_that_of_the_mann_whitney_test():
    # All ways to draw half of 8 rows as members: the exact distribution of the AUC of a score that knows nothing.
    scores, rows = np.arange(8.0), set(range(8))
    areas = [auc(scores[list(m)], scores[list(rows - set(m))]) for m in itertools.combinations(range(8), 4)]
    assumed = assumed_auc_variance(8)
    assert assumed.shared == 0
    assert 2 * assumed.own == pytest.approx(np.var(areas))


def test_references_of_one_another_double_the_variance():
    apart, related = assumed_auc_variance(64), assumed_auc_variance(64, learns=True, stretch=math.sqrt(2))
    assert related.half_width(6) == pytest.approx(2 * apart.half_width(6))


def drawn(rng, pairs=4, clusters=30, each=3):
    groups = np.repeat(np.arange(clusters), each)
    halves = np.stack([rng.permutation(clusters) < clusters // 2 for _ in range(pairs)])[:, groups]
    keep = np.stack((halves, ~halves), axis=1).reshape(2 * pairs, -1)
    return keep, groups


def test_at_the_number_of_targets_that_was_measured_the_variance_is_that_of_the_mean_auc():
    rng = np.random.default_rng(0)
    keep, groups = drawn(rng)
    scores = rng.normal(0, 1, keep.shape) + keep * rng.gamma(1, 1, 30)[groups]
    influence = np.mean([auc_influence(*model) for model in zip(scores, keep, strict=True)], axis=0)
    whole = linearised_variance(np.bincount(groups, influence))
    for alike in (None, -1.0, 0.0, whole / 3, 1.0):
        found = measured_auc_variance(pair_influence(scores, keep, groups), alike)
        assert found.shared + found.own / 4 == pytest.approx(whole)
        assert found.shared >= 0
        assert found.own >= 0
        assert found.clusters == 30


def test_how_hard_a_row_is_to_all_models_counts_for_and_against():
    rng = np.random.default_rng(1)
    keep, groups = drawn(rng)
    scores = np.tile(rng.normal(0, 1, 90), (8, 1))
    np.testing.assert_allclose(pair_influence(scores, keep, groups), 0, atol=1e-12)


def test_pairs_that_say_the_same_share_all_and_those_that_say_other_things_nothing():
    one = np.array([[1.0, -1.0, 0.5, -0.5]])
    same = measured_auc_variance(np.repeat(one, 3, axis=0))
    assert same.own == pytest.approx(0)
    assert same.shared == pytest.approx(4 / 3 * 2.5)
    other = measured_auc_variance(np.array([[1.0, -1.0, 0, 0], [0, 0, 1.0, -1.0]]))
    assert other.shared == 0
    assert other.own == pytest.approx(4 / 3 * 2)
