"""A network as others ask it: images in, probabilities and logits out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from fer_audit.export.serving_names import IMAGES, LOGITS, PROBABILITIES


def image_spec(image_size: int, batch: int | None, dtype: Any = tf.float32) -> Any:
    """The TensorSpec of images (B, size, size, 3) RGB in 0..255."""
    return tf.TensorSpec((batch, image_size, image_size, 3), dtype, name=IMAGES)


def answers(network: Any) -> Callable[[Any], dict[str, Any]]:
    """A function from images in 0..255 to probabilities and logits, both float32 (B, C)."""

    def answered(images: Any) -> dict[str, Any]:
        logits = tf.cast(network(tf.cast(images, tf.float32), training=False), tf.float32)
        return {PROBABILITIES: tf.nn.softmax(logits), LOGITS: logits}

    return answered


def frozen(network: Any, image_size: int, batch: int | None) -> Callable[[Any], dict[str, Any]]:
    """`answers` with the weights as constants of its graph, as converters read them."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    answered = answers(network)

    def in_order(images: Any) -> list[Any]:
        found = answered(images)
        return [found[PROBABILITIES], found[LOGITS]]

    spec = image_spec(image_size, batch)
    constant = convert_variables_to_constants_v2(tf.function(in_order, input_signature=[spec]).get_concrete_function())
    return lambda images: dict(zip((PROBABILITIES, LOGITS), constant(images), strict=True))
