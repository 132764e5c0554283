"""A program: one network, built and traced once in a process, on which any number of trainings run."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fer_audit.models.model import Model
from fer_audit.specs import ProgramSpec
from fer_audit.training.fused_batch_norm import fuse_batch_norms
from fer_audit.training.initial_weights import InitialWeights
from fer_audit.training.optimizer import Optimizer

#: Rows of one inference call; larger batches gain nothing on a CPU.
INFERENCE_BATCH = 128


class Program:
    """A traced training step and a traced inference function over one set of weights."""

    def __init__(self, spec: ProgramSpec, model: Model) -> None:
        """Builds the network of `spec`; tracing happens at the first step."""
        # Grappler's passes over a graph of this size cost more than they gain on it.
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
        self.spec = spec
        self.network: keras.Model = model.create(spec.input_shape, spec.classes)
        fuse_batch_norms(self.network)
        self._initial = InitialWeights(self.network)
        self._optimizer = Optimizer(spec, [variable.value for variable in self.network.trainable_variables])
        self.traces = 0
        images = tf.TensorSpec((None, *spec.input_shape), tf.uint8)
        labels = tf.TensorSpec((None, spec.classes), tf.float32)
        # Batches of any length fit the signature: the last batch is neither dropped nor traced again.
        self._step = tf.function(self._trace_step, input_signature=[images, labels, tf.TensorSpec((3,), tf.float32)])
        self._infer = tf.function(self._trace_inference, input_signature=[images])

    def warm_up(self) -> None:
        """Traces the step and the inference function; the weights are to be reset afterwards."""
        images = np.zeros((2, *self.spec.input_shape), np.uint8)
        self.step(images, np.full((2, self.spec.classes), 1 / self.spec.classes, np.float32), 1, 0.0)
        self.logits(images)

    def reset(self, seed: int, images: npt.NDArray[np.uint8]) -> None:
        """Starts afresh from `seed`; layers that learn from the training rows see `images` (K, H, W, 3)."""
        self._initial.assign(seed)
        for layer in self.network._flatten_layers():
            if hasattr(layer, "adapt_to_rows"):
                layer.adapt_to_rows(images)
        self._optimizer.reset()

    def step(
        self, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.float32], number: int, learning_rate: float
    ) -> tuple[float, int]:
        """Training step `number` (1 is the first); returns the batch's summed loss and its correct rows."""
        result = self._step(images, labels, Optimizer.scalars(number, learning_rate)).numpy()
        return float(result[0]), int(result[1])

    def logits(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Logits float32 (K, C) of `images` uint8 (K, H, W, 3), with the moving statistics of batch normalisation."""
        parts = [
            self._infer(np.ascontiguousarray(images[start : start + INFERENCE_BATCH])).numpy()
            for start in range(0, len(images), INFERENCE_BATCH)
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.spec.classes), np.float32)

    def weights(self) -> dict[str, npt.NDArray[Any]]:
        """All weights by their place and path, in the network's order."""
        return {f"{place:04d}:{weight.path}": np.array(weight) for place, weight in enumerate(self.network.weights)}

    def _trace_step(self, images: Any, labels: Any, scalars: Any) -> Any:
        self.traces += 1
        with tf.GradientTape() as tape:
            logits = self.network(tf.cast(images, tf.float32), training=True)
            losses = tf.nn.softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.add_n([tf.reduce_mean(losses), *self.network.losses])
        variables = [variable.value for variable in self.network.trainable_variables]
        self._optimizer.apply(tape.gradient(loss, variables), scalars)
        correct = tf.equal(tf.argmax(logits, 1), tf.argmax(labels, 1))
        return tf.stack([tf.reduce_sum(losses), tf.reduce_sum(tf.cast(correct, tf.float32))])

    def _trace_inference(self, images: Any) -> Any:
        self.traces += 1
        return self.network(tf.cast(images, tf.float32), training=False)
