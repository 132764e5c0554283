"""What a network costs: parameters, multiply-accumulates and latency.

MACs are those of convolution and dense layers only, one multiply-accumulate counted as 1; biases, normalisation,
activations, pooling and element-wise work are not counted. Networks come as arguments and are read by the names of
their layers' classes, so that nothing here imports Keras.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Any, NamedTuple

import numpy as np

from fer_audit.errors import PluginError

Shape = tuple[int, ...]


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


class Latency(NamedTuple):
    """Milliseconds for one image: the median and the 95th percentile of `runs` calls."""

    p50_ms: float
    p95_ms: float
    runs: int


def count(model: Any) -> ComputeCount:
    """Parameters and MACs of a built Keras `model`; a layer called twice counts twice.

    A custom layer with kernels of its own declares `macs(input_shape) -> int`; raises PluginError where it does not.
    """
    return ComputeCount(_size(model.weights), _size(model.trainable_weights), _model_macs(model))


def measure_latency(
    model: Callable[[Any], Any], image_shape: Sequence[int], runs: int = 50, warmup: int = 5
) -> Latency:
    """Times `runs` calls of `model` on one random uint8 image (1, H, W, C), after `warmup` calls that don't count."""
    if runs < 1:
        raise ValueError(f"expected runs >= 1, got {runs}")
    image = np.random.default_rng(0).integers(0, 256, (1, *image_shape), dtype=np.uint8)
    milliseconds = [_milliseconds(model, image) for _ in range(warmup + runs)][warmup:]
    p50, p95 = np.percentile(milliseconds, [50, 95])
    return Latency(float(p50), float(p95), runs)


def _milliseconds(model: Callable[[Any], Any], image: Any) -> float:
    start = time.perf_counter()
    np.asarray(model(image))  # an accelerator's result counts once it is here
    return 1000 * (time.perf_counter() - start)


def _size(weights: Sequence[Any]) -> int:
    return sum(prod(weight.shape) for weight in weights)


def _model_macs(model: Any) -> int:
    return sum(_layer_macs(layer, received, returned) for layer, received, returned in _calls(model))


def _calls(model: Any) -> Iterator[tuple[Any, Shape, Shape]]:
    """Every call of a layer in the graph of `model`, with the shapes of its first input and first output."""
    # A Sequential keeps its graph in a functional model inside; a network without a graph can't be walked.
    graph = getattr(model, "_functional", None) or model
    if not hasattr(graph, "_nodes_by_depth"):
        raise PluginError(
            f"network {model.name!r} has no graph to count; build it with keras.Model(inputs, outputs) or declare "
            f"'macs(input_shape) -> int' on its class"
        )
    for node in chain.from_iterable(graph._nodes_by_depth.values()):
        if node.input_tensors:
            yield node.operation, tuple(node.input_tensors[0].shape), tuple(node.output_tensors[0].shape)


def _layer_macs(layer: Any, received: Shape, returned: Shape) -> int:
    if callable(getattr(layer, "macs", None)):
        return int(layer.macs(received))
    ancestors = {cls.__name__ for cls in type(layer).__mro__}
    for name, formula in _FORMULAS.items():
        if name in ancestors:
            return formula(layer, received, returned)
    if "Model" in ancestors:
        return _model_macs(layer)
    return _no_macs(layer, ancestors)


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


def _no_macs(layer: Any, ancestors: set[str]) -> int:
    """Zero, unless the layer has kernels that would go uncounted."""
    weights = getattr(layer, "weights", ())
    if "PReLU" not in ancestors and any(len(weight.shape) > 1 for weight in weights):
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
