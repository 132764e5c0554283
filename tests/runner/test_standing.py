"""How far a run is, told by artefacts and failures that appear in a store."""

import importlib.util
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from fer_audit.results import RunRecord
from fer_audit.runner.standing import Lookout
from fer_audit.store import Store
from fer_audit.time_left import Rate, seconds_left

STARTED = datetime(2030, 1, 1, tzinfo=UTC)


def example(number):
    path = Path(__file__).with_name("example_training.py")
    spec = importlib.util.spec_from_file_location("example_training", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.training("a", number)


class Run:
    """Two cells of two trainings each, one of which they share."""

    def __init__(self, folder):
        self.trainings = [example(number) for number in range(3)]
        keys = [training.key for training in self.trainings]
        cells = [
            SimpleNamespace(id="one", utility=keys[0], privacy=(keys[1],)),
            SimpleNamespace(id="two", utility=keys[2], privacy=(keys[1],)),
        ]
        self.plan = SimpleNamespace(cells=cells, trainings=dict(zip(keys, self.trainings, strict=True)))
        self.store = Store(folder)
        self.lookout = Lookout(self.plan, self.store, RunRecord(started=STARTED.isoformat(), workers=2))

    def finish(self, number, *kinds):
        for kind, key in self.trainings[number].job.artefacts():
            if kind in kinds:
                self.store.write(kind, key, lambda folder: (folder / "file").write_text("done"))

    def fail(self, number, error, seconds_after_start=1.0):
        key = self.trainings[number].key
        self.store.record_failure(key, f"a title\n{error}\n")
        when = STARTED.timestamp() + seconds_after_start
        os.utime(self.store.root / "failures" / f"{key}.txt", (when, when))


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


def test_a_cell_is_done_when_all_that_is_wanted_of_its_trainings_is_there(run):
    assert (run.lookout.look().total, len(run.lookout.look().waiting)) == (2, 3)
    run.finish(0, "trainings", "signals")
    run.finish(1, "trainings")  # has not answered yet
    assert run.lookout.look().done == set()
    run.finish(1, "signals")
    standing = run.lookout.look()
    assert (standing.done, standing.failed, standing.over) == ({"one"}, set(), False)
    run.finish(2, "trainings", "signals")
    standing = run.lookout.look()
    assert (standing.done, standing.over, standing.waiting) == ({"one", "two"}, True, ())


def test_a_draft_is_not_there(run):
    for number in range(3):
        run.finish(number, "trainings", "signals")
    kind, key = run.trainings[2].job.fit
    (run.store.path(kind, key) / "manifest.json").unlink()
    assert run.lookout.look().done == {"one"}


def test_a_failure_fails_every_cell_that_wants_the_training(run):
    run.finish(0, "trainings", "signals")
    run.fail(1, "Traceback\nValueError: odd")
    standing = run.lookout.look()
    assert standing.failed == {"one", "two"}
    assert standing.failures == {run.trainings[1].key: "Traceback\nValueError: odd"}
    assert not standing.over  # the third training may still come
    run.finish(2, "trainings", "signals")
    assert run.lookout.look().over


def test_failures_of_earlier_runs_and_of_what_is_there_do_not_count(run):
    run.fail(0, "long ago", seconds_after_start=-1)
    run.fail(1, "a first attempt")
    run.finish(1, "trainings", "signals")
    standing = run.lookout.look()
    assert (standing.failed, standing.failures) == (set(), {})
    assert standing.waiting == (run.trainings[0].key, run.trainings[2].key)


def test_the_time_left_is_that_of_what_waits_and_unknown_without_a_timing(run):
    assert run.lookout.seconds_left(run.lookout.look()) is None
    program = run.trainings[0].spec.program.key
    (run.store.root / "rates.json").write_text(json.dumps({program: [100.0, 3.0]}))
    rates = {program: Rate(100.0, 3.0, overhead_seconds=0.0)}
    run.finish(0, "trainings", "signals")
    run.fail(1, "odd")
    left = run.lookout.seconds_left(run.lookout.look())
    assert left == seconds_left([run.trainings[2]], rates, workers=2) > 0
    run.finish(2, "trainings", "signals")
    assert run.lookout.seconds_left(run.lookout.look()) == 0
