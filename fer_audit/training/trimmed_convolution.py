"""Convolutions without the kernel taps that meet nothing but padding: the same numbers, less work on small maps.

A 3x3 kernel with `same` padding on a 1x1 map multiplies eight of its nine taps by zeros, and a 7x7 kernel on a 2x2 map
forty of forty-nine. The last stages of a small network work on such maps, and hold most of its weights.
"""

from __future__ import annotations

import math
from typing import Any

import keras

from fer_audit.training.swapped_layers import swap_layers


class TrimmedConv2D(keras.layers.Conv2D):  # type: ignore[misc]
    """`keras.layers.Conv2D` that leaves out the taps that no pixel reaches."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """The convolution of `inputs` (B, H, W, C) with what of `kernel` meets them."""
        return super().convolution_op(inputs, trim(kernel, inputs.shape[1:3], self.strides))


class TrimmedDepthwiseConv2D(keras.layers.DepthwiseConv2D):  # type: ignore[misc]
    """`keras.layers.DepthwiseConv2D` that leaves out the taps that no pixel reaches."""

    def call(self, inputs: Any) -> Any:
        """The convolution of `inputs` (B, H, W, C) with what of the kernel meets them, plus bias, then activation."""
        kernel = trim(self.kernel, inputs.shape[1:3], self.strides)
        outputs = keras.ops.depthwise_conv(inputs, kernel, self.strides, self.padding, data_format="channels_last")
        if self.use_bias:
            outputs = keras.ops.add(outputs, self.bias)
        return outputs if self.activation is None else self.activation(outputs)


def trim(kernel: Any, size: tuple[int | None, ...], strides: tuple[int, ...]) -> Any:
    """The part of `kernel` (kh, kw, ...) that meets a map of `size` (H, W) under `same` padding."""
    rows, columns = (
        reached_taps(pixels, taps, stride) for pixels, taps, stride in zip(size, kernel.shape[:2], strides, strict=True)
    )
    if (rows, columns) == (slice(0, kernel.shape[0]), slice(0, kernel.shape[1])):
        return kernel
    return kernel[rows, columns]


def reached_taps(pixels: int | None, taps: int, stride: int) -> slice:
    """The taps of a kernel that meet a pixel, `same` padding given; all where the shorter kernel would be misplaced."""
    everything = slice(0, taps)
    if pixels is None:
        return everything
    before = _padding_before(pixels, taps, stride)
    outputs = math.ceil(pixels / stride)
    first = max(0, before - (outputs - 1) * stride)
    last = min(taps - 1, before + pixels - 1)
    # `same` padding is worked out anew for the shorter kernel, and must put its first tap where it was.
    if _padding_before(pixels, last + 1 - first, stride) != before - first:
        return everything
    return slice(first, last + 1)


def _padding_before(pixels: int, taps: int, stride: int) -> int:
    """Zeros before the first pixel, by TensorFlow's rule for `same`."""
    outputs = math.ceil(pixels / stride)
    return max((outputs - 1) * stride + taps - pixels, 0) // 2


def trim_convolutions(network: keras.Model) -> int:
    """Switches the convolutions of `network` to trimmed kernels in place; returns how many."""
    return swap_layers(network, _trimmed)


_TRIMMED = {keras.layers.Conv2D: TrimmedConv2D, keras.layers.DepthwiseConv2D: TrimmedDepthwiseConv2D}


def _trimmed(layer: Any) -> type | None:
    trimmed = _TRIMMED.get(type(layer))
    return trimmed if trimmed is not None and _fits(layer) else None


def _fits(layer: Any) -> bool:
    plain = layer.padding == "same" and layer.data_format == "channels_last"
    return plain and set(layer.dilation_rate) == {1} and max(layer.kernel_size) > 1
