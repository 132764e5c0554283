"""The gradients of one weight for every example of a batch: their norms and weighted sums, made or not.

A weight's gradient for one example is a sum over the positions at which the weight is used, of outer products of what
it was multiplied with and what came back. Norms of it can be had from either side (Goodfellow 2015; Li et al. 2022,
"Large Language Models Can Be Strong Differentially Private Learners", section 4; Bu et al. 2022, "Scalable and
Efficient Training of Large Convolutional Neural Networks with Differential Privacy", section 4).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import tensorflow as tf

#: Multiplications in the time that a value of a made gradient costs by being written, squared and summed.
_MULTIPLICATIONS_A_VALUE = 8


class ExampleGradients(ABC):
    """The gradients of one weight for the B examples of a batch; all methods are called while tracing."""

    @abstractmethod
    def squared_norms(self) -> Any:
        """Squared L2 norms (B,)."""

    @abstractmethod
    def weighted_sum(self, weights: Any) -> Any:
        """The sum over examples of gradients times `weights` (B,), its values in the weight's order."""


class MadeGradients(ExampleGradients):
    """Gradients that are there, in a tensor of which one axis stands for the examples."""

    def __init__(self, gradients: Any, axis: int = 0) -> None:
        """The other axes of `gradients`, without `axis`, are the weight's, of known lengths."""
        shape = gradients.shape
        before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
        self._gradients = tf.reshape(gradients, [before, -1, after] if axis else [-1, after])

    def squared_norms(self) -> Any:
        """Squared L2 norms (B,)."""
        return tf.reduce_sum(tf.square(self._gradients), axis=[0, 2] if self._gradients.shape.rank == 3 else 1)

    def weighted_sum(self, weights: Any) -> Any:
        """The sum over examples of gradients times `weights` (B,)."""
        if self._gradients.shape.rank == 3:
            return tf.reduce_sum(self._gradients * tf.expand_dims(weights, 1), axis=1)
        return tf.linalg.matvec(self._gradients, weights, transpose_a=True)


class FactoredGradients(ExampleGradients):
    """Gradients that are sums of outer products over positions, never made: sum_t a_t g_t' of each example."""

    def __init__(self, factors: Any, upstream: Any) -> None:
        """From `factors` a (B, T, I) and `upstream` g (B, T, O), a weight's (I, O) gradients."""
        self._factors = factors
        self._upstream = upstream

    def squared_norms(self) -> Any:
        """|sum_t a_t g_t'|^2 = sum_st (a_s . a_t) (g_s . g_t), (B,)."""
        of_factors = tf.matmul(self._factors, self._factors, transpose_b=True)
        of_upstream = tf.matmul(self._upstream, self._upstream, transpose_b=True)
        return tf.reduce_sum(of_factors * of_upstream, axis=[1, 2])

    def weighted_sum(self, weights: Any) -> Any:
        """The sum over examples and positions of a_t (weight g_t)', (I, O): one product of matrices."""
        factors = tf.reshape(self._factors, [-1, self._factors.shape[2]])
        upstream = tf.reshape(self._upstream * tf.reshape(weights, [-1, 1, 1]), [-1, self._upstream.shape[2]])
        return tf.matmul(factors, upstream, transpose_a=True)


def product_gradients(factors: Any, upstream: Any) -> ExampleGradients:
    """Of a weight (I, O) that multiplies `factors` (B, T, I), where `upstream` (B, T, O) came back; T, I, O known."""
    if factoring_pays(factors.shape[1], factors.shape[2], upstream.shape[2]):
        return FactoredGradients(factors, upstream)
    return MadeGradients(tf.matmul(factors, upstream, transpose_a=True))


def factoring_pays(positions: int, inputs: int, outputs: int) -> bool:
    """Whether products between all positions cost less than making gradients of a weight (I, O)."""
    return positions**2 * (inputs + outputs) <= _MULTIPLICATIONS_A_VALUE * inputs * outputs


def bias_gradients(upstream: Any) -> ExampleGradients:
    """Of what is added at all positions, where `upstream` (B, ..., O) came back."""
    return MadeGradients(tf.reduce_sum(upstream, axis=list(range(1, upstream.shape.rank - 1))))
