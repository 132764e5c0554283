"""Both ways of clipping against gradients of single examples, one after another, by plain Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from fer_audit.errors import PluginError
from fer_audit.registry import Registry
from fer_audit.training import convolution_gradients
from fer_audit.training.flat_weights import FlatWeights
from fer_audit.training.fused_group_norm import fuse_group_norms
from fer_audit.training.ghost_gradients import GhostGradients
from fer_audit.training.group_norm import without_batch_statistics
from fer_audit.training.per_example_gradients import PerExampleGradients
from fer_audit.training.recorded_layers import NotRecordedError
from fer_audit.training.trimmed_convolution import trim_convolutions

REGISTRY = Registry.load([])
CLASSES, ROWS = 3, 4
layers = keras.layers


@pytest.fixture(autouse=True)
def _initial_weights_are_the_same_each_time():
    keras.utils.set_random_seed(0)


def network_of(*between, size=6, channels=4):
    """`between` on maps of `channels`, each pixel of which then has weights of its own."""
    inputs = keras.Input((size, size, channels))
    x = inputs
    for layer in between:
        x = layer(x)
    network = keras.Model(inputs, layers.Dense(CLASSES, name="logits")(layers.Flatten()(x)), name="network")
    fuse_group_norms(network)
    trim_convolutions(network)
    return drawn(network)


def drawn(network, deviation=0.5):
    """Weights that no initializer would give: biases and shifts, scales that are no ones."""
    rng = np.random.default_rng(1)
    for weight in network.trainable_variables:
        weight.assign(np.array(weight) + rng.normal(0, deviation, weight.shape))
    return network


def batch_for(network, rows=ROWS):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(rows, *network.input_shape[1:])).astype(np.float32)
    return tf.constant(images), tf.one_hot(rng.integers(0, network.output_shape[1], rows), network.output_shape[1])


def single_gradients(network, images, labels):
    """The gradient (P,) of each row alone."""
    found = []
    for row in range(len(images)):
        with tf.GradientTape() as tape:
            logits = network(images[row : row + 1], training=True)
            loss = tf.reduce_sum(tf.nn.softmax_cross_entropy_with_logits(labels[row : row + 1], logits))
        gradients = tape.gradient(loss, [weight.value for weight in network.trainable_variables])
        found.append(np.concatenate([np.ravel(gradient) for gradient in gradients]))
    return np.array(found)


def check(way, network, images, labels):
    """Clipped where it must be: at the middle one of the norms."""
    weights = FlatWeights(network)
    weights.gather()
    gradients = single_gradients(network, images, labels)
    norms = np.linalg.norm(gradients, axis=1)
    clip = float(np.sort(norms)[len(norms) // 2])
    assert norms.min() < clip < norms.max()
    present = tf.constant([1.0] * (len(images) - 1) + [0.0])
    expected = (gradients * np.minimum(1, clip / norms)[:, None])[:-1].sum(axis=0)
    found, losses, logits = way(network, weights).clipped_sum(images, labels, present, clip)
    assert np.linalg.norm(found - expected) <= 1e-4 * np.linalg.norm(expected)
    np.testing.assert_allclose(logits, network(images, training=True), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(
        losses, tf.nn.softmax_cross_entropy_with_logits(labels, logits) * present, rtol=1e-3, atol=1e-5
    )


LAYERS = {
    "dense on maps": lambda: [layers.Dense(5, activation="tanh")],
    "dense on many inputs": lambda: [layers.Flatten(), layers.Dense(40, activation="relu", use_bias=False)],
    "convolution": lambda: [layers.Conv2D(5, 3, activation="tanh")],
    "convolution, same": lambda: [layers.Conv2D(5, (3, 2), padding="same", use_bias=False)],
    "convolution, strided": lambda: [layers.Conv2D(5, 3, strides=2, padding="same")],
    "convolution, strided unevenly": lambda: [layers.Conv2D(5, 3, strides=(2, 1))],
    "convolution, dilated": lambda: [layers.Conv2D(5, 3, padding="same", dilation_rate=(1, 2))],
    "convolution, in groups": lambda: [layers.Conv2D(6, 3, groups=2, padding="same")],
    "convolution, 1x1": lambda: [layers.Conv2D(5, 1)],
    "convolution, 1x1 strided": lambda: [layers.Conv2D(5, 1, strides=2)],
    "convolution, one output": lambda: [layers.Conv2D(1, 5, padding="same", activation="sigmoid")],
    "convolution of a small map, factored": lambda: [layers.AveragePooling2D(3), layers.Conv2D(24, 3, padding="same")],
    "convolution of a pixel, trimmed": lambda: [layers.AveragePooling2D(6), layers.Conv2D(9, 3, padding="same")],
    "convolution, trimmed": lambda: [layers.AveragePooling2D(2), layers.Conv2D(2, 7, padding="same")],
    "convolution, trimmed and strided": lambda: [
        layers.AveragePooling2D(2),
        layers.Conv2D(2, 5, strides=2, padding="same"),
    ],
    "depthwise": lambda: [layers.DepthwiseConv2D(3, activation="tanh")],
    "depthwise, same": lambda: [layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)],
    "depthwise, strided": lambda: [layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False)],
    "depthwise, large": lambda: [layers.DepthwiseConv2D((5, 2), padding="same", depth_multiplier=2)],
    "depthwise, large and strided": lambda: [layers.DepthwiseConv2D(4, strides=2, padding="same")],
    "depthwise, large, strided and valid": lambda: [layers.DepthwiseConv2D(2, strides=2, padding="valid")],
    "depthwise, dilated": lambda: [layers.DepthwiseConv2D(3, dilation_rate=2, padding="same")],
    "depthwise, trimmed": lambda: [layers.AveragePooling2D(3), layers.DepthwiseConv2D(5, strides=2, padding="same")],
    "separable": lambda: [layers.SeparableConv2D(5, 3, padding="same", depth_multiplier=2, activation="tanh")],
    "separable, strided": lambda: [layers.SeparableConv2D(5, 3, strides=2, use_bias=False)],
    "group norm": lambda: [layers.GroupNormalization(2)],
    "group norm of a vector": lambda: [layers.GlobalAveragePooling2D(), layers.GroupNormalization(2)],
    "group norm, scale alone": lambda: [layers.GroupNormalization(2, center=False)],
    "group norm, shift alone": lambda: [layers.GroupNormalization(1, scale=False)],
    "layer norm": lambda: [layers.LayerNormalization()],
    "layer norm, shift alone": lambda: [layers.LayerNormalization(scale=False)],
    "frozen": lambda: [layers.Conv2D(5, 3, trainable=False), layers.Conv2D(5, 3)],
    "one after another": lambda: [
        layers.Conv2D(6, 3, padding="same", use_bias=False),
        layers.GroupNormalization(3),
        layers.ReLU(),
        layers.SeparableConv2D(4, 3),
        layers.LayerNormalization(),
    ],
    "a network in a network": lambda: [keras.Sequential([layers.Conv2D(5, 3), layers.ReLU()]), layers.Dense(4)],
}


@pytest.mark.parametrize("name", LAYERS)
def test_ghost_clipping_is_clipping(name):
    network = network_of(*LAYERS[name]())
    check(GhostGradients, network, *batch_for(network))


@pytest.mark.parametrize("name", [name for name in LAYERS if name.startswith("convolution") and "groups" not in name])
def test_kernels_are_clipped_without_gradients_in_groups_too(name, monkeypatch):
    monkeypatch.setattr(convolution_gradients, "grouped_gradients_work", lambda: False)
    network = network_of(*LAYERS[name]())
    check(GhostGradients, network, *batch_for(network))


@pytest.mark.parametrize("name", ["one after another", "convolution, trimmed", "depthwise, strided"])
def test_clipping_each_gradient_is_clipping(name):
    network = network_of(*LAYERS[name]())
    check(PerExampleGradients, network, *batch_for(network))


def built_in(name):
    """A built-in network as a private program has it."""
    keras.utils.clear_session()
    model = REGISTRY.create("model", name, {})
    side = max(32, model.minimum_size)
    network = without_batch_statistics(model.create((side, side, 3), 7))
    fuse_group_norms(network)
    trim_convolutions(network)
    return network


WHOLE = ["ghostface", "mini-xception"]


@pytest.mark.parametrize("name", sorted(set(REGISTRY.names("model")) - set(WHOLE)))
def test_built_in_models_can_be_ghost_clipped(name):
    network = built_in(name)
    assert GhostGradients(network, FlatWeights(network)).name == "ghost"


@pytest.mark.parametrize("name", WHOLE)
def test_ghost_clipping_of_whole_networks_is_clipping(name):
    network = drawn(built_in(name), 0.02)
    images = np.random.default_rng(0).uniform(0, 255, (3, *network.input_shape[1:])).astype(np.float32)
    check(GhostGradients, network, tf.constant(images), tf.one_hot([0, 3, 5], 7))


class Gate(keras.layers.Layer):
    """A weight in a layer that nobody knows."""

    def build(self, shape):
        self.gate = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, inputs):
        return inputs * self.gate


class Rectangular(layers.Conv2D):
    """A convolution that computes otherwise than the class it inherits from."""

    def call(self, inputs):
        return super().call(inputs) * 2


class Borrowing(keras.layers.Layer):
    """A layer that computes with the weight of another."""

    def __init__(self, lender):
        super().__init__()
        self._lender = [lender]

    def call(self, inputs):
        return inputs * keras.ops.sum(self._lender[0].kernel)


class Penalising(keras.layers.Layer):
    """A layer with a loss of its own."""

    def call(self, inputs):
        self.add_loss(keras.ops.mean(inputs**2))
        return inputs


def borrowing():
    lender = layers.Dense(4)
    return [lender, Borrowing(lender)]


def twice():
    layer = layers.Dense(4, name="again")
    return [layer, layer]


REFUSED = {
    "of an unknown class": (lambda: [Gate(name="gate")], r"layer 'gate' \(Gate\) is none of Dense, Conv2D,"),
    "of a class that inherits": (lambda: [Rectangular(2, 3, name="mine")], r"layer 'mine' \(Rectangular\) is none of"),
    "called twice": (twice, "weight 'again/kernel' is used 2 times"),
    "used elsewhere": (borrowing, "weight '.*kernel' is used outside the layer that owns it"),
    "with a loss": (lambda: [Penalising()], "a layer adds a loss of its own"),
    "over other axes": (lambda: [layers.LayerNormalization(axis=[1, 2], name="n")], "layer 'n' .* over other axes"),
    "over groups of rows": (lambda: [layers.GroupNormalization(2, axis=1, name="n")], "layer 'n' .* over other axes"),
    "in half precision": (lambda: [layers.Dense(4, dtype="mixed_bfloat16", name="h")], "layer 'h' .* in bfloat16"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_ghost_clipping_does_not_cover_is_named(case):
    make, message = REFUSED[case]
    network = network_of(*make())
    with pytest.raises(NotRecordedError, match=f"of network 'network': {message}.*set `clipping: per-example`"):
        GhostGradients(network, FlatWeights(network))
    assert issubclass(NotRecordedError, PluginError)


@pytest.mark.parametrize("case", ["of an unknown class", "called twice", "used elsewhere"])
def test_clipping_each_gradient_covers_it(case):
    network = network_of(*REFUSED[case][0]())
    check(PerExampleGradients, network, *batch_for(network))


@pytest.mark.parametrize("way", [GhostGradients, PerExampleGradients])
def test_each_example_drops_out_for_itself(way):
    """Of 8 equal rows, a pixel is out in all with chance 0.5 ** 8; if rows shared a mask, half of the pixels were."""
    inputs = keras.Input((8, 8, 4))
    network = keras.Model(inputs, layers.Dense(CLASSES)(layers.Dropout(0.5, seed=1)(layers.Flatten()(inputs))))
    weights = FlatWeights(network)
    images, labels = tf.ones([8, 8, 8, 4]), tf.one_hot([0] * 8, CLASSES)
    gradients = way(network, weights)
    first, again = (gradients.clipped_sum(images, labels, tf.ones([8]), 1e9)[0][:-CLASSES] for _ in range(2))
    unused = np.all(np.reshape(first, (-1, CLASSES)) == 0, axis=1)
    # 256 pixels, 1 expected: more than 12 by chance in one of 1e10.
    assert unused.sum() <= 12
    assert not np.array_equal(first, again)


class Drifting(layers.Dense):
    """A dense layer that forgets."""

    def call(self, inputs):
        self.kernel.assign(self.kernel * 0.9)
        return super().call(inputs)


def test_a_layer_that_assigns_to_a_trained_weight_is_refused():
    network = network_of(Drifting(4))
    gradients = PerExampleGradients(network, FlatWeights(network))
    with pytest.raises(PluginError, match=r"a layer assigns to the trained weight 'drifting.*/kernel'"):
        gradients.clipped_sum(*batch_for(network), tf.ones([ROWS]), 1.0)
