"""A model of thumbnails."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fer_audit.lazy import keras
from fer_audit.models.model import Model

if TYPE_CHECKING:
    from keras import Model as Network


class Thumbnail(Model):
    """Logistic regression on 4 x 4 thumbnails: the least that learns. Source: this package."""

    name = "thumbnail"
    minimum_size: ClassVar[int] = 4

    def build(self, input_shape: tuple[int, int, int], classes: int) -> Network:
        """From images in 0..255 to logits."""
        layers = keras.layers
        images = layers.Input(input_shape)
        x = layers.Rescaling(1 / 127.5, offset=-1)(images)
        x = layers.AveragePooling2D(input_shape[0] // 4)(x)
        return keras.Model(images, layers.Dense(classes, name="logits")(layers.Flatten()(x)))
