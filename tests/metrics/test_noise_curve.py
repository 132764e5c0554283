"""Accuracy against the rate of corrupted labels."""

import numpy as np
import pytest

from fer_audit.metrics.accuracy import balanced_accuracy
from fer_audit.metrics.noise_curve import NoiseCurveData


def data(correct, labels=None, rates=None, clusters=None, balanced=False):
    correct = np.asarray(correct, bool)
    labels = np.zeros(correct.shape[2], np.int64) if labels is None else labels
    rates = np.linspace(0, 0.4, len(correct)) if rates is None else np.array(rates)
    return NoiseCurveData(correct, labels, rates, clusters, balanced)


def test_area_is_the_mean_over_the_rates():
    flat = data(np.arange(100)[None, None] < np.array([80, 60, 40])[:, None, None], rates=[0, 0.1, 0.4])
    # trapezia: (0.8 + 0.6) / 2 * 0.1 + (0.6 + 0.4) / 2 * 0.3 over 0.4
    assert flat.area().value == pytest.approx((0.07 + 0.15) / 0.4)
    assert flat.at(1).value == pytest.approx(0.6)
    assert flat.drop(2).value == pytest.approx(0.4)


def test_falls_are_paired_by_row():
    rng = np.random.default_rng(0)
    clean = rng.random(400) < 0.6
    noisy = clean & (np.arange(400) >= 8)
    paired = data(np.stack([clean, noisy])[:, None])
    apart = data(np.stack([clean, rng.permutation(noisy)])[:, None])
    assert paired.drop(1).value == pytest.approx(apart.drop(1).value)
    width = [found.high - found.low for found in (paired.drop(1), apart.drop(1))]
    assert width[0] < width[1] / 2


def test_balanced_accuracy_is_the_mean_of_the_recalls():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 90)
    predicted = np.where(rng.random(90) < 0.7, labels, (labels + 1) % 3)
    found = data((predicted == labels)[None, None], labels, rates=[0.0], balanced=True)
    assert found.at(0).value == pytest.approx(balanced_accuracy(labels, predicted, 3).value)


def test_a_single_seed_says_that_the_spread_over_trainings_is_missing():
    found = data(np.random.default_rng(2).random((2, 1, 200)) < 0.5).at(0)
    assert "one seed" in found.method
    assert found.low < found.value < found.high


def test_seeds_that_differ_widen_the_interval():
    rows = np.arange(200)
    alike = data(np.stack([rows < 100] * 3)[None], rates=[0.0]).at(0)
    differ = data(np.stack([rows < 60, rows < 100, rows < 140])[None], rates=[0.0]).at(0)
    assert alike.value == pytest.approx(differ.value)
    assert differ.high - differ.low > 3 * (alike.high - alike.low)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """Seeds and rows both vary: 0.6 plus a seed's own shift; 95 % nominal, Monte-Carlo error 3 standard errors."""
    rng, hits, runs = np.random.default_rng(3), 0, 200
    for _ in range(runs):
        shifts = rng.normal(0, 0.05, 4)
        correct = rng.random((1, 4, 150)) < (0.6 + shifts)[None, :, None]
        found = data(correct, rates=[0.0]).at(0)
        hits += found.low <= 0.6 <= found.high
    assert hits / runs > 0.95 - 3 * np.sqrt(0.95 * 0.05 / runs)


def test_people_are_resampled_whole():
    people = np.repeat(np.arange(20), 10)
    correct = np.repeat(np.random.default_rng(4).random(20) < 0.5, 10)[None, None]
    by_row, by_person = data(correct, rates=[0.0]).at(0), data(correct, rates=[0.0], clusters=people).at(0)
    assert by_person.high - by_person.low > 2 * (by_row.high - by_row.low)


def test_limits_stay_where_accuracies_can_be():
    two = np.stack([np.arange(20) < 19, np.arange(20) < 11])
    found = data(np.stack([two, ~two]))
    for one in (found.at(0), found.at(1), found.area()):
        assert 0 <= one.low <= one.value <= one.high <= 1
    assert -1 <= found.drop(1).low <= found.drop(1).high <= 1


def test_a_test_split_of_one_person_has_no_interval():
    found = data(np.ones((1, 1, 6)), rates=[0.0], clusters=np.zeros(6)).at(0)
    assert (found.value, found.low, found.high) == (1.0, None, None)
    assert "one person" in found.note


def test_no_noise_at_all_has_no_area():
    assert data(np.ones((2, 1, 5)), rates=[0.0, 0.0]).area().value is None
