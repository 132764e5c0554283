"""From the resolution of a feature map to that of the image."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Maps = npt.NDArray[np.float32]


def upsampled(maps: Maps, height: int, width: int) -> Maps:
    """`maps` (N, h, w), none negative, bilinear at (N, height, width), each over its own maximum; zeros stay zero."""
    heat = np.empty((len(maps), height, width), np.float32)
    for place, one in enumerate(maps):
        heat[place] = cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR)
    peaks = heat.max(axis=(1, 2), keepdims=True)
    np.divide(heat, peaks, out=heat, where=peaks > 0)
    return heat
