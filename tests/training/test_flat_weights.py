"""All trained weights as one vector."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from fer_audit.errors import PluginError
from fer_audit.training.flat_weights import FlatWeights


def network(**options):
    inputs = keras.Input((3,))
    x = keras.layers.Dense(4, kernel_regularizer=keras.regularizers.L2(0.1), **options)(inputs)
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Dropout(0.5)(x)))


def test_there_and_back():
    model = network()
    flat = FlatWeights(model)
    flat.gather()
    before = [np.array(weight) for weight in model.weights]
    np.testing.assert_array_equal(flat.vector, np.concatenate([np.ravel(w) for w in model.trainable_weights]))
    for piece, weight in zip(flat.pieces(), model.trainable_weights, strict=True):
        np.testing.assert_array_equal(piece, weight)
    flat.vector.assign(2 * flat.vector)
    flat.scatter()
    for weight, value in zip(model.trainable_weights, before, strict=False):
        np.testing.assert_array_equal(weight, 2 * value)


def test_the_network_computes_with_the_pieces_and_its_penalties_do_too():
    model = network()
    flat = FlatWeights(model)
    pieces = [tf.ones_like(piece) for piece in flat.pieces()]
    with flat.instead(pieces):
        outputs = model(np.ones((1, 3), np.float32))
        penalty = sum(model.losses)
    np.testing.assert_allclose(outputs, [[4 * 4 + 1] * 2])
    np.testing.assert_allclose(penalty, 0.1 * 12, rtol=1e-6)


def test_what_a_layer_assigns_meanwhile_is_kept():
    model = network()
    flat = FlatWeights(model)
    state = next(v for v in model.non_trainable_variables if "seed" in v.path)
    before = np.array(state)
    with flat.instead(flat.pieces()):
        model(np.ones((1, 3), np.float32), training=True)
    assert (np.array(state) != before).any()


def test_what_can_not_be_one_vector_is_refused():
    with pytest.raises(PluginError, match="is float16; expected trainable weights in float32"):
        FlatWeights(network(dtype="float16"))
    with pytest.raises(PluginError, match="has a constraint, which training does not apply"):
        FlatWeights(network(kernel_constraint="max_norm"))
    frozen = network()
    frozen.trainable = False
    with pytest.raises(PluginError, match="no trainable weights"):
        FlatWeights(frozen)


class Normalised(keras.layers.Dense):
    """A layer that writes into its own trained weight."""

    def call(self, inputs):
        self.kernel.assign(self.kernel / tf.norm(self.kernel))
        return super().call(inputs)


def test_a_layer_that_writes_into_a_trained_weight_is_refused():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, Normalised(4)(inputs))
    flat = FlatWeights(model)
    with pytest.raises(PluginError, match=r"assigns to the trained weight .*kernel"), flat.instead(flat.pieces()):
        model(np.ones((1, 3), np.float32))
