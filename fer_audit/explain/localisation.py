"""How much of the heat lies where the evidence is known to be."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fer_audit.explain.upsampling import Maps


def heat_inside(maps: Maps, masks: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Share (N,) of the heat of `maps` (N, H, W) that lies inside `masks` (N, H, W); NaN for a map without heat.

    The energy-based pointing game of Wang et al., "Score-CAM", CVPR Workshops 2020, section 4.3.
    """
    inside = np.sum(maps, axis=(1, 2), dtype=np.float64, where=masks)
    everywhere = np.sum(maps, axis=(1, 2), dtype=np.float64)
    return np.divide(inside, everywhere, out=np.full(len(maps), np.nan), where=everywhere > 0)
