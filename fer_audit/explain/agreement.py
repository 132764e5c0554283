"""Whether a mirrored image gets the mirrored heat map."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fer_audit.explain.upsampling import Maps


def flip_agreement(maps: Maps, flipped_maps: Maps) -> npt.NDArray[np.float64]:
    """Pearson correlation (N,) of `maps` (N, H, W) with the mirrored-back `flipped_maps` of the mirrored images.

    NaN where one of the two is the same throughout.
    """
    return correlations(maps, flipped_maps[:, :, ::-1])


def correlations(one: Maps, other: Maps) -> npt.NDArray[np.float64]:
    """Pearson correlation (N,) over the pixels of each pair of maps (N, H, W); NaN where one of a pair is constant."""
    x, y = _standardised(one), _standardised(other)
    return np.asarray(np.einsum("np,np->n", x, y), np.float64)


def _standardised(maps: Maps) -> npt.NDArray[np.float64]:
    """Rows (N, H * W) of mean 0 and length 1; NaN where a map is constant."""
    pixels = maps.reshape(len(maps), -1).astype(np.float64)
    centred = pixels - pixels.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    # Told by the pixels, as rounding leaves a constant row a little beside its mean.
    varies = np.ptp(pixels, axis=1, keepdims=True) > 0
    return np.asarray(np.divide(centred, lengths, out=np.full_like(centred, np.nan), where=varies), np.float64)
