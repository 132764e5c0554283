"""Normalisation of the input by the training rows' mean and variance."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt


@keras.saving.register_keras_serializable(package="fer_audit")
class InputNormalization(keras.layers.Layer):  # type: ignore[misc]
    """(x - mean) / sqrt(variance) with one mean and one variance over all pixels and channels of the training rows.

    The three scalars (mean, variance, count of values seen) are weights that are not trained: they are saved with the
    network, and one traced graph serves every set of rows. Before `adapt_to_rows` the layer is the identity.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mean_initializer = keras.initializers.Zeros()
        self.variance_initializer = keras.initializers.Ones()
        self.count_initializer = keras.initializers.Zeros()

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the three scalars."""
        self.mean = self._scalar("mean", self.mean_initializer)
        self.variance = self._scalar("variance", self.variance_initializer)
        self.count = self._scalar("count", self.count_initializer)

    def _scalar(self, name: str, initializer: Any) -> Any:
        # Statistics stay in float32 under mixed precision.
        return self.add_weight(
            name=name, shape=(), initializer=initializer, trainable=False, dtype="float32", autocast=False
        )

    def adapt_to_rows(self, images: Iterable[npt.NDArray[np.uint8]]) -> None:
        """Sets the scalars from uint8 images (H, W, C): exact counts of the 256 values, moments in float64."""
        counts = np.zeros(256, dtype=np.int64)
        for image in images:  # one at a time: bincount widens what it is given to 8 bytes a value
            counts += np.bincount(image.ravel(), minlength=256)
        if not self.built:
            self.build((None, *image.shape))
        values, total = np.arange(256, dtype=np.float64), counts.sum()
        mean = (counts * values).sum() / total
        self.mean.assign(mean)
        self.variance.assign((counts * (values - mean) ** 2).sum() / total)
        self.count.assign(total)

    def call(self, inputs: Any) -> Any:
        """`inputs` normalised by the scalars as they are when this runs."""
        deviation = keras.ops.maximum(keras.ops.sqrt(self.variance), keras.config.epsilon())
        normalised = (keras.ops.cast(inputs, "float32") - self.mean) / deviation
        return keras.ops.cast(normalised, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input."""
        return input_shape
