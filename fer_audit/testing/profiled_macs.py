"""MACs of convolutions and of products with weights in a traced network, as TensorFlow's profiler counts them.

Where the profiler is blind, or counts other work than that of the layer, MACs come from the shapes of the operation:

- a grouped convolution runs as a function of its own, into which the profiler does not look;
- a dilated convolution runs on an image that is cut up and padded, and the profiler counts the padding;
- of a transposed convolution the profiler divides the result's size by the strides, which is only right where the
  padding leaves nothing over;
- of `Einsum` it knows nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from fer_audit.training.quiet import quiet

#: Operations of the share, and which input holds the kernel. What of a product is the kernel depends on who wrote it.
_CONVOLUTIONS = {"Conv2D": 1, "Conv3D": 1, "DepthwiseConv2dNative": 1, "Conv2DBackpropInput": 1}
_PRODUCTS = frozenset({"MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum"})

#: Functions that run once wherever they are called.
_FUNCTIONS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
#: Functions that run as often as what is computed says.
_LOOPS = frozenset({"While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase"})

#: What a tensor depends on.
_IMAGES, _WEIGHTS = "images", "weights"


@dataclass
class ProfiledMacs:
    """MACs of one image, by where their number comes from."""

    profiler: int = 0  #: from the profiler
    shapes: int = 0  #: of operations that the profiler does not see rightly, from the operations' shapes
    apart: int = 0  #: of products without a weight, such as attention's, and of constants; these are no layer's
    loops: list[str] = field(default_factory=list)  #: operations with a share that runs an unknown number of times

    @property
    def share(self) -> int:
        """Of convolutions and of products with weights."""
        return self.profiler + self.shapes


def profiled_macs(network: Any, input_shape: Sequence[int]) -> ProfiledMacs:
    """MACs of `network` for one image of `input_shape` (H, W, C), in inference."""
    import tensorflow as tf

    images = tf.TensorSpec((1, *input_shape), tf.float32)
    with quiet():  # TensorFlow warns where many networks are traced
        graph = tf.function(lambda batch: network(batch, training=False)).get_concrete_function(images).graph
        float_ops = _float_ops(graph)
    found = ProfiledMacs()
    _Walk(found, float_ops).through(graph, [{_IMAGES}, *_captured(graph.inputs[1:])])
    return found


def _float_ops(graph: Any) -> dict[str, int]:
    """The profiler's float operations by the name of the operation."""
    import tensorflow as tf

    builder = tf.compat.v1.profiler.ProfileOptionBuilder
    options = builder(builder.float_operation()).with_empty_output().build()
    root = tf.compat.v1.profiler.profile(graph, cmd="scope", options=options)
    return {node.name: int(node.float_ops) for node in _nodes(root)}


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in node.children:
        yield from _nodes(child)


def _captured(tensors: Sequence[Any]) -> Iterator[set[str]]:
    # What a traced function takes from outside are its variables, and constants.
    for tensor in tensors:
        yield {_WEIGHTS} if tensor.dtype.name == "resource" else set()


@dataclass
class _Walk:
    """Goes through graphs, and knows of each tensor whether images and weights are in it."""

    found: ProfiledMacs
    float_ops: dict[str, int]  #: of the outermost graph

    def through(self, graph: Any, given: Sequence[set[str]], inside: bool = False) -> list[set[str]]:
        """Counts the operations of `graph`, whose inputs depend on `given`; returns what its outputs depend on."""
        origins = {tensor.name: depends for tensor, depends in zip(graph.inputs, given, strict=True)}
        for operation in graph.get_operations():
            received = [origins.get(tensor.name, set()) for tensor in operation.inputs]
            returned = self._visit(graph, operation, received, inside)
            for number, tensor in enumerate(operation.outputs):
                origins.setdefault(tensor.name, returned[number])
        return [origins[tensor.name] for tensor in graph.outputs]

    def _visit(self, graph: Any, operation: Any, received: list[set[str]], inside: bool) -> list[set[str]]:
        if operation.type in _FUNCTIONS:
            return self.through(_function(graph, operation, "f"), received, inside=True)
        if operation.type in _LOOPS:
            self._note_loop(graph, operation)
        elif operation.type in _CONVOLUTIONS or operation.type in _PRODUCTS:
            self._count(operation, received, inside)
        return [set().union(*received)] * len(operation.outputs)

    def _count(self, operation: Any, received: list[set[str]], inside: bool) -> None:
        if not any(_IMAGES in depends for depends in received):
            return  # of weights alone: once for all images
        if not any(depends == {_WEIGHTS} for depends in received):
            self.found.apart += _macs(operation)
        elif not inside and _profiled_rightly(operation):
            self.found.profiler += self.float_ops.get(operation.name, 0) // 2
        else:
            self.found.shapes += _macs(operation)

    def _note_loop(self, graph: Any, operation: Any) -> None:
        names = [name for name in ("body", "then_branch", "else_branch") if name in operation.node_def.attr]
        bodies = [_function(graph, operation, name) for name in names]
        if not bodies or any(_has_share(body) for body in bodies):
            self.found.loops.append(operation.name)


def _function(graph: Any, operation: Any, attribute: str) -> Any:
    """The graph of a function that `operation` calls."""
    return graph._get_function(operation.get_attr(attribute).name).graph


def _has_share(graph: Any) -> bool:
    kinds = {operation.type for operation in graph.get_operations()}
    return bool(kinds & (_FUNCTIONS | _LOOPS | _PRODUCTS | _CONVOLUTIONS.keys()))


def _profiled_rightly(operation: Any) -> bool:
    if operation.type in ("Einsum", "Conv2DBackpropInput"):
        return False
    return operation.type not in _CONVOLUTIONS or _mended(operation) is None


def _macs(operation: Any) -> int:
    """MACs from the shapes of an operation's inputs and outputs."""
    shapes = [tuple(tensor.shape) for tensor in operation.inputs]
    if operation.type == "Einsum":
        return _einsum_macs(operation.get_attr("equation").decode(), shapes)
    if operation.type in _PRODUCTS:
        turned = "transpose_a" if operation.type == "MatMul" else "adj_x"
        inner = shapes[0][-2 if operation.get_attr(turned) else -1]
        return int(prod(operation.outputs[0].shape) * inner)
    if operation.type == "Conv2DBackpropInput":
        return int(prod(shapes[2]) * prod(shapes[1][:-1]))  # each element received meets the kernel of its channel
    kernel = shapes[1]
    meets = prod(kernel[:2]) if operation.type == "DepthwiseConv2dNative" else prod(kernel[:-1])
    result = _mended(operation) or operation
    return int(prod(result.outputs[0].shape) * meets)


def _mended(operation: Any) -> Any | None:
    """The operation that puts the image of a dilated convolution together again; None if it was not cut up."""
    while operation is not None and operation.type != "BatchToSpaceND":
        followers = operation.outputs[0].consumers()
        operation = next((each for each in followers if each.type in ("Squeeze", "BatchToSpaceND")), None)
    return operation


def _einsum_macs(equation: str, shapes: Sequence[tuple[int, ...]]) -> int:
    """One MAC for each combination of the equation's indices."""
    lengths: dict[str, int] = {}
    for subscripts, shape in zip(equation.partition("->")[0].split(","), shapes, strict=True):
        before, _, after = subscripts.strip().partition("...")
        covered = [f"...{place}" for place in range(len(shape) - len(before) - len(after))]
        lengths |= dict(zip([*before, *covered, *after], shape, strict=True))
    return prod(lengths.values())
