"""A SavedModel as a reader: what a Space has instead of a network of Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from fer_audit.demo.looked_at import Pixels
from fer_audit.demo.reader import Heat, Values, softmax
from fer_audit.explain.upsampling import upsampled

#: Signatures: images (N, H, W, 3) uint8 to logits (N, C), and with classes (N,) int64 to maps (N, h, w).
LOGITS, HEAT = "serving_default", "heat"


class SavedReader:
    """Asks the SavedModel in a folder; its second signature gives the heat maps, where it has one."""

    def __init__(self, name: str, folder: Path, classes: tuple[str, ...], image_size: int, no_heat: str) -> None:
        self.name, self.classes, self.image_size, self.no_heat = name, classes, image_size, no_heat
        self._saved = tf.saved_model.load(str(folder))  # keeps the weights that its signatures use
        self._logits: Any = self._saved.signatures[LOGITS]
        self._heat: Any = self._saved.signatures.get(HEAT)

    def probabilities(self, image: Pixels) -> Values:
        """Of each class (C,), for `image` (size, size, 3)."""
        return softmax(self._logits(images=tf.constant(image[None]))["logits"].numpy()[0])

    def heat(self, image: Pixels, of: int) -> Heat | None:
        """Grad-CAM (size, size) of a class, None where the model has none."""
        if self._heat is None:
            return None
        maps = self._heat(images=tf.constant(image[None]), classes=tf.constant([of], tf.int64))["heat"].numpy()
        return np.asarray(upsampled(maps, self.image_size, self.image_size)[0], np.float32)
