"""Group normalisation in closed form: the same numbers as Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from fer_audit.training.fused_group_norm import FusedGroupNormalization, fuse_group_norms, group_norm

SHAPES = [(3, 4, 8), (1, 1, 8), (5, 8), (8,)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("groups", [1, 2, 8])
@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}])
def test_fused_group_norm_is_keras_group_norm(shape, groups, options):
    rng = np.random.default_rng(0)
    inputs = keras.Input(shape)
    network = keras.Model(inputs, keras.layers.GroupNormalization(groups, epsilon=1e-2, **options)(inputs))
    for weight in network.trainable_variables:
        weight.assign(rng.normal(1, 0.5, weight.shape))
    x = tf.constant(rng.normal(3, 2, (4, *shape)).astype(np.float32))

    def run():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = network(x, training=True)
            loss = tf.reduce_sum(y**3)
        return [y, *tape.gradient(loss, [x, *(weight.value for weight in network.trainable_variables)])]

    expected = run()
    assert fuse_group_norms(network) == 1
    for ours, theirs in zip(run(), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)


def test_rows_may_have_scales_of_their_own():
    rng = np.random.default_rng(0)
    x, gamma, beta = (rng.normal(size=shape).astype(np.float32) for shape in ((3, 5, 4), (3, 4), (3, 4)))
    together = group_norm(tf.constant(x), tf.constant(gamma), tf.constant(beta), groups=2, epsilon=1e-3)
    for row in range(3):
        one = slice(row, row + 1)
        alone = group_norm(x[one], tf.constant(gamma[one]), tf.constant(beta[one]), groups=2, epsilon=1e-3)
        np.testing.assert_allclose(together[one], alone, rtol=1e-5, atol=1e-5)


def test_only_what_fits_is_fused():
    inputs = keras.Input((6, 6, 4))
    x = keras.layers.GroupNormalization(2)(inputs)
    x = keras.layers.GroupNormalization(2, axis=1)(x)
    x = keras.layers.GroupNormalization(2, dtype="mixed_bfloat16")(x)
    x = FusedGroupNormalization(2)(x)
    assert fuse_group_norms(keras.Model(inputs, x)) == 1
    anything = keras.Input((None, 6, 4))
    assert fuse_group_norms(keras.Model(anything, keras.layers.GroupNormalization(2)(anything))) == 0
