from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, t

from fer_audit.metrics import intervals
from fer_audit.metrics.accuracy import accuracy, balanced_accuracy, balanced_influence, balanced_weights
from fer_audit.metrics.membership import auc, weighted_auc
from fer_audit.metrics.paired import Area, accuracy_difference, auc_difference, balanced_difference

#: On a busy machine a single example may take long.
patient = settings(deadline=None)
worlds = st.integers(0, 10**6).map(np.random.default_rng)


def table(both: int, one: int, other: int, none: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that both models, the first alone, the second alone, and neither of them are right about."""
    counts = (both, one, other, none)
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


def newcombe(both: int, one: int, other: int, none: int) -> tuple[float, float]:
    """Method 10 of Newcombe (1998), Statistics in Medicine 17, 2635-2650: score limits, squared and added."""
    n = both + one + other + none
    p1, p2 = (both + one) / n, (both + other) / n
    (l1, u1), (l2, u2) = intervals.wilson(both + one, n), intervals.wilson(both + other, n)
    product = (both + one) * (other + none) * (both + other) * (one + none)
    excess = both * none - one * other
    excess = max(excess - n / 2, 0) if excess > 0 else excess
    phi = excess / math.sqrt(product) if product else 0.0

    def distance(a: float, b: float) -> float:
        return math.sqrt(a**2 - 2 * phi * a * b + b**2)

    return p1 - p2 - distance(p1 - l1, u2 - p2), p1 - p2 + distance(u1 - p1, p2 - l2)


def bonett_price(both: int, one: int, other: int, none: int) -> tuple[float, float]:
    """Bonett and Price (2012), British Journal of Mathematical and Statistical Psychology 65, 479-488, equation 7."""
    n = both + one + other + none + 2
    p12, p21 = (one + 1) / n, (other + 1) / n
    half = norm.ppf(0.975) * math.sqrt((p12 + p21 - (p12 - p21) ** 2) / n)
    return p12 - p21 - half, p12 - p21 + half


def test_published_limits_are_those_of_the_two_methods() -> None:
    # Airway hyper-responsiveness before and after a transplantation, Fagerland, Lydersen and Laake (2014).
    assert newcombe(1, 1, 7, 12) == pytest.approx((-0.507, -0.026), abs=1e-3)
    assert bonett_price(1, 1, 7, 12) == pytest.approx((-0.508, -0.013), abs=1e-3)


@pytest.mark.parametrize("counts", [(180, 60, 40, 120), (250, 15, 5, 130), (320, 40, 2, 38), (60, 200, 100, 40)])
def test_many_rows_have_the_limits_of_newcombe_and_of_bonett_and_price(counts: tuple[int, int, int, int]) -> None:
    found = accuracy_difference(*table(*counts))
    n, (_, one, other, _) = sum(counts), counts
    assert found.value == pytest.approx((one - other) / n)
    assert (found.low, found.high) == pytest.approx(bonett_price(*counts), abs=0.003)
    assert (found.low, found.high) == pytest.approx(newcombe(*counts), abs=0.006)
    assert found.n == n


@pytest.mark.parametrize("counts", [(40, 5, 1, 30), (180, 60, 40, 120), (300, 1, 0, 99)])
def test_the_standard_error_is_that_of_mcnemar_with_two_more_rows(counts: tuple[int, int, int, int]) -> None:
    found = accuracy_difference(*table(*counts))
    n, (_, one, other, _) = sum(counts), counts
    wald = (one + other - (one - other) ** 2 / n) / n**2  # the variance in McNemar's test, not pooled
    error = math.sqrt(n / (n - 1) * wald + 2 / n**2)
    assert found.high - found.value == pytest.approx(t.ppf(0.975, n - 1) * error)


def test_agreement_on_every_row_is_no_proof_of_equality() -> None:
    right = np.arange(400) % 3 > 0
    found = accuracy_difference(right, right)
    assert (found.value, found.low) == (0, -found.high)
    assert found.high == pytest.approx(intervals.clopper_pearson(0, 400).high)
    people = np.repeat(np.arange(40), 10)
    assert accuracy_difference(right, right, people).high == pytest.approx(intervals.clopper_pearson(0, 40).high)
    labels = np.arange(400) % 4
    by_class = balanced_difference(right, right, labels).high
    assert by_class == pytest.approx(intervals.clopper_pearson(0, 100).high / 2)  # four classes: a mean of four
    nowhere = accuracy_difference(np.ones(50, np.bool_), np.zeros(50, np.bool_))
    assert (nowhere.value, nowhere.high) == (1, 1)
    assert nowhere.low == pytest.approx(intervals.clopper_pearson(50, 50).low)


@patient
@given(worlds, st.booleans())
def test_differences_turn_their_sign_with_the_models(rng: Any, by_person: bool) -> None:
    one, other, labels = rng.random(60) < 0.7, rng.random(60) < 0.6, rng.integers(0, 3, 60)
    people = rng.integers(0, 20, 60) if by_person else None
    for forth, back in (
        (accuracy_difference(one, other, people), accuracy_difference(other, one, people)),
        (balanced_difference(one, other, labels, people), balanced_difference(other, one, labels, people)),
    ):
        assert (back.value, back.low, back.high) == pytest.approx((-forth.value, -forth.high, -forth.low), abs=1e-12)
        assert forth.low <= forth.value <= forth.high
    assert accuracy_difference(one, one, people).value == 0


@patient
@given(worlds)
def test_a_difference_is_that_of_the_two_numbers(rng: Any) -> None:
    labels, classes = rng.integers(0, 4, 50), 6  # two classes without rows
    predictions = rng.integers(0, 4, (2, 50))
    one, other = predictions == labels
    whole = [accuracy(labels, predicted).value for predicted in predictions]
    assert accuracy_difference(one, other).value == pytest.approx(whole[0] - whole[1])
    balanced = [balanced_accuracy(labels, predicted, classes).value for predicted in predictions]
    assert balanced_difference(one, other, labels).value == pytest.approx(balanced[0] - balanced[1])


@patient
@given(worlds)
def test_influences_are_what_a_little_more_of_a_row_changes(rng: Any) -> None:
    labels, correct = rng.integers(0, 3, 30), rng.random(30) < 0.6

    def balanced(weights: np.ndarray) -> float:
        recalls = [np.average(correct[labels == k], weights=weights[labels == k]) for k in np.unique(labels)]
        return float(np.mean(recalls))

    influence = balanced_influence(correct, labels)
    assert influence.sum() == pytest.approx(0)
    assert balanced_weights(labels).sum() == pytest.approx(1)
    assert balanced_weights(labels) @ correct == pytest.approx(balanced(np.ones(30)))
    for row in range(0, 30, 7):
        more = np.ones(30)
        more[row] += 1e-6
        assert (balanced(more) - balanced(np.ones(30))) / 1e-6 == pytest.approx(influence[row], abs=1e-6)


def test_with_one_class_it_is_the_clustered_difference_but_for_two_rows() -> None:
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(50), 6)
    skill = np.repeat(rng.beta(2, 2, 50), 6)
    one, other = rng.random(300) < skill, rng.random(300) < 0.8 * skill
    k1, k0, n = (np.bincount(people, hits).astype(np.int64) for hits in (one, other, np.ones(300)))
    plain, found = intervals.clustered_difference((k1, n), (k0, n)), accuracy_difference(one, other, people)
    assert found.value == pytest.approx(plain.value)
    assert 1 < (found.high - found.low) / (plain.high - plain.low) < 1.03


def models(rng: Any, rows: int, each: int, gain: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two models that find the same rows and people hard, the first of them better by `gain`, and the people."""
    people = np.repeat(np.arange(rows // each), each)
    ease = rng.normal(0, 1, rows) + np.repeat(rng.normal(0, 0.7, rows // each), each)
    return ease + rng.normal(gain, 0.7, rows) > 0, ease + rng.normal(0, 0.7, rows) > 0, people


@pytest.mark.parametrize("gain", [0.0, 0.4])
def test_paired_intervals_cover_and_are_narrower_than_unpaired(gain: float) -> None:
    rng = np.random.default_rng(3)
    one, other, _ = models(rng, 400_000, 4, gain)
    truth = one.mean() - other.mean()
    hits, narrower, seeds = np.zeros(2), 0, 400
    for _ in range(seeds):
        one, other, people = models(rng, 400, 4, gain)
        labels = rng.integers(0, 5, 400)  # of no importance, so that the balanced difference has the same truth
        pair = accuracy_difference(one, other, people), balanced_difference(one, other, labels, people)
        hits += [found.low <= truth <= found.high for found in pair]
        apart = [accuracy(np.ones(400), right, people) for right in (one, other)]
        narrower += pair[0].high - pair[0].low < 0.9 * math.hypot(*(found.high - found.low for found in apart))
    assert np.all(hits / seeds > 0.93)
    assert np.all(hits / seeds < 0.985)
    assert narrower > 0.95 * seeds


@pytest.mark.parametrize(("share", "side"), [(0.005, 1.0), (0.01, 0.75), (0.02, 1.0), (0.05, 0.5)])
def test_rare_disagreements_are_covered_too(share: float, side: float) -> None:
    rng = np.random.default_rng(4)
    draws = rng.multinomial(400, [share * side, share * (1 - side), 1 - share], size=1000)
    found = [accuracy_difference(*table(0, *draw)) for draw in draws]
    truth = share * (2 * side - 1)
    assert np.mean([one.low <= truth <= one.high for one in found]) > 0.94


def areas(scores: np.ndarray, keep: np.ndarray, people: np.ndarray) -> Area:
    return Area(
        auc(scores[keep], scores[~keep]),
        intervals.summed(intervals.auc_influence(scores, keep), np.unique(people, return_inverse=True)[1]),
    )


def scores(rng: Any, rows: int, each: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Two attacks' scores of rows that are as hard for both, membership by person, and the people."""
    people = np.repeat(np.arange(rows // each), each)
    keep = np.repeat(rng.permutation(rows // each) % 2 == 0, each)
    ease = rng.normal(0, 1, rows) + np.repeat(rng.normal(0, 0.5, rows // each), each)
    return ease + rng.normal(0, 0.5, rows) + keep, ease + rng.normal(0, 0.5, rows) + 0.5 * keep, keep, people


def test_the_difference_of_aucs_is_as_sure_as_the_bootstrap_says() -> None:
    one, other, keep, people = scores(np.random.default_rng(5), 600, 4)
    first, second = areas(one, keep, people), areas(other, keep, people)
    found = auc_difference(first, second, n=600)
    assert found.value == pytest.approx(first.value - second.value)
    low, high = intervals.bootstrap(
        lambda weights: weighted_auc(one, keep, weights) - weighted_auc(other, keep, weights), people, resamples=2000
    )
    assert found.high - found.low == pytest.approx(high - low, rel=0.08)
    wider = auc_difference(first, second, n=600, stretch=2)
    assert wider.high - wider.low == pytest.approx(2 * (found.high - found.low))
    back = auc_difference(second, first, n=600)
    assert (back.value, back.low, back.high) == pytest.approx((-found.value, -found.high, -found.low))


def test_differences_of_aucs_cover_and_are_narrower_than_unpaired() -> None:
    rng = np.random.default_rng(6)
    one, other, keep, people = scores(rng, 100_000, 4)
    truth = areas(one, keep, people).value - areas(other, keep, people).value
    hits, ratios, seeds = 0, [], 300
    for _ in range(seeds):
        one, other, keep, people = scores(rng, 300, 3)
        pair = areas(one, keep, people), areas(other, keep, people)
        found = auc_difference(*pair, n=300)
        hits += found.low <= truth <= found.high
        nothing = Area(0.0, np.zeros(100))
        widths = [2 * auc_difference(area, nothing, n=300).high - 2 * area.value for area in pair]
        ratios.append((found.high - found.low) / math.hypot(*widths))
    assert 0.925 < hits / seeds < 0.985
    assert np.mean(ratios) < 0.7


def test_the_same_scores_are_no_proof_of_equal_aucs() -> None:
    one, _, keep, people = scores(np.random.default_rng(7), 200, 4)
    area = areas(one, keep, people)
    found = auc_difference(area, area, n=200)
    assert (found.value, found.low) == (0, -found.high)
    assert found.high == pytest.approx(intervals.clopper_pearson(0, 25).high)
