"""The step of differentially private SGD.

Source: Abadi et al., "Deep Learning with Differential Privacy", CCS 2016, algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fer_audit.specs import PrivateStep, PrivateTraining, ProgramSpec
from fer_audit.training.clipped_gradients import ClippedGradients
from fer_audit.training.flat_weights import FlatWeights
from fer_audit.training.gaussian_sum import gaussian_sum_query
from fer_audit.training.ghost_gradients import GhostGradients
from fer_audit.training.optimizer import Optimizer
from fer_audit.training.per_example_gradients import PerExampleGradients
from fer_audit.training.recorded_layers import NotRecordedError
from fer_audit.training.traced import traced

#: Sizes that chunks are filled up to, as parts of the physical batch: Poisson sampling draws dozens, and kernels are
#: prepared for each anew. A step of GhostFace would take a third longer; one of mini-Xception is as fast either way.
_SIZES = 8

#: Tag of the random stream. Streams of `Batches` have a tag that is not zero where this one has its second zero.
_NOISE = (0, 0, 1)


class DpSgdStep:
    """Sums clipped gradients of single images, adds noise once, and updates all weights.

    The noise is a function of the training's seed, so that a training can be repeated. Whoever knows the seed can take
    the noise off: for a model that is published, or shown to anyone whom the guarantee is to hold against, the seed
    must be drawn at random and thrown away. Trainings with equal seeds draw equal noise, so that their guarantees are
    each one's own and don't compose. Nor are floating-point samples those of a Gaussian to the last bit, which an
    attacker may use (Mironov 2012, "On Significance of the Least Significant Bits for Differential Privacy"). This is
    for research that can be reproduced.
    """

    def __init__(
        self,
        spec: ProgramSpec,
        settings: PrivateStep,
        network: keras.Model,
        weights: FlatWeights,
        optimizer: Optimizer,
    ) -> None:
        """A step on `weights` of `network`, not traced yet; raises PluginError where it can't clip as set."""
        self._network = network
        self._weights = weights
        self._optimizer = optimizer
        self._batch_size = spec.batch_size
        self._physical = settings.physical_batch
        self._gradients = _clipped_gradients(settings.clipping, network, weights)
        self._sum = tf.Variable(tf.zeros_like(weights.vector), trainable=False)
        self.traces = 0
        images = tf.TensorSpec((None, *spec.input_shape), tf.uint8)
        labels = tf.TensorSpec((None, spec.classes), tf.float32)
        scalar, count = tf.TensorSpec((), tf.float32), tf.TensorSpec((), tf.int32)
        self._accumulate = traced(self._trace_accumulate, images, labels, count, scalar)
        gradient, scalars = tf.TensorSpec(weights.vector.shape, tf.float32), tf.TensorSpec((3,), tf.float32)
        self._update = traced(self._trace_update, gradient, scalars)
        self.reset(0)

    @property
    def clipping(self) -> str:
        """How norms of single gradients are found: `ghost` or `per-example`."""
        return self._gradients.name

    def reset(self, seed: int) -> None:
        """Starts the noise of training `seed`."""
        self._noised = _noise(seed)

    def __call__(
        self,
        images: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.float32],
        number: int,
        learning_rate: float,
        mechanism: PrivateTraining,
    ) -> tuple[float, int]:
        """Step `number` on any number of rows; returns their summed loss and how many were right.

        Gaussian noise is added once to the sum of all rows' clipped gradients. The sum is divided by the nominal batch
        size: how many rows were drawn is private. So is what is returned, which has no noise: the guarantee is for the
        weights alone.
        """
        loss, correct = self.accumulate(images, labels, mechanism.clip_norm)
        noised = self._noised(self.sum, mechanism.clip_norm, mechanism.noise_multiplier)
        self._update(noised, Optimizer.scalars(number, learning_rate))
        return loss, correct

    @property
    def sum(self) -> Any:
        """The sum of clipped gradients, before any noise, float32 (P,)."""
        return self._sum.value()

    def accumulate(
        self, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.float32], clip_norm: float
    ) -> tuple[float, int]:
        """Makes `sum` that of these rows, a chunk after another; returns their summed loss and how many were right."""
        self._sum.assign(tf.zeros_like(self._sum))
        found = np.zeros(2)
        for index, count in chunks(len(images), self._physical):
            found += self._accumulate(images[index], labels[index], count, clip_norm).numpy()
        return float(found[0]), int(found[1])

    def _trace_accumulate(self, images: Any, labels: Any, count: Any, clip_norm: Any) -> Any:
        self.traces += 1
        present = tf.cast(tf.range(tf.shape(images)[0]) < count, tf.float32)
        total, losses, logits = self._gradients.clipped_sum(tf.cast(images, tf.float32), labels, present, clip_norm)
        self._sum.assign_add(total)
        correct = tf.cast(tf.equal(tf.argmax(logits, 1), tf.argmax(labels, 1)), tf.float32)
        return tf.stack([tf.reduce_sum(losses), tf.reduce_sum(correct * present)])

    def _trace_update(self, noised: Any, scalars: Any) -> None:
        """Penalties on weights, which see no images, are added after the noise."""
        self.traces += 1
        gradient = noised / self._batch_size
        pieces = self._weights.pieces()
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(pieces)
            with self._weights.instead(pieces):
                penalties = self._network.losses
        if penalties:
            found = tape.gradient(penalties, pieces, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            gradient += tf.concat([tf.reshape(each, [-1]) for each in found], axis=0)
        self._optimizer.apply(gradient, scalars)


def _noise(seed: int) -> Any:
    """A function that adds the noise of training `seed` to a sum (P,), given the clip norm and the noise multiplier.

    Its generator begins with it and moves on call by call, whatever else draws numbers. To set TensorFlow's seed from
    outside would make it prepare all kernels of the process anew, which takes seconds.
    """
    stream = int(np.random.SeedSequence([seed, *_NOISE]).generate_state(1, np.uint64)[0]) >> 1
    vector, scalar = tf.TensorSpec((None,), tf.float32), tf.TensorSpec((), tf.float32)

    def noised(total: Any, clip_norm: Any, noise_multiplier: Any) -> Any:
        tf.random.set_seed(stream)  # within a function: that of its own draws
        query = gaussian_sum_query(clip_norm, clip_norm * noise_multiplier)
        result, *_ = query.get_noised_result(total, query.initial_global_state())
        return result

    return traced(noised, vector, scalar, scalar)


def chunks(rows: int, most: int) -> Iterator[tuple[npt.NDArray[np.int64], int]]:
    """Balanced chunks of at most `most` of `rows`: places, and how many of them count; the others fill up."""
    step = math.ceil(most / _SIZES)
    for places in np.array_split(np.arange(rows), math.ceil(rows / most)) if rows else ():
        size = min(most, math.ceil(len(places) / step) * step)
        # A row of the batch fills up, as its numbers are known to be sound.
        yield np.pad(places, (0, size - len(places)), mode="edge"), len(places)


def _clipped_gradients(clipping: str, network: keras.Model, weights: FlatWeights) -> ClippedGradients:
    if clipping == "per-example":
        return PerExampleGradients(network, weights)
    try:
        return GhostGradients(network, weights)
    except NotRecordedError:
        if clipping == "ghost":
            raise
    return PerExampleGradients(network, weights)
