"""Kernels (K, K) of a camera that moves or is out of focus."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Kernel = npt.NDArray[np.float32]


def line_kernel(length: float, angle: float) -> Kernel:
    """Kernel (K, K) of a motion over `length` pixels at `angle` degrees from the x axis; its sum is 1."""
    reach = int(np.ceil(length / 2))
    steps = np.linspace(-length / 2, length / 2, 8 * reach + 1)
    turned = np.deg2rad(angle)
    return _splatted(steps * np.cos(turned), steps * np.sin(turned), reach + 1)


def disc_kernel(radius: float) -> Kernel:
    """Kernel (K, K) of a lens out of focus, whose points become discs of `radius` pixels; its sum is 1."""
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    # Pixels on the rim count by about as much as the disc covers of them.
    disc = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return np.asarray(disc / disc.sum(), np.float32)


def _splatted(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], reach: int) -> Kernel:
    """Points (P,) shared out to the four pixels around each, on a grid of -reach..reach; the sum is 1."""
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for dx in (0, 1):
        for dy in (0, 1):
            share = np.abs(1 - dx - (x - left)) * np.abs(1 - dy - (y - top))
            np.add.at(kernel, (top + dy + reach, left + dx + reach), share)
    return np.asarray(kernel / kernel.sum(), np.float32)
