"""The local engine and workers that die, hang, raise, or find another run at their training."""

import threading
import time

import pytest

from fer_audit.runner.engines.events import Failed, Finished, Lost, Started
from fer_audit.runner.engines.local import LocalEngine


@pytest.fixture
def run(store, script):
    """Runs trainings with scripted workers; returns the events but steps."""

    def run(trainings, workers=2, silence=None):
        with LocalEngine(store, [], workers, silence, worker_module="scripted_worker") as engine:
            return [event for event in engine.run(trainings) if isinstance(event, Started | Finished | Lost | Failed)]

    return run


def of(events, kind):
    return sorted(event.training.spec.seed for event in events if isinstance(event, kind))


def test_all_are_done_once(run, store, training, attempts):
    trainings = [training(program, number) for number, program in enumerate("aabba")]
    events = run(trainings)
    assert of(events, Started) == of(events, Finished) == [0, 1, 2, 3, 4]
    assert set(attempts().values()) == {1}
    assert all(store.has(*one.job.fit) for one in trainings)


@pytest.mark.parametrize(("word", "status"), [("die", "-9"), ("segfault", "-11")])
def test_a_worker_that_dies_costs_two_more_attempts_at_most(run, script, training, attempts, word, status):
    script(of1=[word, word, "done"], of2=[word])
    events = run([training("a", number) for number in range(4)])
    assert of(events, Lost) == [1, 1, 2, 2]
    assert of(events, Finished) == [0, 1, 3]
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert failed.training.spec.seed == 2
    assert failed.error.endswith(f"its worker died with status {status}; that was attempt 3 of 3")
    assert attempts() == {0: 1, 1: 3, 2: 3, 3: 1}


def test_an_error_is_never_tried_again_and_one_of_the_program_fails_all_its_trainings(run, script, training, attempts):
    script(of1=["raise"], of2=["unbuildable"])
    events = run([training("a", 0), training("a", 1), training("b", 2, 300), training("b", 3)], workers=1)
    assert of(events, Finished) == [0]
    assert of(events, Failed) == [1, 2, 3]
    assert attempts() == {0: 1, 1: 1, 2: 1}


def test_a_worker_without_a_sign_is_ended_and_its_training_fails(run, script, training):
    script(of1=["hang"])
    began = time.monotonic()
    events = run([training("a", number) for number in range(4)], silence=1.5)
    assert time.monotonic() - began < 20
    assert of(events, Finished) == [0, 2, 3]
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert failed.error.startswith("about to hang\n")
    assert "no sign of its worker for" in failed.error


def test_workers_that_can_not_start_fail_all(run, script, training):
    script(start=["die"])
    events = run([training("a", number) for number in range(3)])
    assert of(events, Failed) == [0, 1, 2]
    assert all("can't start" in event.error for event in events)
    assert all(event.error.endswith("its worker died with status 1: no worker could start") for event in events)


def test_workers_that_are_killed_while_they_start_are_replaced(run, script, training):
    script(start=["die", "die", "live"])
    assert of(run([training("a", number) for number in range(3)], workers=1), Finished) == [0, 1, 2]


def test_starts_that_fail_now_and_then_do_not_add_up(run, script, training):
    """Three workers die while they start, but between them others start and work."""
    script(start=["die", "live", "die", "live", "die", "live"], of0=["die", "done"], of1=["die", "done"])
    events = run([training("a", number) for number in range(6)], workers=1)
    assert of(events, Finished) == [0, 1, 2, 3, 4, 5]
    assert of(events, Failed) == []


@pytest.fixture
def held(store):
    """Holds the claim on a training for some seconds, as another run does, and leaves the training undone."""

    def hold(training, seconds):
        taken = threading.Event()

        def other_run():
            with store.claim(*training.job.fit, wait=False) as claimed:
                assert claimed
                taken.set()
                time.sleep(seconds)

        other = threading.Thread(target=other_run)
        other.start()
        assert taken.wait(30)
        return other

    return hold


def test_waiting_for_another_run_is_no_hanging_but_hanging_after_it_is(run, held, script, training):
    script(of1=["hang"])
    patient, hanging = training("a", 0), training("a", 1)
    other = held(patient, 3.0)
    assert of(run([patient], workers=1, silence=1.5), Finished) == [0]
    other.join()
    other = held(hanging, 3.0)
    assert of(run([hanging], workers=1, silence=1.5), Failed) == [1]
    other.join()


def test_what_another_run_is_busy_with_is_waited_for_and_not_done_twice(run, store, training, attempts, script):
    mine, theirs = training("a", 0), training("a", 1)
    held, let_go = threading.Event(), threading.Event()

    def other_run():
        with store.claim(*theirs.job.fit, wait=False) as claimed:
            assert claimed
            held.set()
            let_go.wait(30)
            store.write(*theirs.job.fit, lambda folder: (folder / "made").write_text("1 here"), title="made")

    other = threading.Thread(target=other_run)
    other.start()
    held.wait(30)
    threading.Timer(1.0, let_go.set).start()
    events = run([theirs, mine], workers=1)
    other.join()
    assert of(events, Finished) == [0, 1]
    assert [event.training.spec.seed for event in events if isinstance(event, Started)] == [1, 0, 1]
    assert not store.found_damaged
