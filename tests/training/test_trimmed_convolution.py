"""Convolutions without taps that meet padding only: the same numbers as Keras' own."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from fer_audit.training.trimmed_convolution import reached_taps, trim_convolutions


def taps_in_use(pixels, taps, stride):
    """By definition: the taps that lie on a pixel for at least one output of a `same` convolution."""
    outputs = math.ceil(pixels / stride)
    before = max((outputs - 1) * stride + taps - pixels, 0) // 2
    places = [[output * stride - before + tap for output in range(outputs)] for tap in range(taps)]
    return [tap for tap, where in enumerate(places) if any(0 <= place < pixels for place in where)]


@given(st.integers(1, 12), st.integers(1, 11), st.integers(1, 4))
def test_no_tap_in_use_is_left_out(pixels, taps, stride):
    kept = range(taps)[reached_taps(pixels, taps, stride)]
    assert set(taps_in_use(pixels, taps, stride)) <= set(kept)


@given(st.integers(1, 12), st.sampled_from([1, 3, 5, 7, 9]))
def test_at_stride_one_no_other_tap_is_kept(pixels, taps):
    assert list(range(taps)[reached_taps(pixels, taps, 1)]) == taps_in_use(pixels, taps, 1)


def test_a_map_of_unknown_size_keeps_all_taps():
    assert reached_taps(None, 7, 1) == slice(0, 7)


LAYERS = {
    "convolution": lambda kernel, stride: keras.layers.Conv2D(4, kernel, stride, padding="same"),
    "with activation": lambda kernel, stride: keras.layers.Conv2D(4, kernel, stride, "same", activation="tanh"),
    "in groups": lambda kernel, stride: keras.layers.Conv2D(4, kernel, stride, "same", groups=2, use_bias=False),
    "depthwise": lambda kernel, stride: keras.layers.DepthwiseConv2D(kernel, stride, "same", activation="tanh"),
    "depthwise twice": lambda kernel, stride: keras.layers.DepthwiseConv2D(kernel, stride, "same", depth_multiplier=2),
}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("size", [(1, 1), (1, 3), (2, 2), (3, 2), (6, 6)])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (7, 1), (3, 2), (2, 2), (4, 1), ((7, 1), 1)])
def test_numbers_and_gradients_are_those_of_keras(layer, size, kernel, stride):
    rng = np.random.default_rng(0)
    inputs = keras.Input((*size, 4))
    model = keras.Model(inputs, LAYERS[layer](kernel, stride)(inputs))
    model.set_weights([rng.normal(size=weight.shape).astype(np.float32) for weight in model.weights])
    x = tf.constant(rng.normal(size=(3, *size, 4)).astype(np.float32))

    def run():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = model(x)
            loss = tf.reduce_sum(y**2)
        return [y, *tape.gradient(loss, [x, *(weight.value for weight in model.trainable_weights)])]

    expected = run()
    assert trim_convolutions(model) == 1
    for ours, theirs in zip(run(), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_what_does_not_pad_like_same_is_left_alone():
    inputs = keras.Input((6, 6, 4))
    x = keras.layers.Conv2D(4, 3)(inputs)
    x = keras.layers.Conv2D(4, 3, padding="same", dilation_rate=2)(x)
    x = keras.layers.Conv2D(4, 1, padding="same")(x)
    x = keras.layers.SeparableConv2D(4, 3, padding="same")(x)
    assert trim_convolutions(keras.Model(inputs, x)) == 0
