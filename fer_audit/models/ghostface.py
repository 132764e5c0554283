"""GhostFace, the light expression network that this audit began with: as released, and mended."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import Field

from fer_audit.errors import PluginError
from fer_audit.lazy import keras
from fer_audit.models.conv_bn import conv_bn, depthwise_bn, norm_act
from fer_audit.models.model import Model
from fer_audit.models.norm_momentum import NormMomentum, set_norm_momentum
from fer_audit.plugins import Parameters

#: Fused blocks: filters, stride, triplet attention or not.
FUSED = ((8, 1, False), (8, 1, False), (8, 1, True), (16, 2, True), (16, 1, False), (16, 1, True))

#: Ghost bottlenecks: filters, stride.
GHOST = ((16, 2), (16, 1), (16, 1), (16, 1), (32, 2), (32, 1), (32, 1), (64, 2), (128, 2), (240, 2))


class Variant(NamedTuple):
    """What the two plug-ins do differently."""

    swapped: bool  #: the branch that attends over channels and rows comes back with rows and columns swapped
    scaled: bool  #: depthwise kernels start at the scale of their own fan-in


class GhostFace(Model):
    """A small network of ghost modules with triplet attention: 1,285,619 parameters, 64.7 M MACs at 224 px, 7 classes.

    Source: the released GhostFace network for facial expressions (plug-in `ghostface-origin`). It builds on Han et al.,
    "GhostNet: More Features from Cheap Operations", CVPR 2020, with two differences that are the origin's: a ghost
    module adds the cheap features to the primary ones instead of concatenating them, and its primary convolution is
    3x3; on Misra et al., "Rotate to Attend: Convolutional Triplet Attention Module", WACV 2021; and on the fused
    convolution blocks of Tan and Le, "EfficientNetV2", ICML 2021.

    The network differs from the origin in one thing: all three branches of the attention return to the axes they came
    from. Its training also starts elsewhere: Keras' Glorot rule counts the channels of a depthwise kernel in its
    fan-in, which shrinks the signal by their square root wherever no normalisation follows, as in the shortcuts and
    strides here. From the scale of its own fan-in the network learns within a few hundred steps.
    `scaled_depthwise: false` with `norm_momentum: 0.99` starts as released. It takes any image size; its total stride
    is 256, so that up to 256 px the last map is 1x1.
    """

    name = "ghostface"

    class Params(NormMomentum):
        """Parameters of GhostFace; they change where a training starts, not the network."""

        scaled_depthwise: bool = Field(
            True, description="start depthwise kernels at the scale of their own fan-in; false: as released, by Glorot"
        )

    params: Params

    def build(self, input_shape: tuple[int, int, int], classes: int) -> Any:
        """The network, its input normalised by the mean and the variance of the training rows."""
        network = _network(self.name, input_shape, classes, Variant(swapped=False, scaled=self.params.scaled_depthwise))
        return set_norm_momentum(network, self.params.norm_momentum)


class GhostFaceOrigin(Model):
    """GhostFace as it was released, with rows and columns swapped in one branch of every triplet attention.

    Source: the released source of GhostFace. Parameters (1,285,619, of which 1,278,130 trained) and MACs (64,673,166 at
    224 px and 7 classes) agree with it exactly. The branch that attends over channels and rows comes back transposed,
    and is averaged with the other two in that orientation; shapes only fit if images are square. Plug-in `ghostface` is
    the same network with that mended.
    """

    name = "ghostface-origin"

    class Params(Parameters):
        """Parameters of GhostFace as released."""

        norm_momentum: float = Field(
            0.99, ge=0, lt=1, description="share of the moving statistics that a step keeps; use 0.9 for short runs"
        )

    params: Params

    def build(self, input_shape: tuple[int, int, int], classes: int) -> Any:
        """The network; raises PluginError unless images are square."""
        height, width, _ = input_shape
        if height != width:
            raise PluginError(f"model {self.name!r} takes square images only, received {height}x{width}")
        network = _network(self.name, input_shape, classes, Variant(swapped=True, scaled=False))
        return set_norm_momentum(network, self.params.norm_momentum)


def _network(name: str, input_shape: tuple[int, int, int], classes: int, variant: Variant) -> Any:
    from fer_audit.models.layers.input_normalization import InputNormalization

    inputs = keras.Input(input_shape, name="images")
    x = InputNormalization(name="normalization")(inputs)
    x = conv_bn(x, 8, 5, strides=2, activation="relu", name="stem")
    for place, (filters, stride, attention) in enumerate(FUSED, 1):
        x = _fused_block(x, filters, stride, variant if attention else None, name=f"fused{place}")
    for place, (filters, stride) in enumerate(GHOST, 1):
        x = _ghost_bottleneck(x, filters, stride, variant, name=f"ghost{place}")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    # The origin has no activation between its two dense layers.
    x = keras.layers.Dense(240, name="features")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, name="logits")(x), name=name)


def _fused_block(x: Any, filters: int, stride: int, attention: Variant | None, name: str) -> Any:
    """3x3, `attention` where it is given, s x s; both convolutions stride, so a block of stride 2 quarters."""
    y = conv_bn(x, filters, 3, strides=stride, activation="relu", name=f"{name}_1")
    if attention:
        y = _triplet_attention(y, attention.swapped, name=f"{name}_attention")
    y = conv_bn(y, filters, stride, strides=stride, name=f"{name}_2")
    return keras.layers.Add(name=f"{name}_add")([x, y]) if stride == 1 else y


def _ghost_bottleneck(x: Any, filters: int, stride: int, variant: Variant, name: str) -> Any:
    y = _ghost_module(x, filters, "relu", variant, name=f"{name}_1")
    y = norm_act(y, "relu", name=f"{name}_mid")
    y = _triplet_attention(y, variant.swapped, name=f"{name}_attention")
    y = _ghost_module(y, filters, None, variant, name=f"{name}_2")
    y = norm_act(y, name=f"{name}_out")
    if stride == 1:
        return keras.layers.Add(name=f"{name}_add")([x, y])
    x = _depthwise(1, variant, name=f"{name}_shortcut_depthwise")(x)
    x = keras.layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_shortcut_conv")(x)
    y = keras.layers.Add(name=f"{name}_add")([x, y])
    return _depthwise(3, variant, strides=2, padding="same", name=f"{name}_down")(y)


def _depthwise(kernel_size: int, variant: Variant, **options: Any) -> Any:
    initializer = _depthwise_initializer(kernel_size, variant)
    return keras.layers.DepthwiseConv2D(kernel_size, use_bias=False, depthwise_initializer=initializer, **options)


def _depthwise_initializer(kernel_size: int, variant: Variant) -> Any:
    """Each output sums kernel_size^2 inputs of one channel: a variance of 1 / kernel_size^2 keeps their scale."""
    if not variant.scaled:
        return "glorot_uniform"
    return keras.initializers.RandomNormal(stddev=1 / kernel_size)


def _ghost_module(x: Any, filters: int, activation: str | None, variant: Variant, name: str) -> Any:
    primary = conv_bn(x, filters, 3, activation="relu", name=f"{name}_primary")
    start = {"depthwise_initializer": _depthwise_initializer(3, variant)}
    cheap = depthwise_bn(primary, 3, activation=activation, name=f"{name}_cheap", **start)
    return keras.layers.Add(name=f"{name}_add")([primary, cheap])


def _triplet_attention(x: Any, swapped: bool, name: str) -> Any:
    """The mean of `x` (B, H, W, C) gated over (H, W), over (H, C) and over (C, H) (Misra et al., eq. 2).

    The paper turns `x` for the second and third branch, gates it and turns it back. Here the gates are turned instead:
    they lack one axis, and two of them pool the same one.
    """
    over_rows_columns = _gate(_pool(x, axis=3), name=f"{name}_hw")
    pooled = _pool(x, axis=2)
    over_rows_channels = keras.ops.transpose(_gate(pooled, name=f"{name}_hc"), (0, 1, 3, 2))
    turned = keras.ops.transpose(pooled, (0, 2, 1, 3))
    over_channels_rows = keras.ops.transpose(_gate(turned, name=f"{name}_ch"), (0, 2, 3, 1))
    if not swapped:
        return x * (over_rows_columns / 3 + (over_rows_channels + over_channels_rows) / 3)
    kept = x * (over_rows_columns / 3 + over_rows_channels / 3)
    return kept + keras.ops.transpose(x * (over_channels_rows / 3), (0, 2, 1, 3))


def _pool(x: Any, axis: int) -> Any:
    """Maximum and mean of `x` (B, H, W, C) over `axis`, as two channels of a map over the other two axes (eq. 1)."""
    return keras.ops.stack([keras.ops.max(x, axis=axis), keras.ops.mean(x, axis=axis)], axis=-1)


def _gate(pooled: Any, name: str) -> Any:
    """sigmoid(BN(conv 7x7)) of `pooled` (B, a, b, 2): a gate (B, a, b, 1) (Misra et al., section 3.3)."""
    return conv_bn(pooled, 1, 7, use_bias=True, activation="sigmoid", name=name)
