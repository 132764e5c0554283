"""What a network costs: parameters, multiply-accumulates and latency.

MACs are those of convolution and dense layers only, one multiply-accumulate counted as 1; biases, normalisation,
activations, pooling and element-wise work are not counted. Networks come as arguments and are read by the names of
their layers' classes, so that nothing here imports Keras.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np

from fer_audit.errors import PluginError
from fer_audit.metrics.activations import tensor_bytes
from fer_audit.metrics.graph import Call, Shape, ancestors, read_graph


@dataclass(frozen=True)
class ComputeCount:
    """The cost of one image through a network."""

    params_total: int
    params_trainable: int
    macs: int

    @property
    def flops(self) -> int:
        """Float operations of the counted layers: two for each multiply-accumulate."""
        return 2 * self.macs


@dataclass(frozen=True)
class LayerCost:
    """The cost of one call in a network's graph, of one image."""

    name: str  #: with the models that it lies in, such as `body/conv`
    kind: str  #: the layer's class, or the operation's
    output_shape: Shape  #: of the first output, without the batch
    params_total: int  #: of weights that no earlier call has: a layer called twice has its weights once
    params_trainable: int
    macs: int
    activation_bytes: int  #: of all outputs

    @property
    def flops(self) -> int:
        """Two for each multiply-accumulate."""
        return 2 * self.macs


class Speed(NamedTuple):
    """Wall time of calls with `batch` images: milliseconds a call, and images a second over all `runs` calls."""

    batch: int
    p50_ms: float
    p95_ms: float
    images_per_s: float
    runs: int


def count(model: Any) -> ComputeCount:
    """Parameters and MACs of a built Keras `model`; a layer called twice counts twice.

    A custom layer with kernels of its own declares `macs(input_shape) -> int`; raises PluginError where it does not.
    """
    macs = sum(_call_macs(call) for call in read_graph(model).calls)
    return ComputeCount(_size(model.weights), _size(model.trainable_weights), macs)


def layers(model: Any) -> list[LayerCost]:
    """The cost of every call in the graph of a built Keras `model`, in running order; their sums are `count(model)`.

    Weights that no call of the graph has make up a last entry. Raises PluginError as `count` does, and for a network
    that leaves the size of its images open.
    """
    trainable = {id(weight) for weight in model.trainable_weights}
    waiting = {id(weight): weight for weight in model.weights}
    costs = []
    for call in read_graph(model).calls:
        own = [waiting.pop(id(weight)) for weight in getattr(call.layer, "weights", ()) if id(weight) in waiting]
        costs.append(
            LayerCost(
                name=call.path,
                kind=type(call.layer).__name__,
                output_shape=call.outputs[0].shape[1:],
                params_total=_size(own),
                params_trainable=_size([weight for weight in own if id(weight) in trainable]),
                macs=_call_macs(call),
                activation_bytes=sum(tensor_bytes(tensor) for tensor in call.outputs),
            )
        )
    if waiting:
        rest = list(waiting.values())
        trained = [weight for weight in rest if id(weight) in trainable]
        costs.append(LayerCost("(outside the graph)", type(model).__name__, (), _size(rest), _size(trained), 0, 0))
    return costs


def fvcore(model: Any) -> int:
    """MACs, and 2 for each element that a batch normalisation returns: how fvcore counts (and calls it flops)."""
    calls = read_graph(model).calls
    norms = [call for call in calls if "BatchNormalization" in ancestors(call.layer)]
    elements = sum(_fixed(call.layer, call.outputs[0].shape[1:]) for call in norms)
    return sum(_call_macs(call) for call in calls) + 2 * elements


def measure_speed(
    model: Callable[[Any], Any], image_shape: Sequence[int], *, batch: int, runs: int = 50, warmup: int = 5
) -> Speed:
    """Times `runs` calls of `model` on random uint8 images (batch, H, W, C), after `warmup` that don't count."""
    for name, value in (("runs", runs), ("batch", batch)):
        if value < 1:
            raise ValueError(f"expected {name} >= 1, got {value}")
    images = np.random.default_rng(0).integers(0, 256, (batch, *image_shape), dtype=np.uint8)
    milliseconds = [_milliseconds(model, images) for _ in range(warmup + runs)][warmup:]
    p50, p95 = np.percentile(milliseconds, [50, 95])
    return Speed(batch, float(p50), float(p95), 1000 * batch / float(np.mean(milliseconds)), runs)


def _milliseconds(model: Callable[[Any], Any], images: Any) -> float:
    start = time.perf_counter()
    np.asarray(model(images))  # an accelerator's result counts once it is here
    return 1000 * (time.perf_counter() - start)


def _size(weights: Sequence[Any]) -> int:
    return sum(prod(weight.shape) for weight in weights)


def _call_macs(call: Call) -> int:
    return _layer_macs(call.layer, call.inputs[0].shape, call.outputs[0].shape)


def _layer_macs(layer: Any, received: Shape, returned: Shape) -> int:
    if callable(getattr(layer, "macs", None)):
        return int(layer.macs(received))
    classes = ancestors(layer)
    for name, formula in _FORMULAS.items():
        if name in classes:
            return formula(layer, received, returned)
    return _no_macs(layer, classes)


def _convolution(layer: Any, received: Shape, returned: Shape) -> int:
    # The kernel holds (k..., channels in / groups, channels out), or (k..., channels, multiplier) if depthwise.
    return _positions(layer, returned) * _size([layer.kernel])


def _transposed_convolution(layer: Any, received: Shape, returned: Shape) -> int:
    return _positions(layer, received) * _size([layer.kernel])


def _separable_convolution(layer: Any, received: Shape, returned: Shape) -> int:
    return _positions(layer, returned) * _size([layer.depthwise_kernel, layer.pointwise_kernel])


def _dense(layer: Any, received: Shape, returned: Shape) -> int:
    return _fixed(layer, received[1:-1]) * _size([layer.kernel])


def _einsum_dense(layer: Any, received: Shape, returned: Shape) -> int:
    """One MAC for each combination of the equation's indices; the batch is 1."""
    inputs, kernel = layer.equation.partition("->")[0].split(",")
    indices = _indices(inputs, (1, *received[1:])) | _indices(kernel, tuple(layer.kernel.shape))
    return _fixed(layer, tuple(indices.values()))


def _indices(subscripts: str, shape: Shape) -> dict[str, int]:
    """The length of each index of one operand; those of an ellipsis are called by their place."""
    before, ellipsis, after = subscripts.strip().partition("...")
    covered = len(shape) - len(before) - len(after) if ellipsis else 0
    names = [*before, *(f"...{place}" for place in range(covered)), *after]
    return dict(zip(names, shape, strict=True))


#: Classes of Keras whose calls are counted, by the name of the class or of an ancestor of it.
_FORMULAS: dict[str, Callable[[Any, Shape, Shape], int]] = {
    "BaseConv": _convolution,
    "BaseDepthwiseConv": _convolution,
    "BaseSeparableConv": _separable_convolution,
    "BaseConvTranspose": _transposed_convolution,
    "Dense": _dense,
    "EinsumDense": _einsum_dense,
}


def _no_macs(layer: Any, classes: set[str]) -> int:
    """Zero, unless the layer has kernels that would go uncounted."""
    weights = getattr(layer, "weights", ())
    if "PReLU" not in classes and any(len(weight.shape) > 1 for weight in weights):
        raise PluginError(
            f"layer {layer.name!r} ({type(layer).__name__}) has kernels whose MACs are unknown; declare "
            f"'macs(input_shape) -> int' on its class"
        )
    return 0


def _positions(layer: Any, shape: Shape) -> int:
    """Places of a map of `shape`."""
    return _fixed(layer, shape[1:-1] if layer.data_format == "channels_last" else shape[2:])


def _fixed(layer: Any, lengths: Sequence[int | None]) -> int:
    known = [length for length in lengths if length is not None]
    if len(known) < len(lengths):
        raise PluginError(f"layer {layer.name!r} takes images of any size; build the network for one size to count it")
    return prod(known)
