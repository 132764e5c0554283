"""How trainings are dealt out to a cluster."""

from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.runner.engines.batches import Batches


@dataclass(frozen=True)
class Even:
    """Every training takes as long, and so does every start."""

    each: float
    start: float

    def seconds(self, training):
        return self.each

    def start_seconds(self, program):
        return self.start


class ByRows:
    """A second a row, and half a minute for a start."""

    def seconds(self, training):
        return float(training.rows)

    def start_seconds(self, program):
        return 30.0


def dealt(trainings, slots, seconds=1.0, start=0.0):
    """All batches, each for the slot that has the least to do; all are idle at first."""
    batches = Batches(trainings, Even(seconds, start))
    found = []
    while (taken := batches.next(slots, max(slots - len(found), 1), ())) is not None:
        found.append(taken[0])
    return found


@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(1, 8), st.floats(0, 20))
def test_each_training_is_dealt_once_with_those_of_its_program(training, programs, slots, start):
    trainings = [training(program, number) for number, program in enumerate(programs)]
    found = dealt(trainings, slots, start=start)
    assert Counter(one.key for batch in found for one in batch) == Counter(one.key for one in trainings)
    assert all(len({one.spec.program.key for one in batch}) == 1 for batch in found)


def test_batches_become_small_towards_the_end(training):
    sizes = [len(batch) for batch in dealt([training("a", number) for number in range(100)], slots=4)]
    assert sizes[0] == 18  # three quarters of a quarter
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-4:] == [1, 1, 1, 1]


def test_a_batch_is_worth_the_start_of_its_program(training):
    trainings = [training("a", number) for number in range(40)]
    sizes = [len(batch) for batch in dealt(trainings, slots=2, seconds=1.0, start=1.0)]
    assert sizes[:2] == [15, 9]  # three quarters of twenty, and of half of what is left
    assert min(sizes[:-1]) == 6
    # But no slot goes without for its sake.
    assert [len(batch) for batch in dealt(trainings, slots=2, start=100.0)] == [20, 20]


def test_two_programs_share_the_slots_by_their_work(training):
    trainings = [training("a", number) for number in range(30)] + [training("b", number) for number in range(10)]
    batches = Batches(trainings, Even(1.0, 1000.0))
    first, second, third, fourth = (batches.next(4, 4 - number, ())[0] for number in range(4))
    assert [len(batch) for batch in (first, second, third, fourth)] == [10, 10, 10, 10]
    assert {one.title[0] for one in fourth} == {"b"}


def test_what_another_run_is_busy_with_is_waited_for_at_the_end(training):
    one, other = training("a", 1), training("b", 2)
    batches = Batches([one, other], Even(1.0, 0.0))
    (taken,), waits = batches.next(1, 1, ())
    batches.waiting.later(taken)
    assert not waits
    assert batches.next(1, 1, ())[1] is False
    assert batches.next(1, 1, ()) == ([taken], True)
    assert batches.next(1, 1, ()) is None


def test_what_was_lost_comes_back_in_front(training):
    trainings = [training("a", number) for number in range(10)]
    batches = Batches(trainings, Even(1.0, 0.0))
    taken, _ = batches.next(2, 2, ())
    batches.waiting.again(taken[1:])
    assert batches.next(2, 2, ())[0][0] is taken[1]
    assert len(batches) == 10 - 1 - 3


def test_an_idle_slot_takes_over_the_end_of_the_slowest_batch(training):
    batches = Batches([], ByRows())
    short, long = [[training("a", 10 * b + n, rows=10) for n in range(size)] for b, size in enumerate((3, 7))]
    assert batches.relief([short, long]) == long[4:]
    assert batches.relief([short]) == []  # its two that have not begun are no longer than a start
    assert batches.relief([long[:1]]) == []
    assert batches.relief([]) == []


@pytest.mark.parametrize("slots", [1, 3])
def test_dropping_a_program(training, slots):
    trainings = [training(program, number) for number, program in enumerate("aabb")]
    batches = Batches(trainings, Even(1.0, 0.0))
    assert len(batches.waiting.drop(trainings[0].spec.program.key)) == 2
    assert {one.title[0] for batch in iter(lambda: batches.next(slots, 1, ()), None) for one in batch[0]} == {"b"}
