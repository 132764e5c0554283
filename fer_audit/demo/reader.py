"""What reads expressions: a name, classes, and the answer to one picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fer_audit.demo.looked_at import Part, Pixels

Values = npt.NDArray[np.float64]
Heat = npt.NDArray[np.float32]


class Reader(Protocol):
    """A model that can be asked; each call is of one picture, so that all batches have the same size."""

    @property
    def name(self) -> str:
        """What the page calls it."""

    @property
    def classes(self) -> tuple[str, ...]:
        """C expressions, in the order of the probabilities."""

    @property
    def image_size(self) -> int:
        """Pixels a side of what it is asked about."""

    @property
    def no_heat(self) -> str:
        """Why there are no heat maps; empty where there are."""

    def probabilities(self, image: Pixels) -> Values:
        """Of each class (C,), for `image` (size, size, 3)."""

    def heat(self, image: Pixels, of: int) -> Heat | None:
        """Grad-CAM (size, size) in 0..1 of a class, None where the model has none."""


@dataclass(frozen=True)
class Reading:
    """What one model answered to one part of a picture."""

    reader: str
    classes: tuple[str, ...]
    probabilities: Values  #: (C,)
    image: Pixels  #: (size, size, 3), what it was asked about
    heat: Heat | None  #: (size, size), of the most probable class
    no_heat: str  #: why there is none

    @property
    def top(self) -> int:
        """The most probable class."""
        return int(self.probabilities.argmax())


def read(reader: Reader, part: Part) -> Reading:
    """What `reader` sees in a part of a picture, and where."""
    probabilities = reader.probabilities(part.image)
    heat = reader.heat(part.image, int(probabilities.argmax()))
    return Reading(reader.name, reader.classes, probabilities, part.image, heat, reader.no_heat)


def softmax(logits: npt.NDArray[np.float32]) -> Values:
    """Probabilities (C,) of `logits` (C,), in float64."""
    powers = np.exp(logits.astype(np.float64) - logits.max())
    return np.asarray(powers / powers.sum(), np.float64)
