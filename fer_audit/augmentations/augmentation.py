"""The contract of an augmentation."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, final

import numpy as np
import numpy.typing as npt

from fer_audit.errors import PluginError
from fer_audit.plugins import Plugin

Images = npt.NDArray[np.uint8]
SoftLabels = npt.NDArray[np.float32]


class Augmentation(Plugin):
    """A random change of a training batch. Authors write `apply`; the same generator state gives the same result."""

    kind: ClassVar[str] = "augmentation"

    @final
    def __call__(self, images: Images, labels: SoftLabels, rng: np.random.Generator) -> tuple[Images, SoftLabels]:
        """Changed copies of `images` uint8 (B, H, W, 3) and `labels` float32 (B, C); raises PluginError."""
        changed, soft = self.apply(images, labels, rng)
        if changed.shape != images.shape or changed.dtype != np.uint8:
            raise PluginError(
                f"augmentation {self.name!r} must return uint8 images of shape {images.shape}, "
                f"received {changed.dtype} {changed.shape}"
            )
        if soft.shape != labels.shape or soft.dtype != np.float32:
            raise PluginError(
                f"augmentation {self.name!r} must return float32 labels of shape {labels.shape}, "
                f"received {soft.dtype} {soft.shape}"
            )
        return changed, soft

    @abstractmethod
    def apply(self, images: Images, labels: SoftLabels, rng: np.random.Generator) -> tuple[Images, SoftLabels]:
        """Changed images and labels; must not write into its arguments."""
