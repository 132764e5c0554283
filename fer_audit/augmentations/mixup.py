"""MixUp."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from fer_audit.augmentations.augmentation import Augmentation, Images, SoftLabels
from fer_audit.plugins import Parameters


class MixUp(Augmentation):
    """Each image and label is blended with another row of the batch: x = l x_i + (1 - l) x_j, y likewise.

    Source: Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", 2018, eq. 1. The weight
    l ~ Beta(alpha, alpha) is drawn for each pair; blended images are rounded to 8 bits.
    """

    name = "mixup"

    class Params(Parameters):
        """Parameters of MixUp."""

        alpha: float = Field(0.2, ge=0, description="concentration of the Beta distribution; 0 leaves rows unmixed")

    params: Params

    def apply(self, images: Images, labels: SoftLabels, rng: np.random.Generator) -> tuple[Images, SoftLabels]:
        """Blended copies of `images` and `labels`."""
        rows = len(images)
        if self.params.alpha == 0:
            return images.copy(), labels.copy()
        weight = rng.beta(self.params.alpha, self.params.alpha, size=rows).astype(np.float32)
        partner = rng.permutation(rows)
        w = weight[:, None, None, None]
        blended = np.rint(w * images + (1 - w) * images[partner]).astype(np.uint8)
        v = weight[:, None]
        return blended, v * labels + (1 - v) * labels[partner]
