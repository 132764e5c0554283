"""A picture as it is shown to models: the faces in it, cut out as training data are, and the whole of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from fer_audit.data.faces import align
from fer_audit.data.faces.detection import Detector, Face, find_faces

Pixels = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]  #: left, top, right, bottom

WHOLE = "the whole picture"

#: Pixels of the longer side of what a detector is shown, and of what a page shows: a face of a twentieth of it is
#: still found, and a photograph of 12 million pixels takes no longer than a small one.
_LONGEST = 1024


@dataclass(frozen=True)
class Cut:
    """How faces are cut out, as `fer-audit prepare` does unless it is told otherwise."""

    size: int = 112  #: px a side, before the model's own size
    margin: float = 0.25  #: room around the face, as a share of it
    align: bool = True  #: turn and scale by the eyes; False: cut out the box


@dataclass(frozen=True)
class Part:
    """What a model can be asked about."""

    name: str  #: such as `face 1 (largest)`
    image: Pixels  #: (size, size, 3)
    box: Box | None  #: in pixels of the shown picture; None for the whole of it


@dataclass(frozen=True)
class Picture:
    """What is left of a picture once it is looked at."""

    shown: Pixels  #: (H, W, 3), no side above 1024 px
    parts: tuple[Part, ...]  #: faces, the largest first, and the whole picture last

    @property
    def faces(self) -> int:
        """How many were found."""
        return len(self.parts) - 1

    def part(self, name: str) -> Part | None:
        """The part of that name."""
        return next((part for part in self.parts if part.name == name), None)


def look_at(image: Pixels, detector: Detector, size: int, cut: Cut) -> Picture:
    """Finds and cuts out the faces of `image` (H, W, 3), for a model of `size` px a side."""
    shown = reduced(image)
    scale = shown.shape[1] / image.shape[1]
    height, width, _ = shown.shape
    found = sorted(find_faces(detector, shown), key=lambda face: (-face.area, -face.score))
    faces = [
        Part(_name(place, len(found)), face_image(image, face.moved(scale, 0, 0), size, cut), face.box)
        for place, face in enumerate(found, 1)
        if _overlaps(face.box, width, height)
    ]
    return Picture(shown, (*faces, Part(WHOLE, align.whole(image, size), None)))


def reduced(image: Pixels, longest: int = _LONGEST) -> Pixels:
    """`image` (H, W, 3) with its longer side at `longest` px, or as it is where that is shorter."""
    height, width, _ = image.shape
    scale = longest / max(height, width)
    if scale >= 1:
        return image
    sides = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(image).resize(sides, Image.Resampling.BOX, reducing_gap=2.0))


def face_image(image: Pixels, face: Face, size: int, cut: Cut) -> Pixels:
    """A face of `image` (H, W, 3) as `prepare` cuts it out and a dataset reads it then, (size, size, 3)."""
    if cut.align and face.eyes[0] != face.eyes[1]:
        found = align.aligned(image, face.eyes, cut.size, cut.margin)
    else:
        found = align.cropped(image, face.box, cut.size, cut.margin)
    return found if cut.size == size else align.whole(found, size)


def _overlaps(box: Box, width: int, height: int) -> bool:
    left, top, right, bottom = box
    return min(right, width) - max(left, 0) >= 1 and min(bottom, height) - max(top, 0) >= 1


def _name(place: int, count: int) -> str:
    if count == 1:
        return "the face"
    return f"face {place} (largest)" if place == 1 else f"face {place}"


def first_choice(picture: Picture, prefer_whole: bool) -> str | None:
    """The part that is read first: the largest face, or the whole picture of what is drawn; None without a face."""
    if prefer_whole:
        return WHOLE
    return picture.parts[0].name if picture.faces else None


def names(picture: Picture) -> Sequence[str]:
    """Of all parts."""
    return [part.name for part in picture.parts]
