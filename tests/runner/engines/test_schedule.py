"""Which training a worker takes next."""

import pytest

from fer_audit.runner.engines.schedule import Schedule


@pytest.fixture
def trainings(training):
    return [training("a", 0), training("b", 0, 10), training("a", 1, 300), training("b", 1, 20), training("a", 2)]


def test_a_worker_stays_with_its_program_while_there_is_work(trainings):
    schedule = Schedule(trainings)
    program, names = None, []
    while (found := schedule.next(program, ())) is not None:
        taken, waits = found
        assert not waits
        program = taken.spec.program.key
        names.append(taken.title)
    assert names == ["a 1", "a 0", "a 2", "b 1", "b 0"]
    assert len(schedule) == 0


def test_a_second_worker_shares_the_largest_share_of_work(trainings):
    schedule = Schedule(trainings)
    first, _ = schedule.next(None, ())
    key = first.spec.program.key
    assert schedule.next(None, (key,))[0].title.startswith("a")
    assert schedule.next(None, (key,) * 5)[0].title.startswith("b")


def test_a_training_of_a_lost_worker_comes_first(trainings):
    schedule = Schedule(trainings)
    lost, _ = schedule.next(None, ())
    schedule.waiting.again([lost])
    assert schedule.next(None, ()) == (lost, False)


def test_what_another_run_is_busy_with_comes_last_and_is_waited_for(trainings):
    schedule = Schedule(trainings)
    busy, _ = schedule.next(None, ())
    schedule.waiting.later(busy)
    assert len(schedule) == 5
    taken = [schedule.next(None, ()) for _ in range(5)]
    assert [waits for _, waits in taken] == [False] * 4 + [True]
    assert taken[-1][0] is busy
    assert schedule.next(None, ()) is None


def test_dropping_a_program_takes_all_its_trainings(trainings):
    schedule = Schedule(trainings)
    first, _ = schedule.next(None, ())
    schedule.waiting.later(first)
    dropped = schedule.waiting.drop(first.spec.program.key)
    assert sorted(training.title for training in dropped) == ["a 0", "a 1", "a 2"]
    assert len(schedule) == 2
