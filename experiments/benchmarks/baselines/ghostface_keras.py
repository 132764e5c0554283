"""GhostFace in plain Keras layers, as its source reads: what a Keras user would train.

It stands apart from `fer_audit.models.ghostface` on purpose: a cheaper form of the network there must not make the
baseline faster or slower unseen. `likeness` shows that both are one network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from baselines.architecture import EPSILON, FUSED, GHOST, MOMENTUM
from fer_audit.models.layers.input_normalization import InputNormalization

layers = keras.layers


def ghostface(size: int, classes: int) -> keras.Model:
    """The network from images (B, size, size, 3) in 0..255 to logits (B, classes)."""
    inputs = keras.Input((size, size, 3), name="images")
    x = InputNormalization(name="normalization")(inputs)
    x = _conv_bn(x, 8, 5, "stem", strides=2, activation="relu")
    for place, (filters, stride, attention) in enumerate(FUSED, 1):
        x = _fused_block(x, filters, stride, attention, f"fused{place}")
    for place, (filters, stride) in enumerate(GHOST, 1):
        x = _ghost_bottleneck(x, filters, stride, f"ghost{place}")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(240, name="features")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="ghostface")


def weights_by_path(network: keras.Model) -> dict[str, npt.NDArray[Any]]:
    """All weights of `network` by their path."""
    return {weight.path: np.array(weight) for weight in network.weights}


def copy_weights(weights: Mapping[str, npt.NDArray[Any]], network: keras.Model) -> None:
    """Assigns `weights` to those of `network` by path; raises ValueError unless both have the same paths."""
    paths = {weight.path for weight in network.weights}
    if paths != set(weights):
        raise ValueError(f"the networks differ in their weights: {sorted(paths ^ set(weights))[:6]}")
    for weight in network.weights:
        weight.assign(weights[weight.path])


def _bn(x: Any, name: str, activation: str | None = None) -> Any:
    x = layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=f"{name}_bn")(x)
    return layers.Activation(activation, name=f"{name}_{activation}")(x) if activation else x


def _conv_bn(
    x: Any, filters: int, kernel: int, name: str, strides: int = 1, activation: str | None = None, bias: bool = False
) -> Any:
    conv = layers.Conv2D(filters, kernel, strides=strides, padding="same", use_bias=bias, name=f"{name}_conv")
    return _bn(conv(x), name, activation)


def _fused_block(x: Any, filters: int, stride: int, attention: bool, name: str) -> Any:
    y = _conv_bn(x, filters, 3, f"{name}_1", strides=stride, activation="relu")
    if attention:
        y = _triplet_attention(y, f"{name}_attention")
    y = _conv_bn(y, filters, stride, f"{name}_2", strides=stride)
    return layers.Add(name=f"{name}_add")([x, y]) if stride == 1 else y


def _ghost_bottleneck(x: Any, filters: int, stride: int, name: str) -> Any:
    y = _ghost_module(x, filters, "relu", f"{name}_1")
    y = _bn(y, f"{name}_mid", "relu")
    y = _triplet_attention(y, f"{name}_attention")
    y = _ghost_module(y, filters, None, f"{name}_2")
    y = _bn(y, f"{name}_out")
    if stride == 1:
        return layers.Add(name=f"{name}_add")([x, y])
    x = _depthwise(1, f"{name}_shortcut_depthwise")(x)
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_shortcut_conv")(x)
    y = layers.Add(name=f"{name}_add")([x, y])
    return _depthwise(3, f"{name}_down", strides=2)(y)


def _ghost_module(x: Any, filters: int, activation: str | None, name: str) -> Any:
    primary = _conv_bn(x, filters, 3, f"{name}_primary", activation="relu")
    cheap = _bn(_depthwise(3, f"{name}_cheap_depthwise")(primary), f"{name}_cheap", activation)
    return layers.Add(name=f"{name}_add")([primary, cheap])


def _depthwise(kernel: int, name: str, strides: int = 1) -> Any:
    return layers.DepthwiseConv2D(
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        depthwise_initializer=keras.initializers.RandomNormal(stddev=1 / kernel),
        name=name,
    )


def _triplet_attention(x: Any, name: str) -> Any:
    permute = layers.Permute
    over_rows_columns = _gate(x, f"{name}_hw")
    over_rows_channels = permute((1, 3, 2))(_gate(permute((1, 3, 2))(x), f"{name}_hc"))
    over_channels_rows = permute((2, 3, 1))(_gate(permute((3, 1, 2))(x), f"{name}_ch"))
    return layers.Average(name=f"{name}_mean")([over_rows_columns, over_rows_channels, over_channels_rows])


def _gate(x: Any, name: str) -> Any:
    peak = keras.ops.max(x, axis=-1, keepdims=True)
    mean = keras.ops.mean(x, axis=-1, keepdims=True)
    pooled = layers.Concatenate(name=f"{name}_pool")([peak, mean])
    gate = _conv_bn(pooled, 1, 7, name, activation="sigmoid", bias=True)
    return layers.Multiply(name=f"{name}_gated")([x, gate])
