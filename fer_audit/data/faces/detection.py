"""What a face detector finds, and which of several faces is taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from fer_audit.errors import DataError, did_you_mean

DetectorName: TypeAlias = Literal["retinaface", "mtcnn", "haar", "none"]
Choice: TypeAlias = Literal["largest", "nearest-centre"]
Point: TypeAlias = tuple[float, float]
Pixels: TypeAlias = npt.NDArray[np.uint8]

DETECTORS: tuple[DetectorName, ...] = ("retinaface", "mtcnn", "haar", "none")

#: A detector is shown at least so many pixels a side: what it was trained on had faces of some size.
_LEAST_SIDE = 160
#: Room around an image, as a share of its longer side: detectors expect some background around a face.
_ROOM = 0.2


@dataclass(frozen=True)
class Face:
    """One face in an image; all lengths in its pixels."""

    box: tuple[float, float, float, float]  #: left, top, right, bottom
    score: float  #: of the detector, larger is surer; scales differ between detectors
    eyes: tuple[Point, Point]  #: centres, the one on the left of the image first
    eyes_found: bool = True  #: False where they were guessed from the box
    others: tuple[Point, ...] = ()  #: nose, left and right corner of the mouth, where the detector finds them

    @property
    def area(self) -> float:
        """Of the box."""
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])

    def moved(self, scale: float, left: float, top: float) -> Face:
        """The face in an image that was first enlarged by `scale` and then got `left` and `top` pixels of room."""

        def back(point: Point) -> Point:
            return (point[0] - left) / scale, (point[1] - top) / scale

        (a, b), (c, d) = back(self.box[:2]), back(self.box[2:])
        eyes = back(self.eyes[0]), back(self.eyes[1])
        return Face((a, b, c, d), self.score, eyes, self.eyes_found, tuple(back(point) for point in self.others))


class Detector(Protocol):
    """Finds faces in an image."""

    def find(self, image: Pixels) -> list[Face]:
        """All faces in `image` (H, W, 3), RGB."""


def load_detector(name: DetectorName) -> Detector | None:
    """The detector of that name; None for `none`; raises DataError where something of it is missing."""
    if name == "retinaface":
        from fer_audit.data.faces.retinaface_detector import RetinaFaceDetector

        return RetinaFaceDetector()
    if name == "mtcnn":
        from fer_audit.data.faces.mtcnn_detector import MtcnnDetector

        return MtcnnDetector()
    if name == "haar":
        from fer_audit.data.faces.haar import HaarDetector

        return HaarDetector()
    if name != "none":
        raise DataError(f"unknown detector {name!r}: {did_you_mean(name, DETECTORS)}")
    return None


def find_faces(detector: Detector, image: Pixels) -> list[Face]:
    """All faces in `image` (H, W, 3) in its own pixels; small images are enlarged first, and all get some room."""
    import cv2

    scale = max(1.0, _LEAST_SIDE / min(image.shape[:2]))
    shown = image
    if scale > 1:
        size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
        shown = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    room = round(_ROOM * max(shown.shape[:2]))
    framed = cv2.copyMakeBorder(shown, room, room, room, room, cv2.BORDER_REPLICATE)
    return [face.moved(scale, room, room) for face in detector.find(np.ascontiguousarray(framed))]


def choose(faces: Sequence[Face], width: int, height: int, rule: Choice) -> Face | None:
    """The face that is taken of an image of `width` x `height`: the largest box, or the nearest to the centre.

    The other measure decides between equals, and then the score.
    """

    def measures(face: Face) -> tuple[float, float, float]:
        across, down = (face.box[0] + face.box[2] - width) / 2, (face.box[1] + face.box[3] - height) / 2
        far = math.hypot(across, down)
        return (-face.area, far, -face.score) if rule == "largest" else (far, -face.area, -face.score)

    return min(faces, key=measures, default=None)


def ordered_eyes(one: Point, other: Point) -> tuple[Point, Point]:
    """Two eyes, the one on the left of the image first."""
    return (one, other) if one[0] <= other[0] else (other, one)
