"""Float operations of a network as TensorFlow's profiler counts them, and as keras-flops does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import keras
import tensorflow as tf

from fer_audit.training.fused_batch_norm import fuse_batch_norms
from fer_audit.training.quiet import quiet

#: Float operations of a fused batch normalisation in inference, for each channel: the factor gamma / sqrt(variance + e)
#: (an addition, a root and a reciprocal, a product) and the offset beta - mean * factor (two).
_NORM_OPERATIONS_A_CHANNEL = 6


@dataclass(frozen=True)
class FloatOps:
    """Float operations of one image, in two conventions."""

    profiler: int  #: `total_float_ops` of the TensorFlow profiler, which counts nothing for a fused batch norm
    keras_flops: int  #: the same with fused batch norms (2 an element, 6 a channel) and maxima (1 a comparison)


def profile(network: keras.Model, input_shape: Sequence[int]) -> FloatOps:
    """Float operations of `network` for one image of `input_shape` (H, W, C), in inference.

    Batch normalisation is profiled through TensorFlow's fused kernel, as it is trained here and as Keras 2 ran it. The
    profiler knows 2 x MACs of convolutions and dense layers and most element-wise work; it is blind to activations,
    to `Einsum`, and to what runs as a function of its own, such as grouped convolutions. So the figure depends on how
    a network is written, and may even lie below 2 x MACs.
    """
    with quiet(), _fused(network):
        images = tf.TensorSpec((1, *input_shape), tf.float32)
        graph = tf.function(lambda batch: network(batch, training=False)).get_concrete_function(images).graph
        builder = tf.compat.v1.profiler.ProfileOptionBuilder
        options = builder(builder.float_operation()).with_empty_output().build()
        found = tf.compat.v1.profiler.profile(graph, cmd="op", options=options)
    counted = int(found.total_float_ops)
    return FloatOps(counted, counted + sum(_beyond_profiler(operation) for operation in graph.get_operations()))


@contextmanager
def _fused(network: keras.Model) -> Iterator[None]:
    """Switches batch normalisations of `network` to the fused kernel, and back."""
    classes = [(layer, type(layer)) for layer in network._flatten_layers()]
    fuse_batch_norms(network)
    try:
        yield
    finally:
        for layer, cls in classes:
            layer.__class__ = cls


def _beyond_profiler(operation: Any) -> int:
    """What keras-flops counts of an operation that the profiler does not know."""
    if operation.type == "FusedBatchNormV3":
        outputs, scale = operation.outputs[0].shape, operation.inputs[1].shape
        return int(2 * prod(outputs) + _NORM_OPERATIONS_A_CHANNEL * prod(scale))
    if operation.type == "Max":
        return int(prod(operation.inputs[0].shape) - prod(operation.outputs[0].shape))
    return 0
