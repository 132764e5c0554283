"""One fit under each defence, through the program that trains."""

import threading

import keras
import numpy as np
import pytest

from fer_audit.data.dataset import FaceData, Rows
from fer_audit.metrics.accounting import steps_of
from fer_audit.models.layers.input_normalization import InputNormalization
from fer_audit.models.model import Model
from fer_audit.specs import (
    PluginIdentity,
    PrivateStep,
    PrivateTraining,
    ProgramSpec,
    SmoothedLabels,
    StoppedEarly,
    TrainingSpec,
)
from fer_audit.training.answers import cross_entropy
from fer_audit.training.fit import TrainingData, fit
from fer_audit.training.program import Program
from fer_audit.training.sampling import PoissonSampled

ROWS, SIDE, CLASSES, BATCH = 24, 8, 3, 8
HELD_OUT = np.array([2, 3, 11, 20, 21, 22])


class Normalising(Model):
    """A network that keeps statistics of the rows, and of batches; source: this test."""

    name = "normalising"

    def build(self, input_shape, classes):
        inputs = keras.Input(input_shape)
        x = InputNormalization(name="normalization")(inputs)
        x = keras.layers.Conv2D(8, 3, use_bias=False)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.5)(x))
        x = keras.layers.Dropout(0.2)(keras.layers.GlobalAveragePooling2D()(x))
        return keras.Model(inputs, keras.layers.Dense(classes)(x))


class Grouped(Model):
    """A network without statistics of any kind; source: this test."""

    name = "grouped"

    def build(self, input_shape, classes):
        inputs = keras.Input(input_shape)
        x = keras.layers.Rescaling(1 / 128, offset=-1)(inputs)
        x = keras.layers.GroupNormalization(2)(keras.layers.Conv2D(8, 3)(x))
        x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
        return keras.Model(inputs, keras.layers.Dense(classes)(x))


def program_of(model, optimizer="adam", private=None):
    return Program(
        ProgramSpec(
            model=PluginIdentity(kind="model", name=model.name, params={}, source=""),
            input_shape=(SIDE, SIDE, 3),
            classes=CLASSES,
            batch_size=BATCH,
            optimizer=optimizer,
            weight_decay=0.0,
            momentum=0.9,
            private=private,
        ),
        model(),
    )


STEP = PrivateStep(physical_batch=5, clipping="auto")


@pytest.fixture(scope="module")
def plain():
    return program_of(Normalising)


@pytest.fixture(scope="module")
def private():
    return program_of(Normalising, private=STEP)


def rows_of(count, seed):
    """Classes that differ in brightness; a third of the labels is by chance."""
    rng = np.random.default_rng(seed)
    bright = rng.integers(0, CLASSES, count)
    images = rng.integers(0, 100, (count, SIDE, SIDE, 3)) + 60 * bright[:, None, None, None]
    labels = np.where(rng.random(count) < 1 / 3, rng.integers(0, CLASSES, count), bright)
    return Rows(images.astype(np.uint8), labels, tuple(f"{seed}/{row}" for row in range(count)))


FACES = FaceData(("a", "b", "c"), rows_of(40, 1), rows_of(10, 2), rows_of(0, 3), drawn=True)


def data_of(count=ROWS, **changes):
    rows = np.arange(40 - count, 40)
    return TrainingData(faces=FACES, rows=rows, labels=FACES.pool.labels[rows], augmentations=(), **changes)


def spec_of(program, defence=None, epochs=3, **changes):
    values = {
        "program": program.spec,
        "augmentations": (),
        "epochs": epochs,
        "learning_rate": 0.01,
        "schedule": "constant",
        "seed": 5,
        "pixels": "",
        "labels": "",
        "test_pixels": "",
        "test_labels": "",
        "versions": {},
        "defence": defence,
        "rows": "",
        "data": "",
    }
    return TrainingSpec(**{**values, **changes})


def dp_sgd(sampling="poisson", nominal_rows=ROWS, clip_norm=1.0, noise_multiplier=1.0):
    return PrivateTraining(
        clip_norm=clip_norm, noise_multiplier=noise_multiplier, sampling=sampling, nominal_rows=nominal_rows, source=""
    )


def fitted(program, data=None, **options):
    return fit(program, spec_of(program, **options), data or data_of(), lambda done, steps: None)


def recorded(program, monkeypatch, method="step"):
    """What the steps of a program are given from now on: images, labels, number, rate."""
    calls, step = [], getattr(program, method)

    def recording(*given, **options):
        calls.append(given)
        return step(*given, **options)

    monkeypatch.setattr(program, method, recording)
    return calls


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, weight in one.items():
        np.testing.assert_array_equal(weight, other[name])


def normalisation(weights):
    return {name.split("/")[-1]: float(weight) for name, weight in weights.items() if ":normalization/" in name}


DEFENCES = {
    "none": None,
    "poisson": dp_sgd(),
    "shuffle": dp_sgd("shuffle"),
    "label-smoothing": SmoothedLabels(smoothing=0.1),
    "early-stopping": StoppedEarly(patience=1, held_out=""),
}


@pytest.mark.parametrize("defence", DEFENCES.values(), ids=DEFENCES)
def test_a_fit_repeats_bit_for_bit(plain, private, defence):
    program = private if isinstance(defence, PrivateTraining) else plain
    data = data_of(held_out=HELD_OUT[: 6 * isinstance(defence, StoppedEarly)])
    first = fitted(program, data, defence=defence)
    assert_same(first.weights, program.weights())
    fitted(program, data, defence=defence, seed=6)
    again = fitted(program, data, defence=defence)
    assert_same(first.weights, again.weights)
    assert first.history == again.history


def test_private_training_without_clipping_and_noise_is_training():
    plain, private = (program_of(Grouped, "sgd", step) for step in (None, STEP))
    defence = dp_sgd("shuffle", clip_norm=1e6, noise_multiplier=0.0)
    expected, found = fitted(plain), fitted(private, defence=defence)
    for name, weight in found.weights.items():
        np.testing.assert_allclose(weight, expected.weights[name], rtol=1e-4, atol=1e-5)
    for ours, theirs in zip(found.history, expected.history, strict=True):
        assert ours.train_loss == pytest.approx(theirs.train_loss, rel=1e-4)
        assert ours.train_accuracy == theirs.train_accuracy


@pytest.mark.parametrize("sampling", ["poisson", "shuffle"])
@pytest.mark.parametrize("nominal_rows", [17, ROWS, 31])
def test_private_steps_are_those_that_are_accounted_for(private, monkeypatch, sampling, nominal_rows):
    if sampling == "shuffle":
        nominal_rows = max(nominal_rows, ROWS)
    calls, progress = recorded(private, monkeypatch, "private_step"), []
    spec = spec_of(private, dp_sgd(sampling, nominal_rows))
    fit(private, spec, data_of(), lambda *steps: progress.append(steps))
    steps = steps_of(nominal_rows, BATCH, epochs=3)
    assert [number for _, _, number, _ in calls] == list(range(1, steps + 1))
    assert progress[-1] == (steps, steps)


def test_poisson_steps_have_the_rows_whose_coins_fell(private, monkeypatch):
    calls = recorded(private, monkeypatch, "private_step")
    data = data_of()
    fitted(private, data, defence=dp_sgd(), epochs=2)
    sampling = PoissonSampled(ROWS, BATCH, ROWS)
    expected = [places for epoch in range(2) for places in sampling.epoch(5, epoch)]
    assert len({len(places) for places in expected}) > 1
    for (images, labels, *_), places in zip(calls, expected, strict=True):
        np.testing.assert_array_equal(images, FACES.pool.images[data.rows[places]])
        np.testing.assert_array_equal(labels.argmax(axis=1), data.labels[places])


def test_each_copy_of_a_row_has_a_coin_of_its_own(private, monkeypatch):
    calls = recorded(private, monkeypatch, "private_step")
    rows = np.full(6, 4)
    data = TrainingData(faces=FACES, rows=rows, labels=FACES.pool.labels[rows], augmentations=())
    fitted(private, data, defence=dp_sgd(nominal_rows=12), epochs=4)
    assert any(0 < len(images) < 6 for images, *_ in calls)


def test_an_epoch_that_saw_nobody_has_no_loss(private):
    defence = dp_sgd(nominal_rows=3 * BATCH)
    found = fitted(private, data_of(1), defence=defence, epochs=8)
    sampling = PoissonSampled(1, BATCH, 3 * BATCH)
    seen = [any(len(places) for places in sampling.epoch(5, epoch)) for epoch in range(8)]
    assert set(seen) == {True, False}
    assert [epoch.train_loss > 0 for epoch in found.history] == seen


def test_means_of_an_epoch_are_over_the_rows_that_were_seen(private, monkeypatch):
    told = []
    step = private.private_step

    def telling(images, *given, **options):
        told.append((len(images), *step(images, *given, **options)))
        return told[-1][1:]

    monkeypatch.setattr(private, "private_step", telling)
    [epoch] = fitted(private, defence=dp_sgd(), epochs=1).history
    rows, losses, correct = (sum(column) for column in zip(*told, strict=True))
    assert rows != ROWS
    assert epoch.train_loss == pytest.approx(losses / rows)
    assert epoch.train_accuracy == pytest.approx(correct / rows)


def test_private_training_normalises_by_no_private_row(plain, private):
    ours, others = (
        [
            normalisation(fitted(program, data_of(count), defence=defence, epochs=1).weights)
            for program, defence in ((plain, None), (private, dp_sgd()))
        ]
        for count in (ROWS, 8)
    )
    assert ours[0]["mean"] != others[0]["mean"]
    assert ours[1] == others[1]


def test_labels_are_smoothed(plain, monkeypatch):
    calls = recorded(plain, monkeypatch)
    fitted(plain, defence=SmoothedLabels(smoothing=0.3), epochs=1)
    labels = np.concatenate([labels for _, labels, *_ in calls])
    np.testing.assert_allclose(np.sort(labels, axis=1), np.tile([0.1, 0.1, 0.8], (ROWS, 1)), rtol=1e-6)


class Stopped:
    """A training that early stopping ends."""

    EPOCHS = 12

    def __init__(self, program, monkeypatch, **options):
        self.data = data_of(
            held_out=HELD_OUT, traced_labels=[np.zeros(40, np.int64), np.asarray(FACES.pool.labels)], follow_pool=True
        )
        self.spec = spec_of(program, StoppedEarly(patience=2, held_out=""), self.EPOCHS, learning_rate=0.05, **options)
        self.progress = []
        self.calls = recorded(program, monkeypatch)
        self.fitted = fit(program, self.spec, self.data, lambda *steps: self.progress.append(steps))
        self.losses = [epoch.held_out_loss for epoch in self.fitted.history]
        self.kept = int(np.argmin(self.losses)) + 1


@pytest.fixture
def stopped(plain, monkeypatch):
    return Stopped(plain, monkeypatch)


def test_training_ends_when_patience_does(stopped):
    assert stopped.kept > 1
    assert len(stopped.losses) == stopped.kept + 2 < Stopped.EPOCHS
    batches = -(-(ROWS - len(HELD_OUT)) // BATCH)
    assert len(stopped.calls) == batches * len(stopped.losses)
    assert stopped.progress[-1] == (batches * Stopped.EPOCHS, batches * Stopped.EPOCHS)
    assert not [thread for thread in threading.enumerate() if thread.name == "batches"]


def test_the_weights_of_the_best_epoch_are_kept(plain, stopped):
    assert_same(stopped.fitted.weights, plain.weights())
    rows = stopped.data.rows[HELD_OUT]
    losses = cross_entropy(plain.logits(FACES.pool.images[rows]), stopped.data.labels[HELD_OUT])
    assert losses.mean() == min(stopped.losses)
    np.testing.assert_array_equal(stopped.fitted.test, plain.logits(FACES.test.images))
    # As if the other rows alone had been trained on for so long.
    learnt = np.delete(np.arange(ROWS), HELD_OUT)
    data = TrainingData(
        faces=FACES, rows=stopped.data.rows[learnt], labels=stopped.data.labels[learnt], augmentations=()
    )
    assert_same(stopped.fitted.weights, fitted(plain, data, epochs=stopped.kept, learning_rate=0.05).weights)


def test_what_is_followed_ends_at_the_kept_epoch(plain, stopped):
    found, logits = stopped.fitted, plain.logits(FACES.pool.images)
    assert [trace.shape for trace in found.traces] == [(40, Stopped.EPOCHS)] * 2
    assert found.followed.shape == (40, Stopped.EPOCHS)
    for epoch in range(stopped.kept - 1, Stopped.EPOCHS):
        np.testing.assert_array_equal(found.followed[:, epoch], logits.argmax(axis=1))
        losses = cross_entropy(logits, np.zeros(40, np.int64)).astype(np.float32)
        np.testing.assert_array_equal(found.traces[0][:, epoch], losses)
    assert (found.traces[0][:, stopped.kept - 2] != found.traces[0][:, stopped.kept - 1]).any()


def test_held_out_rows_are_not_learnt_from(stopped):
    learnt = FACES.pool.images[np.delete(stopped.data.rows, HELD_OUT)]
    seen = {image.tobytes() for images, *_ in stopped.calls for image in images}
    assert seen == {image.tobytes() for image in learnt}
    assert normalisation(stopped.fitted.weights)["mean"] == pytest.approx(learnt.mean(), rel=1e-6)


def test_the_rate_falls_as_if_training_did_not_stop(plain, monkeypatch):
    stopped = Stopped(plain, monkeypatch, schedule="cosine")
    steps = stopped.progress[-1][1]
    expected = [0.05 * 0.5 * (1 + np.cos(np.pi * step / steps)) for step in range(len(stopped.calls))]
    np.testing.assert_allclose([rate for *_, rate in stopped.calls], expected, rtol=1e-9)


def test_with_patience_the_last_epoch_may_be_the_best(plain):
    defence = StoppedEarly(patience=50, held_out="")
    found = fitted(plain, data_of(held_out=HELD_OUT), defence=defence, epochs=4, learning_rate=1e-4)
    assert len(found.history) == 4
