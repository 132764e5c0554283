"""GhostFace in PyTorch, written to be fast in eager mode; `copy_from_keras` and `figures.steps` prove it the same.

Two of the three attention branches of GhostFace pool the same axis (the columns), so that one convolution with two
outputs does the work of both, and no map is ever permuted. Keras' `same` padding is asymmetric where a stride is two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from baselines.architecture import EPSILON, FUSED, GHOST, MOMENTUM

Weights = dict[str, npt.NDArray[Any]]


class SameConv(nn.Module):
    """A convolution of square maps of `size` pixels with TensorFlow's `same` padding."""

    def __init__(
        self, name: str, inputs: int, outputs: int, kernel: int, size: int, *, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.name = name
        self.size = math.ceil(size / stride)
        total = max((self.size - 1) * stride + kernel - size, 0)
        before, after = total // 2, total - total // 2
        # Only uneven padding needs a copy of the map.
        self._uneven = None if before == after else [before, after, before, after]
        padding = before if before == after else 0
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The convolution of `x` (B, C, H, W)."""
        return self.conv(x if self._uneven is None else functional.pad(x, self._uneven))

    def take(self, weights: Weights) -> None:
        """Takes its kernel out of `weights`; Keras keeps (H, W, in, out)."""
        kernel = weights.pop(f"{self.name}/kernel")
        order = (2, 3, 0, 1) if self.conv.groups > 1 else (3, 2, 0, 1)
        _assign(self.conv.weight, kernel.transpose(order))


class Norm(nn.BatchNorm2d):
    """Batch normalisation with Keras' settings."""

    def __init__(self, name: str, channels: int) -> None:
        super().__init__(channels, eps=EPSILON, momentum=1 - MOMENTUM)
        self.name = f"{name}_bn"

    def take(self, weights: Weights) -> None:
        """Takes its four vectors out of `weights`."""
        parts = zip(("gamma", "beta", "moving_mean", "moving_variance"), _vectors(self), strict=True)
        for part, tensor in parts:
            _assign(tensor, weights.pop(f"{self.name}/{part}"))


class Attention(nn.Module):
    """Triplet attention: `x` times the mean of three gates."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.over_rows_columns = nn.Conv2d(2, 1, 7, padding=3)
        self.norm = nn.BatchNorm2d(1, eps=EPSILON, momentum=1 - MOMENTUM)
        self.over_channels_rows = nn.Conv2d(2, 2, 7, padding=3)
        self.norms = nn.BatchNorm2d(2, eps=EPSILON, momentum=1 - MOMENTUM)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`x` (B, C, H, W), gated."""
        over_channels = torch.cat([x.max(1, keepdim=True).values, x.mean(1, keepdim=True)], 1)
        over_columns = torch.stack([x.max(3).values, x.mean(3)], 1)
        first = torch.sigmoid(self.norm(self.over_rows_columns(over_channels)))
        others = torch.sigmoid(self.norms(self.over_channels_rows(over_columns))).sum(1).unsqueeze(3)
        return x * ((first + others) / 3)

    def take(self, weights: Weights) -> None:
        """Takes the weights of the three gates out of `weights`."""
        self._take_gates(weights, self.over_rows_columns, self.norm, {"hw": (3, 2, 0, 1)})
        # The maps here are (C, H); the branch "hc" of Keras convolves (H, C), so its kernel is turned.
        self._take_gates(weights, self.over_channels_rows, self.norms, {"hc": (3, 2, 1, 0), "ch": (3, 2, 0, 1)})

    def _take_gates(
        self, weights: Weights, conv: nn.Conv2d, norm: nn.BatchNorm2d, gates: Mapping[str, tuple[int, ...]]
    ) -> None:
        names = [f"{self.name}_{gate}" for gate in gates]
        kernels = [
            weights.pop(f"{name}_conv/kernel").transpose(order)
            for name, order in zip(names, gates.values(), strict=True)
        ]
        _assign(conv.weight, np.concatenate(kernels))
        _assign(conv.bias, np.concatenate([weights.pop(f"{name}_conv/bias") for name in names]))
        parts = zip(("gamma", "beta", "moving_mean", "moving_variance"), _vectors(norm), strict=True)
        for part, tensor in parts:
            _assign(tensor, np.concatenate([weights.pop(f"{name}_bn/{part}") for name in names]))


class FusedBlock(nn.Module):
    """3x3, perhaps attention, then s x s; both convolutions stride."""

    def __init__(self, name: str, inputs: int, filters: int, stride: int, attention: bool, size: int) -> None:
        super().__init__()
        self.first = SameConv(f"{name}_1_conv", inputs, filters, 3, size, stride=stride)
        self.first_norm = Norm(f"{name}_1", filters)
        self.attention = Attention(f"{name}_attention") if attention else nn.Identity()
        self.second = SameConv(f"{name}_2_conv", filters, filters, stride, self.first.size, stride=stride)
        self.second_norm = Norm(f"{name}_2", filters)
        self.size = self.second.size
        self._residual = stride == 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block's output for `x` (B, C, H, W)."""
        y = functional.relu(self.first_norm(self.first(x)), inplace=True)
        y = self.second_norm(self.second(self.attention(y)))
        return x + y if self._residual else y


class GhostModule(nn.Module):
    """A convolution and, added to it, a cheap depthwise convolution of its output."""

    def __init__(self, name: str, inputs: int, filters: int, activation: bool, size: int) -> None:
        super().__init__()
        self.primary = SameConv(f"{name}_primary_conv", inputs, filters, 3, size)
        self.primary_norm = Norm(f"{name}_primary", filters)
        self.cheap = SameConv(f"{name}_cheap_depthwise", filters, filters, 3, size, groups=filters)
        self.cheap_norm = Norm(f"{name}_cheap", filters)
        self._activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum of the primary and the cheap features of `x` (B, C, H, W)."""
        primary = functional.relu(self.primary_norm(self.primary(x)), inplace=True)
        cheap = self.cheap_norm(self.cheap(primary))
        return primary + (functional.relu(cheap, inplace=True) if self._activation else cheap)


class GhostBottleneck(nn.Module):
    """Two ghost modules around attention, with a shortcut; halves the map where `stride` is 2."""

    def __init__(self, name: str, inputs: int, filters: int, stride: int, size: int) -> None:
        super().__init__()
        self.first = GhostModule(f"{name}_1", inputs, filters, True, size)
        self.mid_norm = Norm(f"{name}_mid", filters)
        self.attention = Attention(f"{name}_attention")
        self.second = GhostModule(f"{name}_2", filters, filters, False, size)
        self.out_norm = Norm(f"{name}_out", filters)
        self.shortcut, self.down, self.size = nn.Identity(), nn.Identity(), size
        if stride != 1:
            depthwise = SameConv(f"{name}_shortcut_depthwise", inputs, inputs, 1, size, groups=inputs)
            self.shortcut = nn.Sequential(depthwise, SameConv(f"{name}_shortcut_conv", inputs, filters, 1, size))
            self.down = SameConv(f"{name}_down", filters, filters, 3, size, stride=stride, groups=filters)
            self.size = self.down.size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The bottleneck's output for `x` (B, C, H, W)."""
        y = functional.relu(self.mid_norm(self.first(x)), inplace=True)
        y = self.out_norm(self.second(self.attention(y)))
        return self.down(self.shortcut(x) + y)


class GhostFace(nn.Module):
    """GhostFace from images (B, 3, size, size) in 0..255 to logits (B, classes)."""

    def __init__(self, size: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("variance", torch.ones(()))
        self.stem = SameConv("stem_conv", 3, 8, 5, size, stride=2)
        self.stem_norm = Norm("stem", 8)
        blocks: list[nn.Module] = []
        channels, size = 8, self.stem.size
        for place, (filters, stride, attention) in enumerate(FUSED, 1):
            block = FusedBlock(f"fused{place}", channels, filters, stride, attention, size)
            channels, size = filters, block.size
            blocks.append(block)
        for place, (filters, stride) in enumerate(GHOST, 1):
            bottleneck = GhostBottleneck(f"ghost{place}", channels, filters, stride, size)
            channels, size = filters, bottleneck.size
            blocks.append(bottleneck)
        self.blocks = nn.Sequential(*blocks)
        self.features = nn.Linear(channels, 240)
        self.logits = nn.Linear(240, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of `images` float32 (B, 3, H, W)."""
        x = (images - self.mean) * torch.rsqrt(self.variance)
        x = functional.relu(self.stem_norm(self.stem(x)), inplace=True)
        return self.logits(self.features(self.blocks(x).mean((2, 3))))

    def take(self, weights: Weights) -> None:
        """Takes the statistics of the input and the dense layers out of `weights`."""
        _assign(self.mean, weights.pop("normalization/mean"))
        _assign(self.variance, weights.pop("normalization/variance"))
        weights.pop("normalization/count")
        for name, layer in (("features", self.features), ("logits", self.logits)):
            _assign(layer.weight, weights.pop(f"{name}/kernel").T)
            _assign(layer.bias, weights.pop(f"{name}/bias"))


def copy_from_keras(weights: Mapping[str, npt.NDArray[Any]], network: GhostFace) -> None:
    """Gives `network` the Keras `weights`, by path; raises ValueError where one is left over."""
    left = dict(weights)
    with torch.no_grad():
        for module in network.modules():
            if hasattr(module, "take"):
                module.take(left)
    if left:
        raise ValueError(f"weights that the PyTorch network has no place for: {sorted(left)[:6]}")


def _vectors(norm: nn.BatchNorm2d) -> tuple[Any, Any, Any, Any]:
    return norm.weight, norm.bias, norm.running_mean, norm.running_var


def _assign(tensor: Any, value: npt.NDArray[Any]) -> None:
    if tuple(tensor.shape) != value.shape:
        raise ValueError(f"expected a weight of shape {tuple(tensor.shape)}, received {value.shape}")
    tensor.copy_(torch.from_numpy(np.array(value, order="C")))
