"""Counts that others published and that claims were made with, beside those that are counted here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A published count of one image at 224 px and 7 classes; it never stands in for a count of our own."""

    unit: str  #: the unit that it is in, whatever it was called
    value: int
    source: str


#: Published counts by the name of the model.
PUBLISHED: Mapping[str, Published] = {
    "efficientface": Published(
        "fvcore", 154_180_000, "the figure commonly quoted from Zhao et al., AAAI 2021, which calls it FLOPs"
    ),
    "ghostface-origin": Published("keras_flops", 134_655_852, "keras-flops 0.1.2 on the released source"),
}

#: What published counts are of.
PUBLISHED_SIZE, PUBLISHED_CLASSES = 224, 7
