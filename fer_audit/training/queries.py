"""Queries: fixed, deterministic transforms of an image that every model is asked about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]


def identity(images: Images) -> Images:
    """The images (N, H, W, 3) as they are."""
    return images


def flip(images: Images) -> Images:
    """The images mirrored left to right."""
    return images[:, :, ::-1]


def shift(images: Images, down: int, right: int) -> Images:
    """The images moved by steps of 1/16 of their size; the edge is repeated where they uncover nothing."""
    height, width = images.shape[1:3]
    rows = np.clip(np.arange(height) - down * max(1, height // 16), 0, height - 1)
    columns = np.clip(np.arange(width) - right * max(1, width // 16), 0, width - 1)
    return images[:, rows[:, None], columns]


#: A name never changes what it stands for: stored answers are found by it.
QUERIES: Mapping[str, Callable[[Images], Images]] = {
    "identity": identity,
    "flip": flip,
    "up": partial(shift, down=-1, right=0),
    "down": partial(shift, down=1, right=0),
    "left": partial(shift, down=0, right=-1),
    "right": partial(shift, down=0, right=1),
}
