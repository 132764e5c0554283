"""A residual network for small images."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from pydantic import Field

from fer_audit.lazy import keras
from fer_audit.models.conv_bn import conv_bn
from fer_audit.models.model import Model
from fer_audit.plugins import Parameters

# Keras' momentum of 0.99 is for trainings of many thousand steps.
_conv_bn = partial(conv_bn, momentum=0.9, kernel_initializer="he_normal")


class MyModel(Model):
    """Three stages of residual blocks at full, half and quarter size: 6 `blocks` + 2 layers.

    Source: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2 (the
    networks for CIFAR-10). Differs: projections where shapes change (option B), and pixels are scaled to -1..1.
    """

    name = "my-model"
    minimum_size: ClassVar[int] = 4  # pixels, of which the last stage sees one; smaller images are refused

    class Params(Parameters):
        """Parameters of the network; the grid may set them."""

        blocks: int = Field(1, ge=1, le=18, description="residual blocks in each stage")
        filters: int = Field(16, ge=1, description="channels of the first stage; the others have twice and four times")

    params: Params

    def build(self, input_shape: tuple[int, int, int], classes: int) -> Any:
        """The network, from images in 0..255 to logits."""
        images = keras.Input(input_shape, name="images")
        x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(images)
        x = _conv_bn(x, self.params.filters, 3, activation="relu", name="stem")
        for stage in range(3):
            for block in range(self.params.blocks):
                strides = 2 if stage and not block else 1
                x = _residual(x, self.params.filters * 2**stage, strides, name=f"stage{stage + 1}_block{block + 1}")
        x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
        return keras.Model(images, keras.layers.Dense(classes, name="logits")(x), name=self.name)


def _residual(x: Any, filters: int, strides: int, name: str) -> Any:
    """relu(shortcut(x) + 3x3(relu(3x3(x)))) (He et al., eq. 1 and 2)."""
    y = _conv_bn(x, filters, 3, strides=strides, activation="relu", name=f"{name}_1")
    y = _conv_bn(y, filters, 3, name=f"{name}_2")
    if strides > 1 or x.shape[-1] != filters:
        x = _conv_bn(x, filters, 1, strides=strides, name=f"{name}_shortcut")
    return keras.layers.Activation("relu", name=f"{name}_relu")(keras.layers.Add(name=f"{name}_add")([x, y]))
