"""A program: one network, built and traced once in a process, on which any number of trainings run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fer_audit.errors import FerAuditError, StoreError
from fer_audit.models.model import Model
from fer_audit.specs import PrivateTraining, ProgramSpec
from fer_audit.training.flat_weights import FlatWeights
from fer_audit.training.fused_batch_norm import fuse_batch_norms
from fer_audit.training.fused_group_norm import fuse_group_norms
from fer_audit.training.group_norm import without_batch_statistics
from fer_audit.training.initial_weights import InitialWeights
from fer_audit.training.optimizer import Optimizer
from fer_audit.training.private_step import DpSgdStep
from fer_audit.training.traced import traced
from fer_audit.training.trimmed_convolution import trim_convolutions

#: Pixels of one inference call: enough rows to make its fixed cost small, few enough to stay in tens of megabytes.
_INFERENCE_PIXELS = 1_200_000

#: What a private step is traced with; all of it is given to each step.
_NO_PRIVACY = PrivateTraining(clip_norm=1.0, noise_multiplier=0.0, sampling="poisson", nominal_rows=1, source="")


class Program:
    """A traced training step and a traced inference function over one set of weights."""

    def __init__(self, spec: ProgramSpec, model: Model) -> None:
        """Builds the network of `spec`; tracing happens at the first step."""
        # Grappler's passes over a graph of this size cost more than they gain on it.
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
        # Keras numbers layers that have no name; the names of weights must not depend on what was built before.
        keras.utils.clear_session()
        self.spec = spec
        self._network: keras.Model = model.create(spec.input_shape, spec.classes)
        if spec.private:
            self._network = without_batch_statistics(self._network, spec.model.name)
            fuse_group_norms(self._network)
        fuse_batch_norms(self._network)
        trim_convolutions(self._network)
        self._initial = InitialWeights(self._network)
        self._weights = FlatWeights(self._network)
        self._optimizer = Optimizer(spec, self._weights.vector)
        self._stale = False  # whether the network's variables lag behind the vector that the steps update
        self._traces = 0
        images = tf.TensorSpec((None, *spec.input_shape), tf.uint8)
        labels = tf.TensorSpec((None, spec.classes), tf.float32)
        # Batches of any length fit the signature: the last batch is neither dropped nor traced again.
        self._step = traced(self._trace_step, images, labels, tf.TensorSpec((3,), tf.float32))
        self._infer = traced(self._trace_inference, images)
        self._private = (
            DpSgdStep(spec, spec.private, self._network, self._weights, self._optimizer) if spec.private else None
        )

    @property
    def traces(self) -> int:
        """How often anything was traced."""
        return self._traces + (self._private.traces if self._private else 0)

    @property
    def clipping(self) -> str | None:
        """How a private step finds the norms of single gradients, `ghost` or `per-example`; else None."""
        return self._private.clipping if self._private else None

    @property
    def network(self) -> keras.Model:
        """The network with its weights as they are now."""
        self._bring_up_to_date()
        return self._network

    def _bring_up_to_date(self) -> None:
        if self._stale:
            self._weights.scatter()
            self._stale = False

    def warm_up(self) -> None:
        """Traces the step and the inference function; the weights are to be reset afterwards."""
        images, labels = np.zeros((2, *self.spec.input_shape), np.uint8), np.zeros(2, np.int64)
        if self._private:
            self.private_step(images, labels, 1, 0.0, _NO_PRIVACY)
        else:
            self.step(images, labels, 1, 0.0)
        self.logits(images)

    def reset(self, seed: int, images: Iterable[npt.NDArray[np.uint8]]) -> None:
        """Starts afresh from `seed`; layers that learn from the training rows see `images`, each uint8 (H, W, 3).

        `images` is iterated once for each such layer. A private training shows them all grey levels instead: what a
        layer keeps of the rows has no noise.
        """
        self._initial.assign(seed)
        for layer in self._network._flatten_layers():
            if hasattr(layer, "adapt_to_rows"):
                layer.adapt_to_rows(self._all_levels() if self._private else images)
        self._take_network()
        if self._private:
            self._private.reset(seed)

    def _all_levels(self) -> list[npt.NDArray[np.uint8]]:
        """A flat image of each of the 256 levels: at every pixel all are as frequent."""
        return [np.full(self.spec.input_shape, level, np.uint8) for level in range(256)]

    def load(self, weights: dict[str, npt.NDArray[Any]]) -> None:
        """Sets all weights to what `weights()` gave, and forgets the optimizer's state; raises StoreError."""
        own = {name: np.shape(weight) for name, weight in self._named_weights()}
        given = {name: weight.shape for name, weight in weights.items()}
        if own != given:
            differing = sorted(set(own.items()) ^ set(given.items()))
            raise StoreError(
                f"the stored weights are not those of model {self.spec.model.name!r}: names or shapes differ, first in "
                f"{differing[0][0]!r}"
            )
        self._network.set_weights(list(weights.values()))
        self._take_network()

    def _take_network(self) -> None:
        self._weights.gather()
        self._optimizer.reset()
        self._stale = False

    def step(
        self,
        images: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.float32] | npt.NDArray[np.int64],
        number: int,
        learning_rate: float,
    ) -> tuple[float, int]:
        """Training step `number` (1 is the first); returns the batch's summed loss and its correct rows.

        `images` (B, H, W, 3); `labels` soft (B, C) or hard (B,). A hard label is its one-hot row, so that trainings
        with and without label mixing share one traced step.
        """
        result = self._step(images, self._soft(labels), Optimizer.scalars(number, learning_rate)).numpy()
        self._stale = True
        return float(result[0]), int(result[1])

    def private_step(
        self,
        images: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.float32] | npt.NDArray[np.int64],
        number: int,
        learning_rate: float,
        mechanism: PrivateTraining,
    ) -> tuple[float, int]:
        """Step `number` of a differentially private training on any number of rows, none included; else as `step`.

        The gradient of each row is clipped to `mechanism.clip_norm`, and noise is added to their sum: see `DpSgdStep`.
        """
        if self._private is None:
            raise FerAuditError("this program has no private step; expected a spec with `private` set, received None")
        self._stale = True
        return self._private(images, self._soft(labels), number, learning_rate, mechanism)

    def _soft(self, labels: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        return np.eye(self.spec.classes, dtype=np.float32)[labels] if labels.ndim == 1 else labels

    def logits(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Logits float32 (K, C) of `images` uint8 (K, H, W, 3), with the moving statistics of batch normalisation."""
        self._bring_up_to_date()
        height, width, _ = self.spec.input_shape
        rows = max(1, _INFERENCE_PIXELS // (height * width))
        parts = [
            self._infer(np.ascontiguousarray(images[start : start + rows])).numpy()
            for start in range(0, len(images), rows)
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.spec.classes), np.float32)

    def weights(self) -> dict[str, npt.NDArray[Any]]:
        """All weights by their place and path, in the network's order."""
        self._bring_up_to_date()
        return {name: np.array(weight) for name, weight in self._named_weights()}

    def _named_weights(self) -> Iterator[tuple[str, Any]]:
        for place, weight in enumerate(self._network.weights):
            yield f"{place:04d}:{weight.path}", weight

    def _trace_step(self, images: Any, labels: Any, scalars: Any) -> Any:
        self._traces += 1
        weights = self._weights.pieces()
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            with self._weights.instead(weights):
                logits = self._network(tf.cast(images, tf.float32), training=True)
                penalties = self._network.losses
            losses = tf.nn.softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.add_n([tf.reduce_mean(losses), *penalties])
        gradients = tape.gradient(loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        self._optimizer.apply(tf.concat([tf.reshape(gradient, [-1]) for gradient in gradients], axis=0), scalars)
        correct = tf.equal(tf.argmax(logits, 1), tf.argmax(labels, 1))
        return tf.stack([tf.reduce_sum(losses), tf.reduce_sum(tf.cast(correct, tf.float32))])

    def _trace_inference(self, images: Any) -> Any:
        self._traces += 1
        return self._network(tf.cast(images, tf.float32), training=False)
