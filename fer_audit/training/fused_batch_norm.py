"""Keras batch normalisation through TensorFlow's fused kernel: the same variables and the same numbers, in one op."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from fer_audit.training.swapped_layers import swap_layers


class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """`keras.layers.BatchNormalization` over the last axis of (B, H, W, C), by FusedBatchNormV3."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalised `inputs` (B, H, W, C); in training the moving statistics follow with Keras' biased variance."""
        training = bool(training) and self.trainable
        normalised, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(self.gamma),
            offset=tf.convert_to_tensor(self.beta),
            mean=tf.zeros([0]) if training else tf.convert_to_tensor(self.moving_mean),
            variance=tf.zeros([0]) if training else tf.convert_to_tensor(self.moving_variance),
            epsilon=self.epsilon,
            is_training=training,
        )
        if training:
            rate = 1.0 - self.momentum
            _approach(self.moving_mean.value, mean, rate)
            # The kernel returns the unbiased variance n / (n - 1); Keras keeps the biased one.
            n = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
            _approach(self.moving_variance.value, variance * (tf.maximum(n - 1.0, 1.0) / n), rate)
        return normalised


def _approach(moving: tf.Variable, statistic: Any, rate: float) -> None:
    """Moving -= rate * (moving - statistic), the subtraction and the product in one op."""
    tf.raw_ops.ResourceApplyGradientDescent(var=moving.handle, alpha=rate, delta=moving.value() - statistic)


def fuse_batch_norms(network: keras.Model) -> int:
    """Switches the plain batch normalisations of `network` to the fused kernel in place; returns how many."""
    return swap_layers(network, lambda layer: FusedBatchNormalization if _fits(layer) else None)


def _fits(layer: Any) -> bool:
    if type(layer) is not keras.layers.BatchNormalization or layer.input_spec is None:
        return False
    rank = layer.input_spec.ndim
    return bool(rank == 4 and layer.axis in (-1, 3) and layer.center and layer.scale)
