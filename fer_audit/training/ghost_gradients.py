"""Clipping without the gradients of single examples: norms from activations and what comes back to them.

One pass forward keeps what each weight is multiplied with, one pass back makes the gradients of the layers' outputs.
Norms follow from both, and so does the sum of the clipped gradients, without a second pass back: the book-keeping of
Bu et al. 2023, "Differentially Private Optimization on Large Model at Small Cost". It builds on Goodfellow 2015,
"Efficient Per-Example Gradient Computations"; Lee & Kifer 2021, "Scaling up Differentially Private Deep Learning with
Fast Per-Example Gradient Clipping"; and Li et al. 2022, "Large Language Models Can Be Strong Differentially Private
Learners".
"""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import keras
import tensorflow as tf

from fer_audit.training.clipped_gradients import ClippedGradients
from fer_audit.training.flat_weights import FlatWeights
from fer_audit.training.recorded_layers import NotRecordedError, Record, recordable, recorded


class GhostGradients(ClippedGradients):
    """Clipped sums for networks whose weights are each used once, by layers that can be recorded."""

    name: ClassVar[str] = "ghost"

    def __init__(self, network: keras.Model, weights: FlatWeights) -> None:
        """Looks at all layers, and at one pass of a black image; raises NotRecordedError for what isn't covered."""
        self._network = network
        self._weights = weights
        try:
            self._layers = recordable(network)
            self._check_uses()
        except NotRecordedError as error:
            raise NotRecordedError(
                f"ghost clipping can't be had of network {network.name!r}: {error}; set `clipping: per-example`, or "
                f"`auto`, which falls back to it"
            ) from None

    def _check_uses(self) -> None:
        """Without the recorded uses, a loss must not depend on the weights; raises NotRecordedError where it does."""
        record = Record(self._network.trainable_variables, 1, _cut)
        pieces = self._weights.pieces()
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(pieces)
            with self._weights.instead(pieces):
                penalties = len(self._network.losses)
                with recorded(self._layers, record):
                    logits = self._network(tf.zeros([1, *self._network.input_shape[1:]]), training=True)
                own_losses = len(self._network.losses) - penalties
        used = Counter(id(use.weight) for use in record.uses)
        elsewhere = [gradient is not None for gradient in tape.gradient(logits, pieces)]
        if own_losses:
            raise NotRecordedError("a layer adds a loss of its own, which is no sum over images that can be recorded")
        for weight, outside in zip(self._network.trainable_variables, elsewhere, strict=True):
            if outside:
                raise NotRecordedError(f"weight {weight.path!r} is used outside the layer that owns it")
            if used[id(weight)] != 1:
                raise NotRecordedError(f"weight {weight.path!r} is used {used[id(weight)]} times, expected once")

    def clipped_sum(self, images: Any, labels: Any, present: Any, clip_norm: Any) -> tuple[Any, Any, Any]:
        """The sum, losses and logits, see `ClippedGradients`."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:

            def watch(outputs: Any, _: Any) -> Any:
                tape.watch(outputs)
                return outputs

            record = Record(self._network.trainable_variables, tf.shape(images)[0], watch)
            with self._weights.instead(self._weights.pieces()), recorded(self._layers, record):
                logits = self._network(images, training=True)
            losses = tf.nn.softmax_cross_entropy_with_logits(labels, logits) * present
        watched = [use.watched for use in record.uses]
        upstream = tape.gradient(losses, watched, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        gradients = [use.gradients(found) for use, found in zip(record.uses, upstream, strict=True)]
        squared = tf.add_n([each.squared_norms() for each in gradients])
        norms = tf.sqrt(tf.maximum(squared, 0.0))  # where products cancel out, rounding may leave less than nothing
        shares = clip_norm / tf.maximum(norms, clip_norm)
        sums = {
            id(use.weight): tf.reshape(each.weighted_sum(shares), [-1])
            for use, each in zip(record.uses, gradients, strict=True)
        }
        total = tf.concat([sums[id(weight)] for weight in self._network.trainable_variables], axis=0)
        return total, losses, logits


def _cut(outputs: Any, inputs: Any) -> Any:
    """`outputs`, which gradients go through to `inputs` alone, and not to weights."""
    outputs = tf.stop_gradient(outputs)
    return outputs if inputs is None else outputs + 0.0 * tf.reduce_sum(inputs)
