"""The training core against plain Keras: the same numbers, traced once."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from fer_audit.errors import StoreError
from fer_audit.models.model import Model
from fer_audit.specs import PluginIdentity, ProgramSpec
from fer_audit.training.fused_batch_norm import FusedBatchNormalization, fuse_batch_norms
from fer_audit.training.optimizer import Optimizer, clip, learning_rate
from fer_audit.training.program import Program


class Tiny(Model):
    """A small network with everything that a reset must reach; source: this test."""

    name = "tiny"

    def build(self, input_shape, classes):
        inputs = keras.Input(input_shape)
        x = keras.layers.Rescaling(1 / 255)(inputs)
        x = keras.layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.ReLU()(x)
        x = keras.layers.SeparableConv2D(8, 3, strides=2)(x)
        x = keras.layers.ReLU()(x)
        # No bias before a normalisation: its gradient is zero but for rounding, which Adam would blow up.
        x = keras.layers.DepthwiseConv2D(3, use_bias=False)(x)
        x = keras.layers.BatchNormalization(momentum=0.8)(x)
        # A kernel larger than its map, as in the last stages of a small network.
        x = keras.layers.Conv2D(8, 7, padding="same", activation="relu")(x)
        x = keras.layers.DepthwiseConv2D(3, strides=3, padding="same")(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        return keras.Model(inputs, keras.layers.Dense(classes)(keras.layers.Dropout(self.rate)(x)))

    rate = 0.0


class Dropping(Tiny):
    """The same with dropout; source: this test."""

    name = "dropping"
    rate = 0.5


def spec_of(model, optimizer="adamw", **changes):
    values = {
        "model": PluginIdentity(kind="model", name=model.name, params={}, source=""),
        "input_shape": (12, 12, 3),
        "classes": 3,
        "batch_size": 8,
        "optimizer": optimizer,
        "weight_decay": 0.01 if optimizer == "adamw" else 0.0,
        "momentum": 0.9,
        "clip_norm": None,
    }
    return ProgramSpec(**{**values, **changes})


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 12, 12, 3), dtype=np.uint8)
    return images, np.eye(3, dtype=np.float32)[rng.integers(0, 3, 40)]


def steps(program, rows, count=20):
    images, labels = rows
    losses = []
    for step in range(count):
        index = np.arange(step, step + 8) % len(images)
        losses.append(program.step(images[index], labels[index], step + 1, 0.001)[0] / 8)
    return losses


def flat(network):
    return np.concatenate([np.ravel(weight) for weight in network.weights])


KERAS_OPTIMIZERS = {
    "adamw": lambda **options: keras.optimizers.AdamW(0.001, weight_decay=0.01, **options),
    "adam": lambda **options: keras.optimizers.Adam(0.001, **options),
    "sgd": lambda **options: keras.optimizers.SGD(0.001, momentum=0.9, **options),
}


@pytest.mark.parametrize("clip_norm", [None, 0.1])
@pytest.mark.parametrize("optimizer", KERAS_OPTIMIZERS)
def test_twenty_steps_agree_with_plain_keras(optimizer, clip_norm, rows):
    program = Program(spec_of(Tiny, optimizer, clip_norm=clip_norm), Tiny())
    program.reset(3, rows[0])
    plain = Tiny().build((12, 12, 3), 3)
    plain.set_weights([np.array(weight) for weight in program.network.weights])
    plain.compile(
        KERAS_OPTIMIZERS[optimizer](global_clipnorm=clip_norm), keras.losses.CategoricalCrossentropy(from_logits=True)
    )
    expected = []
    for step in range(20):
        index = np.arange(step, step + 8) % 40
        expected.append(float(plain.train_on_batch(rows[0][index].astype(np.float32), rows[1][index])))
        plain.reset_metrics()
    losses = steps(program, rows)
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    # As one vector, not weight by weight: where a gradient vanishes, Adam turns its rounding into whole steps.
    ours, theirs = (flat(network) for network in (program.network, plain))
    assert np.linalg.norm(ours - theirs) <= 1e-4 * np.linalg.norm(theirs)
    np.testing.assert_allclose(program.logits(rows[0]), plain.predict(rows[0], verbose=0), rtol=1e-3, atol=1e-4)


def test_a_gradient_of_zero_is_not_clipped_to_nan():
    np.testing.assert_array_equal(clip(tf.zeros([3]), 1.0), [0, 0, 0])
    np.testing.assert_allclose(clip(tf.constant([3.0, 4.0]), 1.0), [0.6, 0.8])
    np.testing.assert_array_equal(clip(tf.constant([3.0, 4.0]), 6.0), [3, 4])


def test_hard_labels_are_one_hot_labels(rows):
    program = Program(spec_of(Tiny), Tiny())
    program.reset(3, rows[0])
    soft = steps(program, rows, 4)
    program.reset(3, rows[0])
    hard = steps(program, (rows[0], rows[1].argmax(axis=1)), 4)
    assert soft == hard
    assert program.traces == 1


def test_loaded_weights_answer_as_they_did(rows):
    program = Program(spec_of(Tiny), Tiny())
    program.reset(3, rows[0])
    steps(program, rows, 4)
    weights, logits = program.weights(), program.logits(rows[0])
    program.reset(4, rows[0])
    assert not np.array_equal(program.logits(rows[0]), logits)
    program.load(weights)
    np.testing.assert_array_equal(program.logits(rows[0]), logits)
    for name, weight in program.weights().items():
        np.testing.assert_array_equal(weight, weights[name])


class Penalised(Tiny):
    """A network with a penalty on its weights and one on its activity; source: this test."""

    name = "penalised"

    def build(self, input_shape, classes):
        inputs = keras.Input(input_shape)
        x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
        x = keras.layers.Dense(4, kernel_regularizer="l2", activity_regularizer="l1")(x)
        return keras.Model(inputs, keras.layers.Dense(classes)(x))


def test_penalties_are_part_of_the_loss_that_is_minimised(rows):
    program = Program(spec_of(Penalised, "sgd"), Penalised())
    program.reset(3, rows[0])
    plain = Penalised().build((12, 12, 3), 3)
    plain.set_weights([np.array(weight) for weight in program.network.weights])
    plain.compile(KERAS_OPTIMIZERS["sgd"](), keras.losses.CategoricalCrossentropy(from_logits=True))
    for _ in range(5):
        plain.train_on_batch(rows[0][:8].astype(np.float32), rows[1][:8])
    for step in range(5):
        program.step(rows[0][:8], rows[1][:8], step + 1, 0.001)
    np.testing.assert_allclose(flat(program.network), flat(plain), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("model", [Tiny, Dropping])
def test_a_reset_repeats_a_training_bit_for_bit(model, rows):
    program = Program(spec_of(model), model())
    program.reset(3, rows[0])
    first, logits = steps(program, rows, 6), program.logits(rows[0])
    program.reset(4, rows[0])
    other = steps(program, rows, 6)
    program.reset(3, rows[0])
    again = steps(program, rows, 6)
    assert first == again
    assert first != other
    np.testing.assert_array_equal(logits, program.logits(rows[0]))


def test_nothing_is_traced_twice(rows):
    program = Program(spec_of(Tiny), Tiny())
    program.warm_up()
    for seed in range(3):
        program.reset(seed, rows[0])
        steps(program, rows, 2)
        program.step(rows[0][:3], rows[1][:3], 3, 0.01)
        program.logits(rows[0][:5])
        program.logits(rows[0])
    assert program.traces == 2


def test_logits_do_not_depend_on_the_batch(rows):
    program = Program(spec_of(Tiny), Tiny())
    program.reset(0, rows[0])
    steps(program, rows, 5)
    together = program.logits(rows[0])
    alone = np.concatenate([program.logits(row[None]) for row in rows[0]])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


def test_an_empty_split_has_no_logits(rows):
    program = Program(spec_of(Tiny), Tiny())
    assert program.logits(rows[0][:0]).shape == (0, 3)


@pytest.mark.parametrize("rows_in_batch", [1, 2, 7])
@pytest.mark.parametrize("training", [True, False])
def test_fused_batch_norm_is_keras_batch_norm(rows_in_batch, training):
    inputs = np.random.default_rng(1).normal(3, 2, (rows_in_batch, 3, 4, 5)).astype(np.float32)
    plain = keras.layers.BatchNormalization(momentum=0.7, epsilon=1e-2)
    fused = FusedBatchNormalization(momentum=0.7, epsilon=1e-2)
    for layer in (plain, fused):
        layer.build((None, 3, 4, 5))
        layer.set_weights([np.full(5, 1.5), np.full(5, -0.5), np.full(5, 0.3), np.full(5, 2.0)])
    with tf.GradientTape() as plain_tape, tf.GradientTape() as fused_tape:
        x = tf.constant(inputs)
        plain_tape.watch(x)
        fused_tape.watch(x)
        expected, found = plain(x, training=training), fused(x, training=training)
        expected_loss, found_loss = tf.reduce_sum(expected**3), tf.reduce_sum(found**3)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        fused_tape.gradient(found_loss, x), plain_tape.gradient(expected_loss, x), rtol=1e-3, atol=1e-3
    )
    for ours, theirs in zip(fused.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_only_what_fits_is_fused():
    inputs = keras.Input((6, 6, 4))
    x = keras.layers.BatchNormalization()(inputs)
    x = keras.layers.BatchNormalization(scale=False)(x)
    x = keras.layers.BatchNormalization(axis=1)(x)
    x = keras.layers.BatchNormalization()(keras.layers.GlobalAveragePooling2D()(x))
    assert fuse_batch_norms(keras.Model(inputs, x)) == 1


def test_schedules():
    assert learning_rate(0.1, "constant", 7, 10) == 0.1
    assert learning_rate(0.1, "cosine", 0, 10) == 0.1
    assert learning_rate(0.1, "cosine", 5, 10) == pytest.approx(0.05)
    np.testing.assert_allclose(Optimizer.scalars(2, 0.5), [0.5, 0.81, 0.998001], rtol=1e-6)


def test_names_of_weights_do_not_depend_on_what_was_built_before():
    first, second = (list(Program(spec_of(Tiny), Tiny()).weights()) for _ in range(2))
    assert first == second


def test_weights_of_another_network_are_refused(rows):
    program = Program(spec_of(Tiny), Tiny())
    with pytest.raises(StoreError, match="not those of model 'tiny': names or shapes differ"):
        program.load(Program(spec_of(Penalised), Penalised()).weights())
