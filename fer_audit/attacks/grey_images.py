"""Images as a few grey numbers, for label attacks that depend on what is seen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.label_attack import Floats

#: Share of red, green and blue in the brightness, ITU-R BT.601.
_LUMA = np.array([0.299, 0.587, 0.114])
#: Images whose grey values are in memory at a time.
_BLOCK = 256


def grey_features(images: npt.NDArray[np.uint8], side: int) -> Floats:
    """Brightness (N, S) of `images` (N, H, W, 3) on `side` x `side` equal areas, each of mean 0 and deviation 1.

    Where an image has fewer pixels, each is an area; an area that is alike in all images is 0.
    """
    height, width = images.shape[1:3]
    down, across = _areas(height, min(side, height)), _areas(width, min(side, width))
    found = np.empty((len(images), len(down) * len(across)))
    for start in range(0, len(images), _BLOCK):
        grey = images[start : start + _BLOCK] @ _LUMA
        found[start : start + _BLOCK] = (down @ grey @ across.T).reshape(len(grey), -1)
    if len(found):
        spread = found.std(axis=0)
        found = (found - found.mean(axis=0)) / np.where(spread > 1e-9, spread, np.inf)
    return found


def _areas(pixels: int, areas: int) -> Floats:
    """Share (areas, pixels) of each pixel in each of the equal areas; a row sums to 1."""
    edges = np.linspace(0, pixels, areas + 1)
    first = np.arange(pixels)
    overlap = np.minimum(edges[1:, None], first + 1) - np.maximum(edges[:-1, None], first)
    found: Floats = np.maximum(overlap, 0) * areas / pixels
    return found
