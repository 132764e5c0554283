"""MTCNN: three small networks that come with their weights."""

from __future__ import annotations

import os

from fer_audit.data.faces.detection import Face, Pixels, ordered_eyes


class MtcnnDetector:
    """Faces with five landmarks, by the package `mtcnn`. Loads TensorFlow: use it in a process of its own.

    Source: Zhang, Zhang, Li, Qiao, "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
    Networks", 2016.
    """

    def __init__(self) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        from mtcnn import MTCNN

        self._network = MTCNN(device="CPU:0")

    def find(self, image: Pixels) -> list[Face]:
        """All faces in `image` (H, W, 3); scores are probabilities."""
        return [_face(found) for found in self._network.detect_faces(image) or []]


def _face(found: dict[str, object]) -> Face:
    box, points = found["box"], found["keypoints"]
    assert isinstance(box, list | tuple)  # noqa: S101 - the form that the package documents
    assert isinstance(points, dict)  # noqa: S101
    left, top, width, height = (float(value) for value in box)
    named = {name: (float(x), float(y)) for name, (x, y) in points.items()}
    eyes = ordered_eyes(named["left_eye"], named["right_eye"])
    mouth = ordered_eyes(named["mouth_left"], named["mouth_right"])
    score = float(str(found["confidence"]))
    return Face((left, top, left + width, top + height), score, eyes, others=(named["nose"], *mouth))
