"""Grad-CAM: where in an image a network found what speaks for a class."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fer_audit.explain.explanation_error import ExplanationError
from fer_audit.explain.feature_maps import best_map, feature_maps, named_map
from fer_audit.explain.layer_calls import observed
from fer_audit.explain.upsampling import Maps, upsampled

#: Pixels of one call: enough rows to make its fixed cost small, few enough that activations stay in tens of megabytes.
_PIXELS = 300_000


class GradCam:
    """Heat maps of a network by Selvaraju et al., "Grad-CAM", ICCV 2017, eq. 1 and 2, traced once.

    The network computes as in inference, with the weights that it has at the time of a call.
    """

    layer: str  #: the layer whose map is explained
    map_shape: tuple[int, int]  #: height and width of that map
    heat: Any  #: traced, of uint8 images (B, H, W, 3) and int64 classes (B,): heat (B, h, w) at the size of the map

    def __init__(
        self, network: keras.Model, layer: str | None = None, *, image_shape: tuple[int, int, int] | None = None
    ) -> None:
        """Chooses the map and traces; raises ExplanationError where there is no map to explain.

        Args:
            network: maps images (B, H, W, 3) in 0..255 to logits (B, C), channels last.
            layer: the name of the layer to explain; None for the last with a map of at least 7x7, or else the largest.
            image_shape: of an image; needed where the network does not state it.
        """
        self._network = network
        self._image_shape = image_shape or _stated_shape(network)
        maps = feature_maps(network, self._image_shape)
        names = {one.name for one in network._flatten_layers(include_self=False)}
        chosen = best_map(maps) if layer is None else named_map(maps, layer, names)
        self.layer, self.map_shape = chosen.name, (chosen.height, chosen.width)
        self._explained = chosen.layer
        self._unmoved = False  # whether the logits do not depend on the map
        # Batches of any length fit the signature.
        self.heat = tf.function(
            self._trace,
            input_signature=[tf.TensorSpec((None, *self._image_shape), tf.uint8), tf.TensorSpec((None,), tf.int64)],
        ).get_concrete_function()
        # Raised here, as tracing would wrap it in a report on our own source.
        if self._unmoved:
            raise ExplanationError(f"the logits do not depend on layer {self.layer!r}; choose one that they do on")

    def __call__(self, images: npt.NDArray[np.uint8], classes: npt.NDArray[np.int64]) -> Maps:
        """Heat (N, H, W) in 0..1 of `images` (N, H, W, 3) for `classes` (N,); a map without heat is zero throughout."""
        height, width, _ = self._image_shape
        rows = max(1, _PIXELS // (height * width))
        heat = np.empty((len(images), height, width), np.float32)
        for start in range(0, len(images), rows):
            part = slice(start, start + rows)
            batch = tf.constant(np.ascontiguousarray(images[part])), tf.constant(classes[part], tf.int64)
            heat[part] = upsampled(self.heat(*batch).numpy(), height, width)
        return heat

    def _trace(self, images: Any, classes: Any) -> Any:
        activations: list[Any] = []
        with tf.GradientTape(watch_accessed_variables=False) as tape:

            def watch(_: Any, output: Any) -> Any:
                # A layer may return what it was given; only what goes through it shall count.
                activations.append(tf.identity(output))
                tape.watch(activations[-1])
                return activations[-1]

            with observed([self._explained], watch):
                logits = self._network(tf.cast(images, tf.float32), training=False)
            # Rows do not meet in inference, so that the sum over them, which the tape takes, keeps them apart.
            scores = tf.gather(logits, classes, batch_dims=1)
        gradients = tape.gradient(scores, activations[-1])
        if gradients is None:
            self._unmoved = True
            return tf.zeros_like(activations[-1])[..., 0]
        features, gradients = tf.cast(activations[-1], tf.float32), tf.cast(gradients, tf.float32)
        alpha = tf.reduce_mean(gradients, axis=(1, 2), keepdims=True)  # eq. 1
        return tf.nn.relu(tf.reduce_sum(alpha * features, axis=-1))  # eq. 2


def _stated_shape(network: keras.Model) -> tuple[int, int, int]:
    shape = getattr(network, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or None in shape[1:]:
        raise ExplanationError(
            f"network {network.name!r} does not state the shape of its images; expected an input (None, height, width, "
            f"3), received {shape}; give image_shape"
        )
    return shape[1:]
