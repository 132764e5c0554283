"""ResNet-18."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from pydantic import Field

from fer_audit.lazy import keras
from fer_audit.models.conv_bn import conv_bn
from fer_audit.models.model import Model
from fer_audit.plugins import Parameters

#: Stages of two basic blocks each: filters, stride of the first block.
STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))

#: Images from this size on get the ImageNet stem, unless told otherwise.
IMAGENET_STEM_FROM = 96

# The settings of the reference implementations, for trainings of a few thousand steps and fewer.
_conv_bn = partial(conv_bn, momentum=0.9, epsilon=1e-5, kernel_initializer="he_normal")


class ResNet18(Model):
    """ResNet-18, the residual network of basic blocks: 11.2 M parameters, 1.81 G MACs at 224 px.

    Source: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, with projection shortcuts
    where shapes change (option B). Differs: images below 96 px get the stem of the paper's CIFAR networks (one 3x3
    convolution, no pooling), so that 32 px don't reach the first block as 8; pixels are scaled to -1..1. Strided
    convolutions pad at the bottom and right as Keras does. It takes any image size.
    """

    name = "resnet-18"

    class Params(Parameters):
        """Parameters of ResNet-18."""

        stem: Literal["auto", "imagenet", "small"] = Field(
            "auto", description="imagenet: 7x7/2 and max pooling; small: 3x3/1; auto: imagenet from 96 px on"
        )

    params: Params

    def build(self, input_shape: tuple[int, int, int], classes: int) -> Any:
        """The network, with the stem that `stem` and the image size ask for."""
        images = keras.Input(input_shape, name="images")
        x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(images)
        x = _imagenet_stem(x) if self._has_imagenet_stem(input_shape) else _small_stem(x)
        for stage, (filters, stride) in enumerate(STAGES, 1):
            x = _basic_block(x, filters, stride, name=f"stage{stage}_block1")
            x = _basic_block(x, filters, 1, name=f"stage{stage}_block2")
        x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
        return keras.Model(images, keras.layers.Dense(classes, name="logits")(x), name=self.name)

    def _has_imagenet_stem(self, input_shape: tuple[int, int, int]) -> bool:
        if self.params.stem == "auto":
            return min(input_shape[:2]) >= IMAGENET_STEM_FROM
        return self.params.stem == "imagenet"


def _imagenet_stem(x: Any) -> Any:
    x = _conv_bn(x, 64, 7, strides=2, activation="relu", name="stem")
    return keras.layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)


def _small_stem(x: Any) -> Any:
    return _conv_bn(x, 64, 3, activation="relu", name="stem")


def _basic_block(x: Any, filters: int, stride: int, name: str) -> Any:
    """relu(shortcut(x) + 3x3(relu(3x3(x)))) (He et al., eq. 1 and 2)."""
    y = _conv_bn(x, filters, 3, strides=stride, activation="relu", name=f"{name}_1")
    y = _conv_bn(y, filters, 3, name=f"{name}_2")
    if stride != 1 or x.shape[-1] != filters:
        x = _conv_bn(x, filters, 1, strides=stride, name=f"{name}_shortcut")
    x = keras.layers.Add(name=f"{name}_add")([x, y])
    return keras.layers.Activation("relu", name=f"{name}_relu")(x)
