"""DP-SGD as one would write it in plain Keras and TensorFlow: a loop over the examples of a batch."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fer_audit.specs import PrivateTraining


class PlainKeras:
    """A network that is trained by SGD with a gradient tape, privately or not."""

    def __init__(self, network: keras.Model, batch_size: int) -> None:
        self._network, self._batch_size = network, batch_size
        self._optimizer = keras.optimizers.SGD(0.0, momentum=0.9)
        self._optimizer.build(network.trainable_variables)
        self._loss = keras.losses.CategoricalCrossentropy(from_logits=True, reduction="sum")
        images = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32)
        labels, scalar = tf.TensorSpec((None, network.output_shape[1]), tf.float32), tf.TensorSpec((), tf.float32)
        self._step = tf.function(self._trace_step, input_signature=[images, labels], autograph=False)
        self._sum = tf.function(self._trace_sum, input_signature=[images, labels, scalar], autograph=False)
        self._apply = tf.function(self._optimizer.apply, autograph=False)

    def step(self, images: Any, labels: Any, rate: float) -> None:
        """A plain step."""
        self._optimizer.learning_rate.assign(rate)
        self._step(images.astype(np.float32), labels)

    def private_step(self, images: Any, labels: Any, rate: float, mechanism: PrivateTraining) -> None:
        """A private step; weights have no penalties here."""
        self._optimizer.learning_rate.assign(rate)
        sums = self._sum(images.astype(np.float32), labels, mechanism.clip_norm)
        deviation = mechanism.clip_norm * mechanism.noise_multiplier
        noised = [total + tf.random.normal(total.shape, stddev=deviation) for total in sums]
        self._apply([total / self._batch_size for total in noised])

    def _gradients(self, images: Any, labels: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            loss = self._loss(labels, self._network(images, training=True))
        found: list[Any] = tape.gradient(loss, [weight.value for weight in self._network.trainable_variables])
        return found

    def _trace_step(self, images: Any, labels: Any) -> None:
        self._optimizer.apply([gradient / self._batch_size for gradient in self._gradients(images, labels)])

    def _trace_sum(self, images: Any, labels: Any, clip_norm: Any) -> list[Any]:
        def add(row: Any, *sums: Any) -> Any:
            gradients = self._gradients(images[row : row + 1], labels[row : row + 1])
            clipped, _ = tf.clip_by_global_norm(gradients, clip_norm)
            return [row + 1, *(total + tf.reshape(own, total.shape) for total, own in zip(sums, clipped, strict=True))]

        zeros = [tf.zeros(weight.shape) for weight in self._network.trainable_variables]
        rows = tf.shape(images)[0]
        _, *sums = tf.while_loop(lambda row, *_: row < rows, add, [0, *zeros])
        return sums
