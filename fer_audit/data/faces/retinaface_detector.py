"""RetinaFace: a large network whose weights the user has to fetch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fer_audit.data.faces.detection import Face, Pixels, ordered_eyes
from fer_audit.errors import DataError

_ADDRESS = "https://github.com/serengil/deepface_models/releases/download/v1.0/retinaface.onnx"


def weights_path() -> Path:
    """Where the package `retina-face` expects its weights."""
    return Path(os.environ.get("DEEPFACE_HOME", str(Path.home()))) / ".deepface" / "weights" / "retinaface.onnx"


def check_weights() -> None:
    """Raises DataError where the weights are missing: the package would download them without asking."""
    path = weights_path()
    if not path.is_file():
        raise DataError(
            f"the weights of retinaface are missing: expected the file {path} (set DEEPFACE_HOME for another place); "
            f"fetch it from {_ADDRESS}, or use --detector mtcnn, which needs none"
        )


class RetinaFaceDetector:
    """Faces with five landmarks, by the package `retina-face` on ONNX.

    Use it in a process of its own: on TensorFlow the package would switch the whole process to legacy Keras.

    Source: Deng, Guo, Ververas, Kotsia, Zafeiriou, "RetinaFace: Single-Shot Multi-Level Face Localisation in the Wild",
    CVPR 2020.
    """

    def __init__(self) -> None:
        check_weights()
        os.environ["DEEPFACE_BACKEND_ENGINE"] = "onnx"
        from retinaface import RetinaFace

        self._package: Any = RetinaFace
        self._model: Any = RetinaFace.build_model()

    def find(self, image: Pixels) -> list[Face]:
        """All faces in `image` (H, W, 3); scores are probabilities."""
        # The package takes arrays as OpenCV reads them, and answers with an empty tuple where there is no face.
        found = self._package.detect_faces(image[:, :, ::-1].copy(), model=self._model)
        return [face_of(one) for one in found.values()] if isinstance(found, dict) else []


def face_of(found: dict[str, Any]) -> Face:
    """A face as the package describes it: `facial_area`, `score` and `landmarks`."""
    left, top, right, bottom = (float(value) for value in found["facial_area"])
    points = {name: (float(x), float(y)) for name, (x, y) in found["landmarks"].items()}
    # The package names sides as the person sees them.
    eyes = ordered_eyes(points["left_eye"], points["right_eye"])
    mouth = ordered_eyes(points["mouth_left"], points["mouth_right"])
    return Face((left, top, right, bottom), float(found["score"]), eyes, others=(points["nose"], *mouth))
