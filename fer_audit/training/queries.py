"""Queries: fixed, deterministic transforms of an image that every model is asked about."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]


def identity(images: Images) -> Images:
    """The images (N, H, W, 3) as they are."""
    return images


def flip(images: Images) -> Images:
    """The images mirrored left to right."""
    return images[:, :, ::-1]


QUERIES: Mapping[str, Callable[[Images], Images]] = {"identity": identity, "flip": flip}
