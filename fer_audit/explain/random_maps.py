"""Heat maps that know nothing: the baseline of every measure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fer_audit.explain.upsampling import Maps, upsampled


def random_maps(
    count: int, map_shape: tuple[int, int], image_shape: tuple[int, int], seed: int | Sequence[int]
) -> Maps:
    """Uniform noise of `map_shape` at `image_shape` (count, H, W), as smooth and as high as Grad-CAM's heat of it."""
    noise = np.random.default_rng(seed).random((count, *map_shape), np.float32)
    return upsampled(noise, *image_shape)
