"""Clipping by making each example's gradient: for any network, at P numbers an example in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, ClassVar

import keras
import tensorflow as tf

from fer_audit.errors import PluginError
from fer_audit.training.clipped_gradients import ClippedGradients
from fer_audit.training.flat_weights import FlatWeights
from fer_audit.training.gaussian_sum import gaussian_sum_query
from fer_audit.training.trimmed_convolution import TrimmedDepthwiseConv2D


class PerExampleGradients(ClippedGradients):
    """Clipped sums of gradients that are made one by one, in one vectorised map."""

    name: ClassVar[str] = "per-example"

    def __init__(self, network: keras.Model, weights: FlatWeights) -> None:
        """For `network`, which computes with `weights`."""
        self._network = network
        self._weights = weights
        self._copied = _depthwise_kernels(network)
        self._seeds = [generator.state for layer in network._flatten_layers() for generator in layer._seed_generators]

    def clipped_sum(self, images: Any, labels: Any, present: Any, clip_norm: Any) -> tuple[Any, Any, Any]:
        """The sum, losses and logits, see `ClippedGradients`."""
        query = gaussian_sum_query(clip_norm, 0.0)
        parameters = query.derive_sample_params(query.initial_global_state())
        pieces = self._weights.pieces()

        def clipped(example: Any) -> Any:
            image, label, seeds, own = example
            mine = [own.get(place, piece) for place, piece in enumerate(pieces)]
            gradient, loss, logits = self._gradient(mine, image, label, seeds)
            return query.preprocess_record(parameters, gradient), loss, logits

        count = tf.shape(images)[0]
        seeds = [self._own_seeds(seed, count) for seed in self._seeds]
        # With a depthwise kernel that examples share, the map would be a loop.
        own = {place: tf.repeat(pieces[place][None], count, axis=0) for place in self._copied}
        examples = images, labels, seeds, own
        with _no_advice():
            records, losses, logits = tf.vectorized_map(clipped, examples, warn=False)
        return tf.linalg.matvec(records, present, transpose_a=True), losses * present, logits

    def _gradient(self, pieces: list[Any], image: Any, label: Any, seeds: list[Any]) -> tuple[Any, Any, Any]:
        """The gradient (P,) of one example's loss, the loss, and the logits."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(pieces)
            with self._instead(pieces, seeds):
                penalties = len(self._network.losses)
                logits = self._network(image[None], training=True)
                # What layers add by themselves is the example's; penalties on weights, which come last, are not.
                own = self._network.losses
            losses = [*tf.unstack(tf.nn.softmax_cross_entropy_with_logits(label[None], logits)), *own]
            total = tf.add_n(losses[: len(losses) - penalties])
        gradients = tape.gradient(total, pieces, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        # As one vector: the norm of each weight's gradient would be a loop of its own.
        return tf.concat([tf.reshape(each, [-1]) for each in gradients], axis=0), losses[0], logits[0]

    @contextlib.contextmanager
    def _instead(self, pieces: list[Any], seeds: list[Any]) -> Iterator[None]:
        """Within it the network computes with `pieces`, and draws from `seeds`; nothing that it assigns is kept."""
        trained = self._network.trainable_variables
        mapping = [*zip(trained, pieces, strict=True), *zip(self._seeds, seeds, strict=True)]
        with keras.StatelessScope(state_mapping=mapping, collect_losses=True) as scope:
            mapped = [scope.get_current_value(weight) for weight in trained]
            yield
            changed = [w.path for w, now in zip(trained, mapped, strict=True) if scope.get_current_value(w) is not now]
        if changed:
            raise PluginError(f"a layer assigns to the trained weight {changed[0]!r} while it computes")

    @staticmethod
    def _own_seeds(state: Any, examples: Any) -> Any:
        """A state (B, 2) for each example, so that each drops out for itself; `state` moves on."""
        now = state.value
        state.assign(now + tf.constant([0, 1], now.dtype))
        # Not `now` itself, from which a layer draws too.
        now = tf.random.experimental.stateless_fold_in(now, 1)
        return tf.random.stateless_uniform([examples, 2], now, minval=None, maxval=None, dtype=now.dtype)


def _depthwise_kernels(network: keras.Model) -> list[int]:
    """Places of depthwise kernels among the trained weights."""
    layers = network._flatten_layers()
    kernels = {id(getattr(layer, _KERNELS[type(layer)])) for layer in layers if type(layer) in _KERNELS}
    return [place for place, weight in enumerate(network.trainable_variables) if id(weight) in kernels]


#: Where layers have their depthwise kernel.
_KERNELS = {
    keras.layers.DepthwiseConv2D: "kernel",
    TrimmedDepthwiseConv2D: "kernel",
    keras.layers.SeparableConv2D: "depthwise_kernel",
}


@contextlib.contextmanager
def _no_advice() -> Iterator[None]:
    """Without TensorFlow's remarks, one for each convolution, that its own loop over examples should be mended."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)
