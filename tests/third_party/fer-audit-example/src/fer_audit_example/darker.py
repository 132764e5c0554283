"""Darker images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from fer_audit.augmentations.augmentation import Augmentation
from fer_audit.plugins import Parameters


class Darker(Augmentation):
    """Takes up to a share `strength` of the light away, each image its own; labels stay. Source: this package."""

    name = "darker"

    class Params(Parameters):
        """Parameters of the darkening."""

        strength: float = Field(0.3, ge=0, le=1, description="largest share of the light that is taken")

    params: Params

    def apply(
        self, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.float32], rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        """Darker images (B, H, W, 3) and their labels (B, C)."""
        kept = 1 - self.params.strength * rng.random((len(images), 1, 1, 1))
        return (images * kept).astype(np.uint8), labels.copy()
