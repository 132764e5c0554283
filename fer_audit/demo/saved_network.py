"""A network with its heat maps as one SavedModel, which needs neither Keras nor fer-audit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from fer_audit.demo.saved_reader import HEAT, LOGITS
from fer_audit.explain.explanation_error import ExplanationError
from fer_audit.explain.grad_cam import GradCam


def write_network(network: keras.Model, image_size: int, folder: Path) -> str:
    """Writes `network` to `folder`, with Grad-CAM as a second signature; returns why there is none, or nothing."""
    images = tf.TensorSpec((None, image_size, image_size, 3), tf.uint8, name="images")
    classes = tf.TensorSpec((None,), tf.int64, name="classes")

    def logits(images: Any) -> dict[str, Any]:
        return {"logits": network(tf.cast(images, tf.float32), training=False)}

    module = tf.Module()
    module.network = network  # what a SavedModel's functions use must hang on it
    signatures, missing = {LOGITS: tf.function(logits, input_signature=[images])}, ""
    try:
        traced = GradCam(network, image_shape=(image_size, image_size, 3)).heat
    except ExplanationError as error:
        missing = str(error)
    else:

        def heat(images: Any, classes: Any) -> dict[str, Any]:
            return {"heat": traced(images, classes)}

        signatures[HEAT] = tf.function(heat, input_signature=[images, classes])
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return missing
