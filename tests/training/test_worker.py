"""A worker: one program for many trainings, and nothing done that is there already."""

import numpy as np
import pytest
import yaml

from fer_audit.errors import StoreError
from fer_audit.grid import read_grid
from fer_audit.plan import make_plan
from fer_audit.registry import Registry
from fer_audit.store import Store
from fer_audit.training.worker import Worker

GRID = {
    "dataset": {"name": "synthface", "params": {"rows": 42, "test_rows": 14}},
    "models": ["mini-xception"],
    "augmentations": ["none", "mixup"],
    "attacks": {"membership": ["loss-threshold"]},
    "training": {"image_size": 32, "epochs": 2, "batch_size": 8},
    "privacy": {"references": 4, "loss_trace": True},
}


class Bench:
    """A worker in this process, with the jobs of a plan."""

    def __init__(self, folder, **changes):
        self.store = Store(folder / "store")
        path = folder / "grid.yaml"
        path.write_text(yaml.safe_dump({**GRID, **changes}))
        self.plan = make_plan(read_grid(path), self.store)
        self.events = []
        self.worker = Worker(self.store, Registry.load([]), self.events.append)

    def train(self, training):
        self.worker.train(training.job.model_dump(mode="json"))
        return next(event for event in reversed(self.events) if event["event"] == "done")["laps"]

    @property
    def program(self):
        return self.worker._program[1]


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_trainings_of_one_program_share_it_and_nothing_is_traced_again(bench):
    trainings = bench.plan.missing
    assert len(trainings) == 2 * 5
    starts = [bench.train(training)["start"] for training in trainings[:6]]
    program = bench.program
    for training in trainings[6:]:
        bench.train(training)
    assert bench.program is program
    assert program.traces == 2
    # The batches are of 8 and, as 42 and 21 are no multiples of it, of what is left.
    assert max(starts[1:]) < starts[0] / 5
    for training in trainings:
        assert all(bench.store.has(*artefact) for artefact in training.job.artefacts())


def test_what_is_there_is_not_done_again(bench):
    training = bench.plan.missing[0]
    assert "steps" in bench.train(training)
    assert bench.train(training) == {}
    [answer] = training.job.answers()
    expected = np.load(bench.store.path(*answer) / "pool.npy")
    bench.store.remove(*answer)
    assert "steps" not in bench.train(training)
    np.testing.assert_array_equal(np.load(bench.store.path(*answer) / "pool.npy"), expected)


def test_losses_must_be_those_of_the_weights_that_are_kept(bench):
    training = next(training for training in bench.plan.missing if training.job.traces)
    bench.train(training)
    [losses] = training.job.losses()
    bench.store.remove(*losses)
    assert "steps" in bench.train(training)
    bench.store.remove(*losses)
    folder = bench.store.path(*training.job.fit)
    with np.load(folder / "weights.npz") as file:
        weights = {name: file[name] for name in file.files}
    bench.store.remove(*training.job.fit)
    changed = {name: weight + 1 for name, weight in weights.items()}
    bench.store.write(*training.job.fit, lambda draft: np.savez(draft / "weights.npz", **changed))
    with pytest.raises(StoreError, match="gave other weights than the store has of mini-xception"):
        bench.train(training)
    assert not bench.store.has(*losses)
