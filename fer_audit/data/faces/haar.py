"""OpenCV's cascades of Haar features: fast, for frontal faces."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from fer_audit.data.faces.detection import Face, Pixels, Point, ordered_eyes
from fer_audit.lazy import LazyModule

cv2: Any = LazyModule("cv2")

_LEAST_SHARE = 0.2  #: of the image's shorter side that a face is wide

#: Where eyes are in a box of the cascade, as shares of its width and height.
_EYES = ((0.31, 0.385), (0.69, 0.385))
_EYE_DISTANCE = (0.25, 0.6)  #: of two eyes, as a share of the box's width
_LARGEST_SLOPE = 0.36  #: of the line between two eyes: about 20 degrees


class HaarDetector:
    """Faces, and the eyes in them where both are found.

    Source: Viola, Jones, "Rapid Object Detection using a Boosted Cascade of Simple Features", CVPR 2001.
    """

    def __init__(self) -> None:
        folder = Path(cv2.data.haarcascades)
        self._faces = cv2.CascadeClassifier(str(folder / "haarcascade_frontalface_default.xml"))
        self._eyes = cv2.CascadeClassifier(str(folder / "haarcascade_eye.xml"))

    def find(self, image: Pixels) -> list[Face]:
        """All frontal faces in `image` (H, W, 3); the score is the number of hits of the cascade's last stage."""
        grey = cv2.equalizeHist(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        least = round(_LEAST_SHARE * min(grey.shape))
        boxes, _, scores = self._faces.detectMultiScale3(grey, 1.05, 4, minSize=(least, least), outputRejectLevels=True)
        return [self._face(grey, box, float(score)) for box, score in zip(boxes, np.ravel(scores), strict=True)]

    def _face(self, grey: Any, box: Any, score: float) -> Face:
        left, top, width, height = (int(value) for value in box)
        found = self._pair(grey, left, top, width, height)
        a, b = ((left + x * width, top + y * height) for x, y in _EYES)
        edges = (float(left), float(top), float(left + width), float(top + height))
        return Face(edges, score, found or (a, b), eyes_found=found is not None)

    def _pair(self, grey: Any, left: int, top: int, width: int, height: int) -> tuple[Point, Point] | None:
        """The two eyes in the upper part of a box that lie most nearly where eyes are; None where there are no two."""
        upper = grey[top : top + int(0.6 * height), left : left + width]
        boxes = self._eyes.detectMultiScale(upper, 1.05, 4, minSize=(max(8, width // 8),) * 2)
        centres = [(left + x + w / 2, top + y + h / 2) for x, y, w, h in boxes]
        pairs = [ordered_eyes(one, other) for one, other in combinations(centres, 2)]
        likely = [pair for pair in pairs if _plausible(pair, width)]
        usual = [(left + x * width, top + y * height) for x, y in _EYES]

        def distance(pair: tuple[Point, Point]) -> float:
            return sum(abs(p[0] - q[0]) + abs(p[1] - q[1]) for p, q in zip(pair, usual, strict=True))

        return min(likely, key=distance, default=None)


def _plausible(pair: tuple[Point, Point], width: int) -> bool:
    across, down = pair[1][0] - pair[0][0], pair[1][1] - pair[0][1]
    return _EYE_DISTANCE[0] * width <= across <= _EYE_DISTANCE[1] * width and abs(down) <= _LARGEST_SLOPE * across
