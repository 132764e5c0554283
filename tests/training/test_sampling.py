"""Which rows are in which step: every row once, or each by a coin of its own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.errors import FerAuditError
from fer_audit.metrics.accounting import steps_of
from fer_audit.training.sampling import PoissonSampled, Shuffled


def epoch_of(sampling, seed=0, epoch=0):
    return [places.tolist() for places in sampling.epoch(seed, epoch)]


@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 60))
def test_shuffling_has_every_row_once_in_the_steps_that_are_accounted_for(rows, batch_size, missing):
    nominal = rows + missing
    found = epoch_of(Shuffled(rows, batch_size, nominal))
    assert len(found) == Shuffled(rows, batch_size, nominal).steps == steps_of(nominal, batch_size, 1)
    assert sorted(place for places in found for place in places) == list(range(rows))
    assert max(map(len, found)) <= batch_size


def test_more_rows_than_are_accounted_for_are_not_shuffled():
    with pytest.raises(FerAuditError, match="at most 9, received 10"):
        epoch_of(Shuffled(10, 4, 9))


@given(st.integers(1, 60), st.integers(1, 20))
def test_shuffled_batches_are_full_but_for_the_last(rows, batch_size):
    sizes = [len(places) for places in epoch_of(Shuffled(rows, batch_size))]
    assert sizes[:-1] == [batch_size] * (len(sizes) - 1)


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 60), st.integers(0, 9))
def test_no_row_moves_to_another_step_because_one_is_added(rows, batch_size, nominal, seed):
    for kind in (Shuffled, PoissonSampled):
        fewer = epoch_of(kind(rows, batch_size, rows + nominal), seed)
        more = epoch_of(kind(rows + 1, batch_size, rows + nominal), seed)
        assert [[place for place in places if place < rows] for places in more] == fewer


def test_poisson_coins_are_fair_and_independent():
    """Counts of 400 rows over 2,000 steps at a probability of 1/8; at 4.9 deviations, a false alarm in a million."""
    steps, rows, probability = 2000, 400, 1 / 8
    sampling = PoissonSampled(rows, 1, 8)
    coins = np.zeros((steps, rows))
    for step in range(steps):
        coins[step, next(sampling.epoch(seed=7, epoch=step))] = 1
    deviation = np.sqrt(probability * (1 - probability) / coins.size)
    assert abs(coins.mean() - probability) < 4.9 * deviation
    # Sizes of steps, and the steps of a row, are binomial: their variances tell clumped coins.
    for sizes, trials in ((coins.sum(axis=1), rows), (coins.sum(axis=0), steps)):
        variance = trials * probability * (1 - probability)
        assert abs(sizes.var(ddof=1) / variance - 1) < 4.9 * np.sqrt(2 / (len(sizes) - 1))
    neighbours = (coins[:, 1:] * coins[:, :-1]).mean()
    assert abs(neighbours - probability**2) < 4.9 * np.sqrt(probability**2 / (steps * (rows - 1)))


def test_poisson_steps_are_those_that_are_accounted_for():
    sampling = PoissonSampled(rows=7, batch_size=4, nominal_rows=10)
    assert len(epoch_of(sampling)) == sampling.steps == steps_of(10, 4, 1) == 3


def test_a_batch_of_all_nominal_rows_has_every_row():
    assert epoch_of(PoissonSampled(rows=5, batch_size=9, nominal_rows=4)) == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize("kind", [Shuffled, PoissonSampled])
def test_seeds_and_epochs_differ_and_repeat(kind):
    sampling = kind(60, 8)
    assert epoch_of(sampling, 1, 0) == epoch_of(sampling, 1, 0)
    assert epoch_of(sampling, 1, 0) != epoch_of(sampling, 1, 1)
    assert epoch_of(sampling, 1, 0) != epoch_of(sampling, 2, 0)


def test_shuffling_is_as_stored_trainings_had_it():
    order = np.random.default_rng([3, 2, 1]).permutation(20)
    assert epoch_of(Shuffled(20, 8), 3, 2) == [order[:8].tolist(), order[8:16].tolist(), order[16:].tolist()]
