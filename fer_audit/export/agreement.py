"""Whether an exported file answers as the network that it was made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_audit.export.loaded import BATCH, Loaded, Logits
from fer_audit.export.rows import Compared
from fer_audit.metrics.accuracy import accuracy, mean_accuracy
from fer_audit.model_files.fixed_batch import in_fixed_batches
from fer_audit.results import Estimate


@dataclass(frozen=True)
class Agreement:
    """A file's answers beside those of the network, on the same rows."""

    max_difference: float | None  #: of logits; None where the file answers with what is no number
    equal: Estimate  #: share of rows that both predict alike
    accuracy: Estimate
    original_accuracy: Estimate


def network_logits(network: Any, compared: Compared) -> Logits:
    """What the network itself answers (N, C), in Keras' own layers."""
    import tensorflow as tf

    spec = tf.TensorSpec((BATCH, *compared.images.shape[1:]), tf.float32)
    asked = tf.function(lambda images: network(images, training=False), input_signature=[spec])
    answer: Any = in_fixed_batches(lambda images: asked(tf.constant(images, tf.float32)).numpy(), BATCH)
    return np.asarray(answer(compared.images), np.float32)


def agreement(loaded: Loaded, original: Logits, compared: Compared) -> Agreement:
    """How near the file comes to `original` (N, C)."""
    found = np.asarray(loaded.logits(compared.images), np.float32)
    predicted, expected = found.argmax(axis=1), original.argmax(axis=1)
    alike, difference = predicted == expected, float(np.abs(found - original).max())
    return Agreement(
        max_difference=difference if np.isfinite(difference) else None,
        equal=mean_accuracy(alike[None], np.ones_like(alike)[None], compared.units),
        accuracy=accuracy(compared.labels, predicted, compared.units),
        original_accuracy=accuracy(compared.labels, expected, compared.units),
    )
