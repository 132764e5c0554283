"""Which training a worker takes next."""

import pytest

from fer_audit.runner.engines.local import Schedule
from fer_audit.specs import PluginIdentity, ProgramSpec, Training, TrainingJob, TrainingSpec


def training(program, number, rows=100):
    spec = TrainingSpec(
        program=ProgramSpec(
            model=PluginIdentity(kind="model", name=program, params={}, source=""),
            input_shape=(8, 8, 3),
            classes=2,
            batch_size=8,
            optimizer="sgd",
            weight_decay=0,
            momentum=0,
        ),
        augmentations=(),
        epochs=2,
        learning_rate=0.1,
        schedule="constant",
        seed=number,
        pixels="",
        labels="",
        test_pixels="",
        test_labels=None,
        versions={},
        rows="",
        data="",
    )
    job = TrainingJob(training=spec, queries=("identity",), pool="", population="")
    return Training(job, spec.key, f"{program} {number}", rows, asked=200)


@pytest.fixture
def trainings():
    return [training("a", 0), training("b", 0, 10), training("a", 1, 300), training("b", 1, 20), training("a", 2)]


def test_a_worker_stays_with_its_program_while_there_is_work(trainings):
    schedule = Schedule(trainings)
    program, names = None, []
    while (taken := schedule.next(program, ())) is not None:
        program = taken.spec.program.key
        names.append(taken.title)
    assert names == ["a 1", "a 0", "a 2", "b 1", "b 0"]
    assert len(schedule) == 0


def test_a_second_worker_shares_the_largest_share_of_work(trainings):
    schedule = Schedule(trainings)
    first = schedule.next(None, ())
    key = first.spec.program.key
    assert schedule.next(None, (key,)).title.startswith("a")
    assert schedule.next(None, (key,) * 5).title.startswith("b")


def test_a_training_of_a_lost_worker_comes_first(trainings):
    schedule = Schedule(trainings)
    lost = schedule.next(None, ())
    schedule.again(lost)
    assert schedule.next(None, ()) is lost
