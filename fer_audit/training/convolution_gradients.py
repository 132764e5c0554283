"""Gradients of convolution kernels for every example of a batch."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import tensorflow as tf

from fer_audit.training.example_gradients import (
    ExampleGradients,
    MadeGradients,
    factoring_pays,
    product_gradients,
)


@dataclass(frozen=True)
class Window:
    """How a kernel slides over a map; `taps` are those rows and columns of it that are used, contiguous."""

    taps: tuple[range, range]
    strides: tuple[int, int]
    dilation: tuple[int, int]
    padding: Literal["SAME", "VALID"]

    @property
    def size(self) -> tuple[int, int]:
        """Taps down and across."""
        return len(self.taps[0]), len(self.taps[1])


class PaddedGradients(ExampleGradients):
    """Gradients of the used taps of a kernel; the others have none."""

    def __init__(self, used: ExampleGradients, window: Window, kernel: Sequence[int]) -> None:
        """`kernel` is the whole one's shape (kh, kw, ...)."""
        self._used = used
        self._shape = [*window.size, *kernel[2:]]
        around = [[taps.start, size - taps.stop] for taps, size in zip(window.taps, kernel, strict=False)]
        self._paddings = [*around, *([0, 0] for _ in kernel[2:])]

    def squared_norms(self) -> Any:
        """Squared L2 norms (B,)."""
        return self._used.squared_norms()

    def weighted_sum(self, weights: Any) -> Any:
        """The sum over examples of gradients times `weights` (B,)."""
        return tf.pad(tf.reshape(self._used.weighted_sum(weights), self._shape), self._paddings)


def convolution_gradients(inputs: Any, upstream: Any, window: Window, kernel: Sequence[int]) -> ExampleGradients:
    """Of a kernel of shape (kh, kw, I, O) on `inputs` (B, H, W, C), where `upstream` (B, h, w, O) came back.

    With fewer inputs I than channels C the convolution is one in groups.
    """
    taps, (rows, columns, outputs) = math.prod(window.size), upstream.shape[1:]
    positions, whole = rows * columns, kernel[2] == inputs.shape[-1]
    if whole and (taps == 1 or factoring_pays(positions, taps * kernel[2], outputs) or not grouped_gradients_work()):
        factors = tf.reshape(_patches(inputs, window), [-1, positions, taps * kernel[2]])
        used = product_gradients(factors, tf.reshape(upstream, [-1, positions, outputs]))
    else:
        used = _folded_convolution(inputs, upstream, window, kernel[2])
    return PaddedGradients(used, window, kernel)


def _patches(inputs: Any, window: Window) -> Any:
    """What the taps meet at each position, (B, h, w, kh * kw * C)."""
    if window.size == window.strides == (1, 1):
        return inputs
    return tf.image.extract_patches(
        inputs, [1, *window.size, 1], [1, *window.strides, 1], [1, *window.dilation, 1], window.padding
    )


def _folded_convolution(inputs: Any, upstream: Any, window: Window, channels: int) -> ExampleGradients:
    """By one convolution in groups, of which each example is one.

    After Rochette et al. 2019, "Efficient Per-Example Gradient Computations in Convolutional Neural Networks".
    """
    outputs = upstream.shape[-1]
    folded = tf.raw_ops.Conv2DBackpropFilter(
        input=_fold(inputs),
        filter_sizes=tf.stack([*window.size, channels, outputs * tf.shape(upstream)[0]]),
        out_backprop=_fold(upstream),
        strides=[1, *window.strides, 1],
        padding=window.padding,
        dilations=[1, *window.dilation, 1],
    )
    return MadeGradients(tf.reshape(folded, [*window.size, channels, -1, outputs]), axis=3)


def _fold(maps: Any) -> Any:
    """Examples (B, H, W, C) side by side as channels, (1, H, W, B * C)."""
    return tf.reshape(tf.transpose(maps, [1, 2, 0, 3]), [1, *maps.shape[1:3], -1])


@functools.cache
def grouped_gradients_work() -> bool:
    """Whether this TensorFlow has gradients of convolutions in groups; on processors only oneDNN has."""
    with tf.init_scope():  # now, though this is asked while tracing
        ones = tf.ones([1, 1, 1, 2])
        try:
            tf.raw_ops.Conv2DBackpropFilter(
                input=ones, filter_sizes=[1, 1, 1, 2], out_backprop=ones, strides=[1, 1, 1, 1], padding="VALID"
            )
        except tf.errors.OpError:
            return False
    return True


def depthwise_gradients(inputs: Any, upstream: Any, window: Window, kernel: Sequence[int]) -> ExampleGradients:
    """Of a depthwise kernel of shape (kh, kw, C, m) on `inputs` (B, H, W, C), `upstream` (B, h, w, C * m) came back.

    As each channel has taps of its own, examples can stand side by side as channels.
    """
    padded = _fold(_padded(inputs, window, upstream.shape[1:3]))
    # oneDNN's gradient is the faster one for kernels of 3x3, and a hundred times slower for others.
    way = _by_gradient if window.size == (3, 3) and window.dilation == (1, 1) else _by_correlation
    gradients = way(padded, upstream, window, kernel[3])
    shape = [*window.size, -1, upstream.shape[-1]]
    return PaddedGradients(MadeGradients(tf.reshape(gradients, shape), axis=2), window, kernel)


def _by_gradient(padded: Any, upstream: Any, window: Window, multiplier: int) -> Any:
    return tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
        input=padded,
        filter_sizes=tf.stack([*window.size, tf.shape(padded)[3], multiplier]),
        out_backprop=_fold(upstream),
        strides=[1, *window.strides, 1],
        padding="VALID",
    )


def _by_correlation(padded: Any, upstream: Any, window: Window, multiplier: int) -> Any:
    """A tap's gradient is the product of what came back and what the tap met: `upstream` slides over the input."""
    spread = _fold(_spread(upstream, window.strides))
    kernel = tf.reshape(spread, [*spread.shape[1:3], -1, multiplier])
    return tf.raw_ops.DepthwiseConv2dNative(
        input=padded, filter=kernel, strides=[1, *window.dilation, 1], padding="VALID"
    )


def _spread(maps: Any, strides: tuple[int, int]) -> Any:
    """`maps` (B, h, w, O) at the pixels of the input on which their positions lie, with zeros between them."""
    if strides == (1, 1):
        return maps
    (rows, columns, channels), (down, across) = maps.shape[1:], strides
    apart = tf.reshape(maps, [-1, rows, 1, columns, 1, channels])
    apart = tf.pad(apart, [[0, 0], [0, 0], [0, down - 1], [0, 0], [0, across - 1], [0, 0]])
    whole = tf.reshape(apart, [-1, rows * down, columns * across, channels])
    return whole[:, : (rows - 1) * down + 1, : (columns - 1) * across + 1]


def _padded(inputs: Any, window: Window, outputs: Sequence[int]) -> Any:
    """What of `inputs` and of the zeros around them a kernel meets at `outputs` (h, w) positions."""
    reached = [
        (positions - 1) * stride + (taps - 1) * dilation + 1
        for positions, stride, taps, dilation in zip(outputs, window.strides, window.size, window.dilation, strict=True)
    ]
    missing = [max(length - pixels, 0) for length, pixels in zip(reached, inputs.shape[1:3], strict=True)]
    # TensorFlow's rule for `same`; with `valid` nothing is missing.
    around = [[lacking // 2, lacking - lacking // 2] for lacking in missing]
    return tf.pad(inputs, [[0, 0], *around, [0, 0]])[:, : reached[0], : reached[1]]
