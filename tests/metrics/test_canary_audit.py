"""The audit of one run, on coins that are told truly with a known chance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from fer_audit.errors import SignalsError
from fer_audit.metrics.canary_audit import one_run_audit, rungs
from fer_audit.metrics.epsilon import one_run, one_run_cap

DELTA = 1e-5


def told(rng: np.random.Generator, epsilon: float, canaries: int) -> tuple[np.ndarray, np.ndarray]:
    """Coins, and what randomised response tells of each: +1 or -1, true with chance exp(eps) / (1 + exp(eps))."""
    coins = rng.random(canaries) < 0.5
    truth = rng.random(canaries) < 1 / (1 + math.exp(-epsilon))
    return coins, np.where(coins == truth, 1.0, -1.0)


def test_as_many_guesses_are_tried_as_the_number_of_canaries_says() -> None:
    assert rungs(256) == [256, 128, 64, 32, 16, 8]
    assert rungs(255) == [254, 126, 62, 30, 14]
    assert rungs(10) == [10]
    with pytest.raises(SignalsError, match="needs 8 canaries or more, received 7"):
        rungs(7)


@pytest.mark.parametrize("canaries", [10, 255, 400])
def test_all_right_is_the_cap(canaries: int) -> None:
    coins = np.arange(canaries) % 2 == 0
    found = one_run_audit(coins * 1.0, coins, delta=DELTA)
    guesses = canaries // 2 * 2
    assert found.lower_bound == found.cap == one_run_cap(guesses, canaries, DELTA, 1 - 0.05 / len(rungs(canaries)))
    assert (found.guessed, found.correct) == (guesses, guesses)
    assert (found.auc.value, found.auc.high) == (1.0, 1.0)


def test_the_highest_are_guessed_in_the_lowest_out_and_the_rest_not_at_all() -> None:
    coins = np.random.default_rng(0).random(64) < 0.5
    scores = np.random.default_rng(1).normal(size=64)
    order = np.argsort(scores)
    scores[order[:8]], scores[order[-8:]] = -9, 9
    coins[order[:8]], coins[order[-8:]] = False, True
    found = one_run_audit(scores, coins, delta=0.0)
    by_hand = []
    for number in (64, 32, 16, 8):
        low, high = order[: number // 2], order[-number // 2 :]
        correct = np.count_nonzero(~coins[low]) + np.count_nonzero(coins[high])
        by_hand.append((one_run(number, correct, 64, 0.0, 1 - 0.05 / 4), number, correct))
    assert (found.lower_bound, found.guessed, found.correct) == max(by_hand)
    assert found.guessed == 16
    assert set(np.flatnonzero(found.guesses == 1)) == set(order[-8:])
    assert set(np.flatnonzero(found.guesses == -1)) == set(order[:8])


@pytest.mark.parametrize("fine", [False, True])
@pytest.mark.parametrize("epsilon", [0.0, 1.0])
def test_a_bound_stays_below_a_known_epsilon(epsilon: float, fine: bool) -> None:
    seeds, alarms = 150, 0
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 1])
        coins, scores = told(rng, epsilon, 100)
        scores = scores + fine * rng.normal(0, 0.1, 100)  # without it scores tie at every cut
        alarms += one_run_audit(scores, coins, delta=0.0).lower_bound > epsilon
    assert alarms <= binom.ppf(0.999, seeds, 0.05)


def test_a_bound_comes_near_a_known_epsilon() -> None:
    # With 4,000 canaries the share of right guesses has a standard error of 0.7 %, and the shares of rungs cost little.
    coins, scores = told(np.random.default_rng(0), 1.0, 4000)
    assert 0.8 < one_run_audit(scores, coins, delta=0.0).lower_bound < 1.0


def test_equal_scores_are_guessed_without_a_look_at_the_coins() -> None:
    seeds, alarms, guesses = 200, 0, set()
    for seed in range(seeds):
        coins = np.random.default_rng(seed).random(32) < 0.5
        found = one_run_audit(np.zeros(32), coins, delta=0.0)
        alarms += found.lower_bound > 0
        guesses.add((found.guessed, found.guesses.tobytes()))
    assert len(guesses) == len({number for number, _ in guesses})  # of each rung always the same
    assert alarms <= binom.ppf(0.999, seeds, 0.05)


worlds = st.integers(8, 60).flatmap(
    lambda m: st.tuples(
        st.lists(st.integers(-5, 5), min_size=m, max_size=m), st.lists(st.booleans(), min_size=m, max_size=m)
    )
)


@given(worlds)
def test_only_the_order_of_scores_counts_and_a_bound_is_below_the_cap(world: tuple[list[int], list[bool]]) -> None:
    scores, coins = np.array(world[0], float), np.array(world[1])
    found, moved = (one_run_audit(values, coins, delta=DELTA) for values in (scores, np.exp(scores)))
    assert 0 <= found.lower_bound <= found.cap
    assert found.lower_bound == moved.lower_bound
    np.testing.assert_array_equal(found.guesses, moved.guesses)
    assert found.correct == np.count_nonzero(found.guesses == np.where(coins, 1, -1))
    assert found.guessed in rungs(len(scores))
    assert np.count_nonzero(found.guesses == 1) == np.count_nonzero(found.guesses == -1)


def test_delta_and_confidence_lower_the_bound() -> None:
    coins, scores = told(np.random.default_rng(1), 3.0, 200)
    bounds = [
        one_run_audit(scores, coins, delta=delta, confidence=confidence).lower_bound
        for delta, confidence in ((0.0, 0.95), (1e-3, 0.95), (1e-3, 0.99))
    ]
    assert bounds == sorted(bounds, reverse=True)
    assert len(set(bounds)) == 3


def test_coins_that_all_fell_alike_have_no_auc() -> None:
    found = one_run_audit(np.arange(10.0), np.ones(10, bool), delta=DELTA)
    assert found.auc.value is None
    assert found.auc.note == "all coins fell on one side"
    assert found.lower_bound == 0


@pytest.mark.parametrize("scores", [np.array([np.nan] * 10), np.array([np.inf] * 10), np.zeros(9), np.zeros((10, 1))])
def test_what_are_no_scores_is_refused(scores: np.ndarray) -> None:
    with pytest.raises(SignalsError, match="one finite score for each of 10 canaries"):
        one_run_audit(scores, np.ones(10, bool), delta=DELTA)
