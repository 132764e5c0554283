"""RandAugment."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from pydantic import Field

from fer_audit.augmentations.augmentation import Augmentation, Images, SoftLabels
from fer_audit.augmentations.imgaug_import import imgaug_augmenters
from fer_audit.plugins import Parameters


class RandAug(Augmentation):
    """`n` random operations of magnitude `m` on each image, by imgaug's RandAugment, as GhostFace was trained.

    Source: Cubuk, Zoph, Shlens, Le, "RandAugment: Practical automated data augmentation", 2020. imgaug's list of
    operations (colour, contrast, blur-free geometry, cut-out) follows the paper's; every image draws its own.
    """

    name = "randaug"

    class Params(Parameters):
        """Parameters of RandAugment."""

        n: int = Field(2, ge=0, le=16, description="operations applied to each image, one after another")
        m: int = Field(9, ge=0, le=30, description="their magnitude, 0 (none) to 30 (strongest)")

    params: Params

    @cached_property
    def _augmenter(self) -> Any:
        return imgaug_augmenters().RandAugment(n=self.params.n, m=self.params.m)

    def apply(self, images: Images, labels: SoftLabels, rng: np.random.Generator) -> tuple[Images, SoftLabels]:
        """Changed copies of `images`; labels are returned as they are."""
        if self.params.n == 0:
            return images.copy(), labels.copy()
        self._augmenter.seed_(int(rng.integers(2**31)))
        return self._augmenter.augment_images(images), labels.copy()
