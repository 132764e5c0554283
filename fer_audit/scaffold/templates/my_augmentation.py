"""Random erasing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from fer_audit.augmentations.augmentation import Augmentation, Images, SoftLabels
from fer_audit.plugins import Parameters

#: Least share of the image and flattest rectangle that are erased, as in the paper.
_LEAST_AREA, _FLATTEST = 0.02, 0.3


class MyAugmentation(Augmentation):
    """Noise takes the place of a rectangle in some of the images.

    Source: Zhong, Zheng, Kang, Li, Yang, "Random Erasing Data Augmentation", AAAI 2020, algorithm 1. Differs: a
    rectangle that does not fit is cut to the image, where the paper draws another one.
    """

    name = "my-augmentation"

    class Params(Parameters):
        """Parameters of random erasing; the grid may set them."""

        probability: float = Field(0.5, ge=0, le=1, description="that an image is changed")
        area: float = Field(0.4, ge=0, le=1, description="largest share of the image that is erased")

    params: Params

    def apply(self, images: Images, labels: SoftLabels, rng: np.random.Generator) -> tuple[Images, SoftLabels]:
        """Changed copies of `images`; labels are returned as they are."""
        rows, height, width, _ = images.shape
        area = height * width * rng.uniform(min(_LEAST_AREA, self.params.area), self.params.area, rows)
        aspect = rng.uniform(_FLATTEST, 1 / _FLATTEST, rows)
        vertical, horizontal = _spans(np.sqrt(area * aspect), height, rng), _spans(np.sqrt(area / aspect), width, rng)
        chosen = rng.random(rows) < self.params.probability
        erased = chosen[:, None, None] & vertical[:, :, None] & horizontal[:, None, :]
        noise = rng.integers(0, 256, images.shape, np.uint8)
        return np.where(erased[..., None], noise, images), labels.copy()


def _spans(lengths: npt.NDArray[np.float64], size: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """(B, size), the pixels within a span of each of the `lengths` (B,) in pixels, placed at random."""
    whole = np.minimum(np.rint(lengths), size).astype(np.int64)
    start = rng.integers(0, size - whole + 1)
    pixels = np.arange(size)
    return (pixels >= start[:, None]) & (pixels < (start + whole)[:, None])
