"""The graph of a built Keras network: its layers' calls in running order, and the tensors between them.

Networks come as arguments and are read by the names of their classes, so that nothing here imports Keras.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fer_audit.errors import PluginError

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Tensor:
    """One tensor between layers; `number` tells it apart. Lengths that the network leaves open are None."""

    number: int
    shape: Shape
    dtype: str


@dataclass(frozen=True)
class Call:
    """One call of a layer, or of a plain operation of `keras.ops`; `path` names the models that it lies in."""

    layer: Any
    path: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True)
class Graph:
    """A network as its calls in the order in which Keras runs them; models inside it are opened."""

    inputs: tuple[Tensor, ...]
    calls: tuple[Call, ...]
    outputs: tuple[Tensor, ...]


def read_graph(model: Any) -> Graph:
    """The graph of `model`; raises PluginError for a network without one.

    A model inside it that declares `macs(input_shape) -> int` stays closed, as one call.
    """
    reader = _Reader()
    inputs = [reader.tensor(symbol) for symbol in _functional(model).inputs]
    outputs = reader.walk(model, inputs, "")
    return Graph(tuple(inputs), tuple(reader.calls), tuple(outputs))


def ancestors(layer: Any) -> set[str]:
    """Names of the class of `layer` and of all that it descends from."""
    return {cls.__name__ for cls in type(layer).__mro__}


class _Reader:
    """Numbers tensors and collects calls; a model that is called twice is walked twice."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._numbers = itertools.count()

    def tensor(self, symbol: Any) -> Tensor:
        """A new tensor like Keras' symbolic one."""
        return Tensor(next(self._numbers), tuple(symbol.shape), str(symbol.dtype))

    def walk(self, model: Any, inputs: Sequence[Tensor], prefix: str) -> list[Tensor]:
        """Collects the calls of `model` on `inputs`, and returns its outputs."""
        graph = _functional(model)
        known = {id(symbol): tensor for symbol, tensor in zip(graph.inputs, inputs, strict=True)}
        for depth in sorted(graph._nodes_by_depth, reverse=True):
            for node in graph._nodes_by_depth[depth]:
                if node.input_tensors:
                    received = [known[id(symbol)] for symbol in node.input_tensors]
                    returned = self._called(node, received, prefix)
                    known |= {id(symbol): tensor for symbol, tensor in zip(node.output_tensors, returned, strict=True)}
        return [known[id(symbol)] for symbol in graph.outputs]

    def _called(self, node: Any, received: list[Tensor], prefix: str) -> list[Tensor]:
        layer, path = node.operation, f"{prefix}{node.operation.name}"
        if "Model" in ancestors(layer) and not callable(getattr(layer, "macs", None)):
            return self.walk(layer, received, f"{path}/")
        returned = [self.tensor(symbol) for symbol in node.output_tensors]
        self.calls.append(Call(layer, path, tuple(received), tuple(returned)))
        return returned


def _functional(model: Any) -> Any:
    """The object that holds the graph: a Sequential keeps it in a functional model inside."""
    graph = getattr(model, "_functional", None) or model
    if not hasattr(graph, "_nodes_by_depth"):
        raise PluginError(
            f"network {model.name!r} has no graph to count; build it with keras.Model(inputs, outputs) or declare "
            f"'macs(input_shape) -> int' on its class"
        )
    return graph
