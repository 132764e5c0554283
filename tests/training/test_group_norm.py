"""Networks without batch statistics: what replaces them, and what is refused."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.errors import PluginError
from fer_audit.registry import Registry
from fer_audit.training.group_norm import LEAST_CHANNELS, LEAST_VALUES, groups_of, without_batch_statistics
from fer_audit.training.initial_weights import InitialWeights

REGISTRY = Registry.load([])
BUILT_IN = REGISTRY.names("model")


def network_of(*layers, size=8):
    inputs = x = keras.Input((size, size, 3), name="images")
    for layer in layers:
        x = layer(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, name="logits")(x), name="probed")


@given(st.integers(1, 600), st.integers(1, 100))
def test_groups_are_as_many_as_leave_enough_values_to_each(channels, pixels):
    def allowed(groups):
        size = channels // groups
        return channels % groups == 0 and size >= LEAST_CHANNELS and size * pixels >= LEAST_VALUES

    found = groups_of(channels, pixels)
    assert allowed(found) or found == 1
    assert not any(allowed(groups) for groups in range(found + 1, 33))


def test_groups_of_known_maps():
    assert groups_of(256, 144) == 32
    assert groups_of(16, 144) == 4
    assert groups_of(3, 144) == 1
    assert groups_of(240, 9) == 30
    assert groups_of(128, 1) == 8
    assert groups_of(16, 1) == 1
    assert groups_of(1, 9) == 1


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_network_is_rebuilt(name):
    keras.utils.clear_session()
    model = REGISTRY.create("model", name, {})
    side = max(32, model.minimum_size)
    before = model.create((side, side, 3), 7)
    normalised = {layer.name for layer in before._flatten_layers() if hasattr(layer, "moving_mean")}
    trained = sum(math.prod(weight.shape) for weight in before.trainable_variables)
    after = without_batch_statistics(before)
    layers = {layer.name: layer for layer in after._flatten_layers()}
    assert normalised
    assert normalised <= layers.keys()
    for layer in (layers[name] for name in normalised):
        alone = type(layer) is keras.layers.Dense and layer.kernel.shape == (1, 1)
        assert alone or type(layer) is keras.layers.GroupNormalization
    assert (after.name, after.output_shape) == (before.name, (None, 7))
    assert sum(math.prod(weight.shape) for weight in after.trainable_variables) == trained
    InitialWeights(after).assign(3)
    images = np.random.default_rng(0).uniform(0, 255, (2, side, side, 3)).astype(np.float32)
    assert np.isfinite(after(images, training=True)).all()


def test_settings_are_taken_over():
    penalty = keras.regularizers.L2(0.5)
    norm = keras.layers.BatchNormalization(
        epsilon=0.25, scale=False, beta_initializer="ones", beta_regularizer=penalty, name="norm"
    )
    found = without_batch_statistics(network_of(keras.layers.Conv2D(12, 3), norm)).get_layer("norm")
    assert (found.groups, found.axis, found.epsilon, found.center, found.scale) == (3, -1, 0.25, True, False)
    assert found.beta_regularizer is penalty
    np.testing.assert_array_equal(found.beta, np.ones(12))


def test_a_group_is_normalised_by_its_own_channels_and_pixels():
    network = without_batch_statistics(
        network_of(keras.layers.Conv2D(8, 1), keras.layers.BatchNormalization(epsilon=1e-9, name="norm"), size=4)
    )
    maps = np.random.default_rng(0).normal(5, 3, (2, 4, 4, 8)).astype(np.float32)
    groups = maps.reshape(2, 4, 4, 2, 4)
    mean, deviation = groups.mean(axis=(1, 2, 4), keepdims=True), groups.std(axis=(1, 2, 4), keepdims=True)
    expected = ((groups - mean) / deviation).reshape(maps.shape)
    np.testing.assert_allclose(network.get_layer("norm")(maps, training=True), expected, rtol=1e-4, atol=1e-5)


def test_channels_may_come_first():
    inputs = keras.Input((8, 4, 3))
    x = keras.layers.BatchNormalization(axis=1, name="norm")(inputs)
    found = without_batch_statistics(keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(x))))
    assert (found.get_layer("norm").axis, found.get_layer("norm").groups) == (1, 2)


def test_a_single_value_keeps_its_scale_and_shift():
    x = inputs = keras.Input((4, 4, 3))
    x = keras.layers.Conv2D(1, 4)(x)
    gate = keras.layers.BatchNormalization(
        name="gate", gamma_initializer=keras.initializers.Constant(3.0), beta_initializer="ones"
    )(x)
    network = without_batch_statistics(keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(gate))))
    values = np.array([[[[-2.0]]], [[[0.5]]]], np.float32)
    np.testing.assert_allclose(network.get_layer("gate")(values), 3 * values + 1)


@pytest.mark.parametrize("training", [None, True, False])
def test_calls_with_a_flag_of_their_own_are_rebuilt(training):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.BatchNormalization(name="norm")(inputs, training=training)
    network = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    assert type(without_batch_statistics(network).get_layer("norm")) is keras.layers.GroupNormalization


def test_networks_inside_networks_are_rebuilt():
    inner = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(8, 3), keras.layers.BatchNormalization(name="inner_norm")],
        name="inner",
    )
    block = keras.Input((6, 6, 8))
    functional = keras.Model(
        block, keras.layers.BatchNormalization(name="block_norm")(keras.ops.relu(block)), name="block"
    )
    rebuilt = without_batch_statistics(network_of(inner, functional))
    found = {layer.name: type(layer) for layer in rebuilt._flatten_layers()}
    assert found["inner_norm"] is found["block_norm"] is keras.layers.GroupNormalization


def test_a_sequential_network_is_rebuilt():
    network = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(8, 3),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3),
        ]
    )
    assert type(without_batch_statistics(network).get_layer("norm")) is keras.layers.GroupNormalization


def test_a_layer_that_is_called_twice_gets_the_groups_of_its_smaller_map():
    shared = keras.layers.BatchNormalization(name="norm")
    inputs = keras.Input((8, 8, 3))
    x = shared(keras.layers.Conv2D(32, 3)(inputs))
    x = shared(keras.layers.GlobalAveragePooling2D(keepdims=True)(x))
    network = without_batch_statistics(keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(x))))
    assert network.get_layer("norm").groups == 2


def test_what_has_no_batch_statistics_stays_as_it_is():
    network = network_of(keras.layers.Conv2D(4, 3), keras.layers.Dropout(0.5), keras.layers.LayerNormalization())
    weights = network.get_weights()
    assert without_batch_statistics(network) is network
    for before, after in zip(weights, network.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


class Block(keras.layers.Layer):
    """A layer that hides a batch normalisation."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm = keras.layers.BatchNormalization(name="hidden")

    def build(self, input_shape):
        self.norm.build(input_shape)

    def call(self, inputs, training=None):
        return self.norm(inputs, training=training)

    def compute_output_shape(self, input_shape):
        return input_shape


def test_a_batch_normalisation_inside_a_layer_is_refused():
    with pytest.raises(PluginError, match=r"'probed' can't be trained .* layer '.*hidden' \(BatchNormalization\)"):
        without_batch_statistics(network_of(Block(), keras.layers.BatchNormalization()))


def test_a_network_of_its_own_class_is_refused():
    class Network(keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.norm = keras.layers.BatchNormalization()
            self.pool = keras.layers.GlobalAveragePooling2D()

        def call(self, inputs, training=None):
            return self.pool(self.norm(inputs, training=training))

    network = Network()
    network(np.zeros((1, 4, 4, 3), np.float32))
    with pytest.raises(PluginError, match=r"'own' can't be trained .* only networks that are built with keras\.Model"):
        without_batch_statistics(network)


class LeansOnTheBatch(keras.layers.Layer):
    """Adds a little of the batch's mean, once its gate has opened."""

    def build(self, input_shape):
        self.gate = self.add_weight(name="gate", shape=(), initializer="zeros")

    def call(self, inputs, training=None):
        if not training:
            return inputs
        return inputs + self.gate * keras.ops.mean(inputs, axis=0, keepdims=True)


class LeansOnItsNeighbour(keras.layers.Layer):
    """Adds a little of the row before."""

    def call(self, inputs):
        return inputs + 0.01 * keras.ops.roll(inputs, 1, axis=0)


@pytest.mark.parametrize("layer", [LeansOnTheBatch, LeansOnItsNeighbour])
def test_rows_that_change_each_other_are_refused(layer):
    with pytest.raises(PluginError, match=r"'probed' can't be trained .* logits change with the images beside it"):
        without_batch_statistics(network_of(layer(), keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization()))


class Remembers(keras.layers.Layer):
    """Keeps a moving average of what it sees, and does nothing with it."""

    def build(self, input_shape):
        self.average = self.add_weight(name="average", shape=(), initializer="zeros", trainable=False)

    def call(self, inputs, training=None):
        if training:
            self.average.assign(0.9 * self.average + 0.1 * keras.ops.mean(inputs))
        return inputs


def test_state_that_steps_leave_without_noise_is_refused():
    with pytest.raises(PluginError, match=r"training changes '.*average', which is no trained weight"):
        without_batch_statistics(network_of(Remembers()))
