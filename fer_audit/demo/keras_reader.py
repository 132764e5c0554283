"""A network of a finished run as a reader."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fer_audit.demo.looked_at import Pixels
from fer_audit.demo.reader import Heat, Values, softmax
from fer_audit.explain.explanation_error import ExplanationError
from fer_audit.explain.grad_cam import GradCam


class KerasReader:
    """Asks a network, and explains what it says by Grad-CAM where it has a map to explain."""

    def __init__(self, name: str, network: keras.Model, classes: tuple[str, ...], image_size: int) -> None:
        self.name, self.classes, self.image_size = name, classes, image_size
        self.no_heat = ""
        shape = (image_size, image_size, 3)
        self._grad_cam: GradCam | None = None
        try:
            self._grad_cam = GradCam(network, image_shape=shape)
        except ExplanationError as error:
            self.no_heat = str(error)
        # Traced once for one picture at a time.
        self._logits: Any = tf.function(
            lambda images: network(images, training=False),
            input_signature=[tf.TensorSpec((1, *shape), tf.float32)],
            autograph=False,
        ).get_concrete_function()

    def probabilities(self, image: Pixels) -> Values:
        """Of each class (C,), for `image` (size, size, 3)."""
        return softmax(self._logits(tf.constant(image[None], tf.float32)).numpy()[0])

    def heat(self, image: Pixels, of: int) -> Heat | None:
        """Grad-CAM (size, size) of a class, None where the network has no map."""
        return None if self._grad_cam is None else self._grad_cam(image[None], np.array([of]))[0]
