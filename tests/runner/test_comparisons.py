"""Pairs of cells on made-up answers; no network is trained."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from fer_audit.attacks import create
from fer_audit.data.dataset import FaceData, Rows
from fer_audit.metrics.accuracy import accuracy, balanced_accuracy
from fer_audit.metrics.paired import accuracy_difference
from fer_audit.results import Cell, PluginRecord, Utility
from fer_audit.runner.comparisons import paired_differences, pairs
from fer_audit.runner.privacy import attack_entries, measure_privacy, read_records
from fer_audit.store import Store

ROWS, TEST, MODELS, CLASSES = 120, 80, 4, 3


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
        privacy, _ = measure_privacy(
            self.store, self.attacks, self.data, digest="d", keep=keep, given=given, jobs=jobs[1:], seed=seed
        )
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

    def differences(self, cells=None):
        return paired_differences(self.plan, self.store, cells or self.cells)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return Study(tmp_path_factory.mktemp("comparisons"))


def test_every_pair_is_compared_once_in_everything_that_both_have(study):
    found = study.differences()
    assert len(found) == 16 * 15 / 2 * 5
    order = {cell.id: place for place, cell in enumerate(study.cells)}
    assert all(order[one.baseline] < order[one.cell] for one in found)
    assert len({(one.metric, str(one.attack), one.cell, one.baseline) for one in found}) == len(found)
    known = {cell.id: cell for cell in study.cells}
    for one in found:
        cell, baseline = known[one.cell], known[one.baseline]
        if one.metric == "auc":
            values = [next(a.auc.value for a in c.privacy.attacks if a.attack == one.attack) for c in (cell, baseline)]
            assert one.difference.n == (30 if one.attack.name == "subject" else ROWS)
        else:
            values = [getattr(c.utility, one.metric).value for c in (cell, baseline)]
            assert one.difference.n == TEST
        assert one.difference.value == pytest.approx(values[0] - values[1])
        assert one.difference.low < one.difference.value < one.difference.high


def test_methods_say_whose_halves_differ_and_what_was_stretched(study):
    found = [one for one in study.differences() if one.metric == "auc"]
    seeds = {cell.id: cell.seed for cell in study.cells}
    for one in found:
        apart = seeds[one.cell] != seeds[one.baseline]
        assert ("halves of the pool differ" in one.difference.method) == apart
        assert ("sqrt(2)" in one.difference.method) == (one.attack.name != "loss-threshold")
        assert "over 30 clusters" in one.difference.method


def test_test_rows_are_paired_by_person(study):
    found = next(one for one in study.differences() if one.metric == "accuracy")
    jobs = [study.plan.trainings[study.plan.cells[place].utility].job for place in (1, 0)]
    predicted = [np.load(study.store.path(*job.fit) / "test.npy").argmax(axis=1) for job in jobs]
    one, other = (labels == study.data.test.labels for labels in predicted)
    assert found.difference == accuracy_difference(one, other, study.data.test.subjects)


def test_what_can_not_be_trusted_is_not_compared(study):
    cells = [cell.model_copy() for cell in study.cells[:4]]
    cells[1] = cells[1].model_copy(update={"status": "failed"})
    cells[2] = cells[2].model_copy(update={"privacy": cells[2].privacy.model_copy(update={"invalid": "told apart"})})
    cells[3] = cells[3].model_copy(update={"privacy": None})
    found = study.differences(cells)
    assert {one.metric for one in found} == {"accuracy", "balanced_accuracy"}
    assert len(found) == 3 * 2
    assert cells[1].id not in {name for one in found for name in (one.cell, one.baseline)}


def test_what_is_stored_of_an_attack_is_found_again(study):
    planned = study.plan.cells[0]
    jobs = [study.plan.trainings[key].job for key in planned.privacy]
    asked = {"keep": planned.keep, "given": planned.labels.given, "jobs": jobs, "seed": planned.seed}
    entries = attack_entries(study.attacks, study.data, **asked)
    assert len(set(entries)) == 3
    assert set(entries).isdisjoint(attack_entries(study.attacks, study.data, **asked | {"seed": 7}))
    for entry in entries:
        records = read_records(study.store, entry)
        assert records.influence.sum() == pytest.approx(0, abs=1e-12)
        assert records.influence.shape == records.first.shape


def test_many_cells_are_compared_with_their_twins_and_the_first(study):
    places = {cell.id: place for place, cell in enumerate(study.cells)}
    found = pairs(study.cells, every=15)

    def pair(one, other):
        return places[one], places[other]

    assert found == sorted(set(found))
    assert all(earlier < later for earlier, later in found)
    assert pair("large/none/symmetric/1", "large/mixup/symmetric/1") in found
    assert pair("large/mixup/none/1", "large/mixup/symmetric/1") in found
    assert pair("large/none/none/1", "large/mixup/symmetric/1") not in found
    assert pair("small/none/none/0", "large/mixup/symmetric/1") in found
    # Each of 16 has the first (15); of 8 pairs of augmentations and 8 of labels, 2 are with the first.
    assert len(found) == 15 + 8 + 8 - 2
    assert len(pairs(study.cells)) == 120
    assert pairs(study.cells[:1]) == []
