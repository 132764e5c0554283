"""EfficientFace, the light expression network that GhostFace is compared with."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from fer_audit.lazy import keras
from fer_audit.models.conv_bn import conv_bn, depthwise_bn, norm_act
from fer_audit.models.model import Model

#: Stages of ShuffleNet-V2 units: filters, units.
STAGES = ((116, 4), (232, 8), (464, 4))

#: Channels over the width of the modulator's two bottlenecks.
REDUCTION = 16

#: Mean and standard deviation of red, green and blue that the released training code normalises by (of 0..1).
MEAN = (0.57535914, 0.44928582, 0.40079932)
DEVIATION = (0.20735591, 0.18981615, 0.18132027)

# PyTorch's settings of batch normalisation, which the released network was trained with.
_conv_bn = partial(conv_bn, momentum=0.9, epsilon=1e-5)
_depthwise_bn = partial(depthwise_bn, momentum=0.9, epsilon=1e-5)
_norm_act = partial(norm_act, momentum=0.9, epsilon=1e-5)


class EfficientFace(Model):
    """EfficientFace: ShuffleNet-V2, a local feature extractor on four quarters, and a channel-spatial modulator.

    Source: Zhao, Liu, Zhou, "Robust Lightweight Facial Expression Recognition Network with Label Distribution
    Training", AAAI 2021, on Ma et al., "ShuffleNet V2", ECCV 2018: 1,275,293 trained parameters and 149.73 M MACs at
    224 px and 7 classes. Differs: the network only, not the label distribution training; the quarters are quarters at
    every size (the released code cuts at pixel 28, which is the middle at 224 px only); strided convolutions pad at
    the bottom and right as Keras does; initial weights are Keras'. Images of at least 9 px.
    """

    name = "efficientface"
    minimum_size: ClassVar[int] = 9

    def build(self, input_shape: tuple[int, int, int], classes: int) -> Any:
        """The network, its input normalised by the constants of the released code."""
        images = keras.Input(input_shape, name="images")
        x = _normalise(images)
        x = _conv_bn(x, 29, 3, strides=2, activation="relu", name="stem")
        x = keras.layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
        local = _local_features(x, STAGES[0][0])
        x = _modulator(_stage(x, *STAGES[0], name="stage1"))
        x = keras.layers.Add(name="local_add")([x, local])
        x = _stage(x, *STAGES[1], name="stage2")
        x = _stage(x, *STAGES[2], name="stage3")
        x = _conv_bn(x, 1024, 1, activation="relu", name="features")
        x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
        return keras.Model(images, keras.layers.Dense(classes, name="logits")(x), name=self.name)


def _normalise(images: Any) -> Any:
    scale = [1 / (255 * deviation) for deviation in DEVIATION]
    offset = [-mean / deviation for mean, deviation in zip(MEAN, DEVIATION, strict=True)]
    return keras.layers.Rescaling(scale, offset, name="normalise")(images)


def _stage(x: Any, filters: int, units: int, name: str) -> Any:
    x = _strided_unit(x, filters // 2, name=f"{name}_unit1")
    for unit in range(2, units + 1):
        x = _basic_unit(x, name=f"{name}_unit{unit}")
    return x


def _strided_unit(x: Any, width: int, name: str) -> Any:
    """Both branches see all channels and halve the map (ShuffleNet V2, fig. 3d)."""
    left = _depthwise_bn(x, 3, strides=2, name=f"{name}_left1")
    left = _conv_bn(left, width, 1, activation="relu", name=f"{name}_left2")
    return _join(left, _branch(x, width, 2, name=f"{name}_right"), name)


def _basic_unit(x: Any, name: str) -> Any:
    """Half of the channels pass untouched (ShuffleNet V2, fig. 3c)."""
    width = x.shape[-1] // 2
    return _join(x[..., :width], _branch(x[..., width:], width, 1, name=f"{name}_right"), name)


def _branch(x: Any, width: int, stride: int, name: str) -> Any:
    x = _conv_bn(x, width, 1, activation="relu", name=f"{name}1")
    x = _depthwise_bn(x, 3, strides=stride, name=f"{name}2")
    return _conv_bn(x, width, 1, activation="relu", name=f"{name}3")


def _join(left: Any, right: Any, name: str) -> Any:
    """The channels of both branches, interleaved (channel shuffle in two groups)."""
    pairs = keras.ops.stack([left, right], axis=-1)
    return keras.layers.Reshape((*left.shape[1:-1], 2 * left.shape[-1]), name=f"{name}_shuffle")(pairs)


def _local_features(x: Any, filters: int) -> Any:
    """Each quarter of the map has depthwise convolutions of its own; they halve it."""
    height, width = _middle(x.shape[1]), _middle(x.shape[2])
    upper = [
        _quarter(x[:, :height, :width], filters, "upper_left"),
        _quarter(x[:, :height, width:], filters, "upper_right"),
    ]
    lower = [
        _quarter(x[:, height:, :width], filters, "lower_left"),
        _quarter(x[:, height:, width:], filters, "lower_right"),
    ]
    rows = [keras.layers.Concatenate(axis=2)(row) for row in (upper, lower)]
    return keras.layers.Concatenate(axis=1, name="local_features")(rows)


def _middle(length: int) -> int:
    """The even number next to the middle, so that halved parts make up the halved whole."""
    return 2 * round(length / 4)


def _quarter(x: Any, filters: int, name: str) -> Any:
    multiplier = filters // x.shape[-1]
    x = _depthwise_bn(x, 3, strides=2, depth_multiplier=multiplier, activation="relu", name=f"{name}_1")
    return _depthwise_bn(x, 3, activation="relu", name=f"{name}_2")


def _modulator(x: Any) -> Any:
    """`x` times sigmoid(channel gate * spatial gate)."""
    gate = keras.layers.Multiply(name="modulator_gate")([_channel_gate(x), _spatial_gate(x)])
    gate = keras.layers.Activation("sigmoid", name="modulator_sigmoid")(gate)
    return keras.layers.Multiply(name="modulator")([x, gate])


def _channel_gate(x: Any) -> Any:
    """(B, 1, 1, C) from the mean of each channel."""
    channels = x.shape[-1]
    gate = keras.layers.GlobalAveragePooling2D(keepdims=True, name="channel_pool")(x)
    gate = keras.layers.Dense(channels // REDUCTION, name="channel_reduce")(gate)
    gate = _norm_act(gate, "relu", name="channel")
    return keras.layers.Dense(channels, name="channel_gate")(gate)


def _spatial_gate(x: Any) -> Any:
    """(B, H, W, 1) from two dilated convolutions in a bottleneck."""
    width = x.shape[-1] // REDUCTION
    gate = _conv_bn(x, width, 1, use_bias=True, activation="relu", name="spatial_reduce")
    for place in (1, 2):
        gate = _conv_bn(
            gate, width, 3, dilation_rate=4, use_bias=True, activation="relu", name=f"spatial_dilated{place}"
        )
    return keras.layers.Conv2D(1, 1, name="spatial_gate")(gate)
