"""Masks (H, W) in 0..1 that say where an image is blended with its corruption, as imgaug's BlendAlphaMask asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.lazy import LazyModule
from fer_audit.robustness.kernels import line_kernel

# Listing the kinds of corruption should not pay for OpenCV.
cv2: Any = LazyModule("cv2")

Mask = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Band:
    """A rectangle at a fixed place; all numbers are shares of the image's width or height."""

    x: float  #: of its centre
    y: float
    width: float
    height: float

    def draw_masks(self, batch: Any, random_state: Any = None) -> list[Mask]:
        """1 within the rectangle, and on its edges the share of the pixel that it covers; one mask an image."""
        return [self._mask(image.shape[0], image.shape[1]) for image in batch.images]

    def _mask(self, rows: int, columns: int) -> Mask:
        down = _covered(rows, self.y - self.height / 2, self.y + self.height / 2)
        return np.asarray(
            np.outer(down, _covered(columns, self.x - self.width / 2, self.x + self.width / 2)), np.float32
        )


def _covered(pixels: int, start: float, end: float) -> Mask:
    """How much (P,) of each of `pixels` side by side lies between two shares of their length."""
    left = np.arange(pixels)
    covered = np.minimum(left + 1, end * pixels) - np.maximum(left, start * pixels)
    return np.asarray(np.clip(covered, 0, 1), np.float32)


@dataclass(frozen=True)
class Ramp:
    """From 0 at one edge of the image to 1 at the opposite one, in a direction that is drawn for each image."""

    def draw_masks(self, batch: Any, random_state: Any = None) -> list[Mask]:
        """One mask an image."""
        angles = random_state.uniform(0, 2 * np.pi, size=len(batch.images))
        return [_ramp(image.shape[0], image.shape[1], angle) for image, angle in zip(batch.images, angles, strict=True)]


def _ramp(rows: int, columns: int, angle: float) -> Mask:
    y, x = np.linspace(-1, 1, rows)[:, None], np.linspace(-1, 1, columns)[None]
    along = x * np.cos(angle) + y * np.sin(angle)
    return np.asarray((along - along.min()) / np.ptp(along), np.float32)


@dataclass(frozen=True)
class Snow:
    """Falling flakes, streaked along a direction that is drawn for each image."""

    density: float  #: share of the cells of a grid that hold a flake
    cells: int  #: of the grid along each side of the image
    streak: float  #: length of a streak, as a share of the image's side

    def draw_masks(self, batch: Any, random_state: Any = None) -> list[Mask]:
        """One mask an image."""
        return [self._mask(image.shape[0], image.shape[1], random_state) for image in batch.images]

    def _mask(self, rows: int, columns: int, rng: Any) -> Mask:
        angle = rng.uniform(-45, 45)
        chance = rng.uniform(0, 1, size=(self.cells, self.cells))
        # Sizes follow from the same draw, so that a denser snow keeps the flakes of a thinner one.
        flakes = np.clip((self.density - chance) / self.density, 0, 1) ** 0.5
        grown = cv2.resize(flakes.astype(np.float32), (columns, rows), interpolation=cv2.INTER_LINEAR)
        fallen = cv2.filter2D(grown, -1, line_kernel(self.streak * max(rows, columns), 90 + angle))
        return np.asarray(np.clip(2 * fallen, 0, 1), np.float32)
