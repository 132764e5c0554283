"""What the layers of a network multiply their weights with, recorded while it computes."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from fer_audit.errors import PluginError
from fer_audit.training.convolution_gradients import (
    Window,
    convolution_gradients,
    depthwise_gradients,
    grouped_gradients_work,
)
from fer_audit.training.example_gradients import ExampleGradients, MadeGradients, bias_gradients, product_gradients
from fer_audit.training.fused_group_norm import FusedGroupNormalization, group_norm
from fer_audit.training.trimmed_convolution import TrimmedConv2D, TrimmedDepthwiseConv2D, reached_taps


class NotRecordedError(PluginError):
    """A network of which some weight's use can't be recorded."""


@dataclass(frozen=True)
class Use:
    """One use of a weight."""

    weight: keras.Variable
    watched: Any  #: a tensor whose gradient tells those of the weight
    gradients: Callable[[Any], ExampleGradients]  #: from the gradient of `watched`


class Record:
    """The uses of trained weights in one pass through a network."""

    def __init__(self, trained: Iterable[keras.Variable], examples: Any, watch: Callable[[Any, Any], Any]) -> None:
        """For a pass of `examples`.

        `watch` is given what a gradient is wanted of, and what it was computed from beside weights, which may be
        nothing; it returns what to go on with.
        """
        self.uses: list[Use] = []
        self.watch = watch
        self._copies = tf.stack([examples, 1])
        self._trained = {id(weight) for weight in trained}

    def add(self, weight: keras.Variable, watched: Any, gradients: Callable[[Any], ExampleGradients]) -> None:
        """Keeps a use of `weight`, if it is trained."""
        if id(weight) in self._trained:
            self.uses.append(Use(weight, watched, gradients))

    def copies(self, weight: keras.Variable) -> Any:
        """A copy of `weight` (C,) for each example, (B, C), whose gradient is that example's."""
        copies = self.watch(tf.tile(tf.expand_dims(tf.convert_to_tensor(weight), 0), self._copies), None)
        self.add(weight, copies, MadeGradients)
        return copies


@contextlib.contextmanager
def recorded(layers: Iterable[Any], record: Record) -> Iterator[None]:
    """Within it, the calls of `layers`, each of a recordable one, go to `record`; afterwards they are as before."""
    with contextlib.ExitStack() as stack:
        for layer in layers:
            stack.enter_context(_replaced(layer, "call", partial(_RECORDED[type(layer)], layer, layer.call, record)))
        yield


@contextlib.contextmanager
def _replaced(layer: Any, name: str, value: Any) -> Iterator[None]:
    attributes = vars(layer)
    had, before = name in attributes, attributes.get(name)
    # Not by setattr: Keras tracks what is set, and refuses it on some layers that are built.
    attributes[name] = value
    try:
        yield
    finally:
        if had:
            attributes[name] = before
        else:
            del attributes[name]


def recordable(network: keras.Model) -> list[Any]:
    """The layers of `network` with trained weights; raises NotRecordedError where one of them can't be recorded."""
    layers = [layer for layer in network._flatten_layers() if any(w.trainable for w in layer._trainable_variables)]
    for layer in layers:
        reason = _obstacle(layer)
        if reason:
            raise NotRecordedError(f"layer {layer.path!r} ({type(layer).__name__}) {reason}")
    return layers


def _obstacle(layer: Any) -> str | None:
    """Why `layer` can't be recorded."""
    if any(None in inputs.shape[1:] for node in layer._inbound_nodes for inputs in node.input_tensors):
        return "is called on maps of unknown size"
    if _normalises_elsewhere(layer):
        return "normalises over other axes than the last"
    if type(layer) not in _RECORDED:
        return "is none of " + ", ".join(kind.__name__ for kind in _NAMED)
    if layer.compute_dtype != "float32":
        return f"computes in {layer.compute_dtype}"
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        return "has its channels first"
    if isinstance(layer, keras.layers.Conv2D):
        unable = layer.groups > 1 and not grouped_gradients_work()
        return "convolves in groups, of which TensorFlow has no gradients here" if unable else None
    uneven = len(set(getattr(layer, "dilation_rate", ()))) > 1
    return "is dilated by different steps down and across" if uneven else None


def _normalises_elsewhere(layer: Any) -> bool:
    if type(layer) is keras.layers.LayerNormalization:
        return bool(layer.axis not in (-1, [-1]) or layer.rms_scaling)
    # One that could have been fused was.
    return type(layer) is keras.layers.GroupNormalization and layer.compute_dtype == "float32"


def _dense(layer: Any, call: Any, record: Record, inputs: Any, **options: Any) -> Any:
    outputs = record.watch(_before_activation(layer, call, inputs, **options), inputs)
    positions = math.prod(inputs.shape[1:-1])

    def gradients(upstream: Any) -> ExampleGradients:
        factors = tf.reshape(inputs, [-1, positions, inputs.shape[-1]])
        return product_gradients(factors, tf.reshape(upstream, [-1, positions, layer.units]))

    record.add(layer._kernel, outputs, gradients)
    return _biased(layer, record, outputs)


def _convolution(layer: Any, call: Any, record: Record, inputs: Any) -> Any:
    outputs = record.watch(_before_activation(layer, call, inputs), inputs)
    kernel, window = layer._kernel, _window(layer, inputs)
    record.add(kernel, outputs, lambda g: convolution_gradients(inputs, g, window, kernel.shape))
    return _biased(layer, record, outputs)


def _depthwise(layer: Any, call: Any, record: Record, inputs: Any) -> Any:
    outputs = record.watch(_before_activation(layer, call, inputs), inputs)
    kernel, window = layer.kernel, _window(layer, inputs)
    record.add(kernel, outputs, lambda g: depthwise_gradients(inputs, g, window, kernel.shape))
    return _biased(layer, record, outputs)


def _separable(layer: Any, call: Any, record: Record, inputs: Any) -> Any:
    """Keras convolves by both kernels in one call; what is between them is needed here."""
    del call
    kernel, pointwise, window = layer.depthwise_kernel, layer.pointwise_kernel, _window(layer, inputs)
    between = keras.ops.depthwise_conv(
        inputs, kernel, layer.strides, layer.padding, layer.data_format, dilation_rate=layer.dilation_rate
    )
    between = record.watch(between, inputs)
    outputs = keras.ops.conv(between, pointwise, padding="valid", data_format=layer.data_format)
    outputs = record.watch(keras.ops.add(outputs, layer.bias) if layer.use_bias else outputs, between)
    point = Window((range(1), range(1)), (1, 1), (1, 1), "VALID")
    record.add(kernel, between, lambda g: depthwise_gradients(inputs, g, window, kernel.shape))
    record.add(pointwise, outputs, lambda g: convolution_gradients(between, g, point, pointwise.shape))
    return _biased(layer, record, outputs)


def _group_norm(layer: Any, call: Any, record: Record, inputs: Any) -> Any:
    del call
    gamma = record.copies(layer.gamma) if layer.scale else None
    beta = record.copies(layer.beta) if layer.center else None
    return group_norm(inputs, gamma, beta, groups=layer.groups, epsilon=layer.epsilon)


def _layer_norm(layer: Any, call: Any, record: Record, inputs: Any) -> Any:
    del call
    outputs = keras.ops.layer_normalization(inputs, axis=layer.axis, epsilon=layer.epsilon)
    shape = [-1, *(1 for _ in inputs.shape[1:-1]), inputs.shape[-1]]
    if layer.scale:
        outputs *= tf.reshape(record.copies(layer.gamma), shape)
    if layer.center:
        outputs += tf.reshape(record.copies(layer.beta), shape)
    return outputs


def _before_activation(layer: Any, call: Any, inputs: Any, **options: Any) -> Any:
    with _replaced(layer, "activation", None):
        return call(inputs, **options)


def _biased(layer: Any, record: Record, outputs: Any) -> Any:
    """The activation of `outputs`, to which a bias was added."""
    if layer.use_bias:
        record.add(layer.bias, outputs, bias_gradients)
    return outputs if layer.activation is None else layer.activation(outputs)


def _window(layer: Any, inputs: Any) -> Window:
    down, across = (_taps(layer, inputs, axis) for axis in (0, 1))
    return Window((down, across), tuple(layer.strides), tuple(layer.dilation_rate), layer.padding.upper())


def _taps(layer: Any, inputs: Any, axis: int) -> range:
    taps = layer.kernel_size[axis]
    if not isinstance(layer, TrimmedConv2D | TrimmedDepthwiseConv2D):
        return range(taps)
    return range(taps)[reached_taps(inputs.shape[1 + axis], taps, layer.strides[axis])]


#: By the very class: one that inherits may compute in another way.
_RECORDED: dict[type, Callable[..., Any]] = {
    keras.layers.Dense: _dense,
    keras.layers.Conv2D: _convolution,
    TrimmedConv2D: _convolution,
    keras.layers.DepthwiseConv2D: _depthwise,
    TrimmedDepthwiseConv2D: _depthwise,
    keras.layers.SeparableConv2D: _separable,
    FusedGroupNormalization: _group_norm,
    keras.layers.LayerNormalization: _layer_norm,
}

#: As a user would call them.
_NAMED: Collection[type] = (
    keras.layers.Dense,
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
)
