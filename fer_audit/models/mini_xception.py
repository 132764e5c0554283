"""mini-Xception, the small expression network of many real-time demonstrations."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from fer_audit.lazy import keras
from fer_audit.models.conv_bn import conv_bn, norm_act
from fer_audit.models.model import Model
from fer_audit.models.norm_momentum import NormMomentum, set_norm_momentum


class MiniXception(Model):
    """mini-Xception: four residual modules of separable convolutions, 58,423 parameters for 7 classes.

    Source: Arriaga, Valdenegro-Toro, Ploeger, "Real-time Convolutional Neural Networks for Emotion and Gender
    Classification", 2017. The original takes grey images of 64 px; here RGB is turned into luminance (ITU-R BT.601)
    inside, then scaled to -1..1 as in the original. Weight decay is on the two stem convolutions only, and the
    momentum of batch normalisation is 0.9 where Keras has 0.99. Images of at least 5 px.
    """

    name = "mini-xception"
    minimum_size: ClassVar[int] = 5

    class Params(NormMomentum):
        """Parameters of mini-Xception."""

        l2: float = Field(0.01, ge=0, description="weight decay of the two stem convolutions")

    params: Params

    def build(self, input_shape: tuple[int, int, int], classes: int) -> Any:
        """The network; its last convolution has a map for each class, averaged into the logit."""
        images = keras.Input(input_shape, name="images")
        x = keras.ops.image.rgb_to_grayscale(images)
        x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(x)
        for place in (1, 2):
            decay = keras.regularizers.L2(self.params.l2)
            x = conv_bn(x, 8, 3, padding="valid", activation="relu", kernel_regularizer=decay, name=f"stem{place}")
        for filters in (16, 32, 64, 128):
            x = _residual_module(x, filters, name=f"module{filters}")
        x = keras.layers.Conv2D(classes, 3, padding="same", name="class_maps")(x)
        network = keras.Model(images, keras.layers.GlobalAveragePooling2D(name="logits")(x), name=self.name)
        return set_norm_momentum(network, self.params.norm_momentum)


def _residual_module(x: Any, filters: int, name: str) -> Any:
    shortcut = conv_bn(x, filters, 1, strides=2, name=f"{name}_shortcut")
    y = _separable_bn(x, filters, "relu", name=f"{name}_1")
    y = _separable_bn(y, filters, None, name=f"{name}_2")
    y = keras.layers.MaxPooling2D(3, strides=2, padding="same", name=f"{name}_pool")(y)
    return keras.layers.Add(name=f"{name}_add")([y, shortcut])


def _separable_bn(x: Any, filters: int, activation: str | None, name: str) -> Any:
    x = keras.layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_separable")(x)
    return norm_act(x, activation, name=name)
