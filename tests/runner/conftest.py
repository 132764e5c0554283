"""A small study on made-up answers; no network is trained."""

import importlib.util
import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fer_audit.attacks import create
from fer_audit.data.dataset import FaceData, Rows
from fer_audit.metrics.accuracy import accuracy, balanced_accuracy
from fer_audit.results import Cell, PluginRecord, Utility
from fer_audit.runner.privacy import measure_privacy
from fer_audit.store import Store

ROWS, TEST, MODELS, CLASSES = 120, 80, 4, 3
#: At which epsilon is bounded, where a guarantee might say so.
DELTAS = {"small": 1e-5, "large": 1e-6}


def split(rows, rng):
    labels = rng.integers(0, CLASSES, rows)
    names = tuple(str(row) for row in range(rows))
    return Rows(np.zeros((rows, 1, 1, 3), np.uint8), labels, names, np.arange(rows) // 4)


def stored(store, key, **arrays):
    store.write("signals", key, lambda folder: [np.save(folder / f"{name}.npy", a) for name, a in arrays.items()])
    name = ("signals", key)
    return SimpleNamespace(
        fit=name, queries=("identity",), traces=(), answers=lambda: [name], training=SimpleNamespace(key=key)
    )


class Study:
    """Two models with and without an augmentation, on clean and on corrupted labels, with two seeds."""

    def __init__(self, folder):
        rng = np.random.default_rng(0)
        self.store = Store(folder)
        pool, test = split(ROWS, rng), split(TEST, rng)
        none = pool.take(np.zeros(0, np.int64))
        self.data = FaceData(("a", "b", "c"), pool, test, none, drawn=True)
        self.attacks = [create("loss-threshold"), create("lira-online"), create("subject")]
        self.ease = rng.normal(0, 1, TEST)
        lines = itertools.product(("small", "large"), ("none", "mixup"), ("none", "symmetric"), (0, 1))
        self.plan = SimpleNamespace(data=self.data, attacks=self.attacks, trainings={}, cells=[])
        self.cells = [self.cell(place, *line) for place, line in enumerate(lines)]

    def cell(self, place, model, augmentation, labels, seed):
        rng = np.random.default_rng(place)
        jobs = [self.job(f"{place}-{name}", rng, name, seed) for name in ("utility", *range(MODELS))]
        given = self.data.pool.labels.copy()
        if labels != "none":
            given[::5] = (given[::5] + 1) % CLASSES
        keep = self.halves(seed)
        planned = SimpleNamespace(
            utility=jobs[0].training.key,
            privacy=tuple(job.training.key for job in jobs[1:]),
            keep=keep,
            labels=SimpleNamespace(given=given),
            seed=seed,
        )
        self.plan.cells.append(planned)
        self.plan.trainings |= {job.training.key: SimpleNamespace(job=job) for job in jobs}
        asked = {"digest": "d", "keep": keep, "given": given, "jobs": jobs[1:], "seed": seed, "delta": DELTAS[model]}
        privacy, _ = measure_privacy(self.store, self.attacks, self.data, **asked)
        predicted = np.load(self.store.path(*jobs[0].fit) / "test.npy").argmax(axis=1)
        true = self.data.test.labels
        utility = Utility(
            training=jobs[0].training.key,
            accuracy=accuracy(true, predicted, self.data.test.units),
            balanced_accuracy=balanced_accuracy(true, predicted, CLASSES),
            per_class=[],
            confusion=[],
            train_accuracy=1.0,
            history=[],
        )
        return Cell(
            id=f"{model}/{augmentation}/{labels}/{seed}",
            model=model,
            augmentation=augmentation,
            label_attack=labels,
            noise_rate=0.0,
            seed=seed,
            model_plugin=PluginRecord(name=model),
            augmentation_plugins=[] if augmentation == "none" else [PluginRecord(name=augmentation)],
            label_attack_plugin=None if labels == "none" else PluginRecord(name=labels),
            corruption=None,
            status="done",
            utility=utility,
            privacy=privacy,
        )

    def halves(self, seed):
        half = np.random.default_rng(seed).permutation(ROWS // 4) % 2 == 0
        other = np.random.default_rng(seed + 9).permutation(ROWS // 4) % 2 == 0
        return np.array([half, ~half, other, ~other])[:, np.arange(ROWS) // 4]

    def job(self, key, rng, name, seed):
        pool = rng.normal(0, 1, (ROWS, CLASSES))
        test = rng.normal(0, 0.7, (TEST, CLASSES))
        test[np.arange(TEST), self.data.test.labels] += 1 + self.ease
        trained = np.ones(ROWS, np.bool_) if name == "utility" else self.halves(seed)[name]
        pool[np.arange(ROWS), self.data.pool.labels] += 1 + 0.8 * trained
        return stored(self.store, key, pool=pool[:, None][:, 0].astype(np.float32), test=test, population=pool[:0])


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    return Study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="session")
def training():
    """Makes a training that is never made: of a program, with a seed, on some rows."""
    path = Path(__file__).with_name("example_training.py")
    spec = importlib.util.spec_from_file_location("example_training", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.training
