"""A convolution without bias, then batch normalisation, then perhaps an activation: the brick of every network here."""

from __future__ import annotations

from typing import Any

from fer_audit.lazy import keras

#: Keras' settings of batch normalisation.
MOMENTUM, EPSILON = 0.99, 1e-3


def conv_bn(
    x: Any,
    filters: int,
    kernel_size: int,
    *,
    name: str,
    activation: str | None = None,
    momentum: float = MOMENTUM,
    epsilon: float = EPSILON,
    **options: Any,
) -> Any:
    """Conv2D, batch normalisation and `activation` of `x`; `options` are Conv2D's."""
    settings = {"padding": "same", "use_bias": False, **options}
    x = keras.layers.Conv2D(filters, kernel_size, name=f"{name}_conv", **settings)(x)
    return norm_act(x, activation, name=name, momentum=momentum, epsilon=epsilon)


def depthwise_bn(
    x: Any,
    kernel_size: int,
    *,
    name: str,
    activation: str | None = None,
    momentum: float = MOMENTUM,
    epsilon: float = EPSILON,
    **options: Any,
) -> Any:
    """DepthwiseConv2D, batch normalisation and `activation` of `x`; `options` are DepthwiseConv2D's."""
    settings = {"padding": "same", "use_bias": False, **options}
    x = keras.layers.DepthwiseConv2D(kernel_size, name=f"{name}_depthwise", **settings)(x)
    return norm_act(x, activation, name=name, momentum=momentum, epsilon=epsilon)


def norm_act(
    x: Any, activation: str | None = None, *, name: str, momentum: float = MOMENTUM, epsilon: float = EPSILON
) -> Any:
    """Batch normalisation and `activation` of `x`."""
    x = keras.layers.BatchNormalization(momentum=momentum, epsilon=epsilon, name=f"{name}_bn")(x)
    return keras.layers.Activation(activation, name=f"{name}_{activation}")(x) if activation else x
