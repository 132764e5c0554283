"""Memory of a network's activations: the tensors between its layers."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any, NamedTuple

import numpy as np

from fer_audit.errors import PluginError
from fer_audit.metrics.graph import Graph, Tensor, read_graph

#: Bytes of the types that NumPy does not know.
_BYTES = {"bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1}


class ActivationBytes(NamedTuple):
    """Bytes of activations of one image."""

    peak: int  #: inference: the most that is alive at once
    outputs: int  #: training: what all calls return, kept for the gradients


def activation_bytes(model: Any) -> ActivationBytes:
    """Bytes of the activations of a built Keras `model` for one image, each tensor in its own dtype.

    The peak is the largest sum of tensors alive at one time, the image included: the graph runs in Keras' order, every
    call returns a tensor of its own (nothing is done in place), and a tensor is freed after its last use. What a kernel
    needs inside is not counted. A network built for a fixed batch is measured for that batch. Raises PluginError for a
    network without a graph, and for one that leaves the size of its images open.
    """
    graph = read_graph(model)
    outputs = sum(tensor_bytes(tensor) for call in graph.calls for tensor in call.outputs)
    return ActivationBytes(_peak(graph), outputs)


def _peak(graph: Graph) -> int:
    last = {tensor.number: place for place, call in enumerate(graph.calls) for tensor in call.inputs}
    last |= {tensor.number: len(graph.calls) for tensor in graph.outputs}
    alive = {tensor.number: tensor_bytes(tensor) for tensor in graph.inputs}
    peak = sum(alive.values())
    for place, call in enumerate(graph.calls):
        alive |= {tensor.number: tensor_bytes(tensor) for tensor in call.outputs}
        peak = max(peak, sum(alive.values()))
        for number in _numbers((*call.inputs, *call.outputs)):
            if last.get(number, place) == place:  # nobody asks for it again, or ever
                del alive[number]
    return peak


def _numbers(tensors: Iterable[Tensor]) -> set[int]:
    return {tensor.number for tensor in tensors}


def tensor_bytes(tensor: Tensor) -> int:
    """Bytes of `tensor` for one image; raises PluginError where a length other than the batch is open."""
    batch, *lengths = tensor.shape or (1,)
    known = [length for length in lengths if length is not None]
    if len(known) < len(lengths):
        raise PluginError("the network takes images of any size; build it for one size to measure its activations")
    each = _BYTES.get(tensor.dtype) or np.dtype(tensor.dtype).itemsize
    return (1 if batch is None else batch) * prod(known) * each
