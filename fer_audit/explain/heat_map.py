"""A heat map laid over its image."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

#: Of the hottest pixel: the face shines through everywhere.
_OPACITY = 0.75


def overlay(image: npt.NDArray[np.uint8], heat: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """`heat` (H, W) in 0..1 in colour over `image` (H, W, 3) in grey: RGB (H, W, 3).

    The colours are those of inferno, whose lightness grows evenly, also to the colour-blind; pixels without heat stay
    grey, and the more heat, the more of its colour.
    """
    levels = np.rint(255 * heat).astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
    opacity = _OPACITY * heat[..., None]
    mixed = opacity * colours + (1 - opacity) * grey
    return np.asarray(np.rint(mixed), np.uint8)
