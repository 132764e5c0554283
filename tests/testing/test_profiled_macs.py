"""MACs by TensorFlow's profiler, and where it is blind, are those that are counted of the layers."""

import keras
import pytest

from fer_audit.metrics.compute import count
from fer_audit.testing.profiled_macs import profiled_macs

L = keras.layers

#: Layer, shape of its input, and whether the profiler sees it rightly.
LAYERS = {
    "strided": (L.Conv2D(4, 3, strides=2, padding="same"), (9, 8, 6), True),
    "valid": (L.Conv2D(4, 3), (9, 8, 6), True),
    "dilated": (L.Conv2D(4, 3, dilation_rate=2, padding="same"), (9, 8, 6), False),
    "dilated valid": (L.Conv2D(4, 3, dilation_rate=2), (9, 8, 6), False),
    "grouped": (L.Conv2D(4, 3, groups=2, padding="same"), (9, 8, 6), False),
    "grouped dilated": (L.Conv2D(4, 3, groups=2, dilation_rate=2), (9, 8, 6), False),
    "depthwise": (L.DepthwiseConv2D(3, strides=2, depth_multiplier=2), (9, 9, 6), True),
    "depthwise dilated": (L.DepthwiseConv2D(3, dilation_rate=2, padding="same"), (9, 8, 6), False),
    "separable": (L.SeparableConv2D(5, 3, padding="same"), (9, 8, 6), True),
    "transposed": (L.Conv2DTranspose(5, 3, strides=2), (9, 8, 6), False),
    "one axis": (L.Conv1D(4, 3, padding="same"), (9, 6), True),
    "one axis dilated": (L.Conv1D(4, 3, padding="causal", dilation_rate=2), (9, 6), False),
    "three axes": (L.Conv3D(4, 3, padding="same"), (5, 4, 3, 6), True),
    "dense": (L.Dense(4), (6,), True),
    "dense of a map": (L.Dense(4), (9, 8, 6), True),
    "einsum": (L.EinsumDense("abc,cde->abde", output_shape=(None, 4, 5)), (9, 6), True),
    "einsum of any rank": (L.EinsumDense("...c,cd->...d", output_shape=(4,)), (9, 6), False),
}


def through(layer, shape):
    inputs = keras.Input(shape)
    return keras.Model(inputs, layer(inputs))


@pytest.mark.parametrize("case", LAYERS)
def test_the_macs_of_a_layer_are_those_that_are_counted(case):
    layer, shape, seen = LAYERS[case]
    model = through(layer, shape)
    found = profiled_macs(model, shape)
    counted = count(model).macs
    assert counted > 0
    assert (found.profiler, found.shapes) == ((counted, 0) if seen else (0, counted))
    assert (found.apart, found.loops) == (0, [])


def test_products_without_a_weight_are_apart():
    inputs = keras.Input((9, 6))
    squares = keras.ops.matmul(inputs, keras.ops.transpose(inputs, (0, 2, 1)))
    found = profiled_macs(keras.Model(inputs, squares), (9, 6))
    assert (found.share, found.apart) == (0, 9 * 9 * 6)


def test_constants_are_no_weights():
    model = through(L.Lambda(keras.ops.image.rgb_to_grayscale), (9, 8, 3))
    found = profiled_macs(model, (9, 8, 3))
    assert (found.share, found.apart) == (0, 9 * 8 * 3)


def test_what_is_computed_of_weights_alone_counts_for_no_image():
    class Squared(L.Dense):
        def call(self, inputs):
            return keras.ops.matmul(inputs, keras.ops.matmul(self.kernel, self.kernel))

    found = profiled_macs(through(Squared(6), (6,)), (6,))
    assert (found.share, found.apart) == (36, 0)


def test_a_loop_is_noted():
    assert len(profiled_macs(through(L.LSTM(4), (9, 6)), (9, 6)).loops) == 1
