"""The formats that a network can be written in."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

Format = Literal["saved-model", "tflite", "tflite-int8", "onnx"]
FORMATS: tuple[Format, ...] = get_args(Format)

#: What each is called in the folder of an export.
FILES: dict[Format, str] = {
    "saved-model": "saved-model",
    "tflite": "model.tflite",
    "tflite-int8": "model-int8.tflite",
    "onnx": "model.onnx",
}

LABELS = "labels.txt"

Images = npt.NDArray[np.uint8]


def write_model(
    network: Any,
    classes: tuple[str, ...],
    image_size: int,
    format: Format,  # noqa: A002 - the word of the command
    target: Path,
    *,
    representative: Images | None = None,
) -> None:
    """Writes `network` to `target`, a folder for a SavedModel and a file otherwise, with the names of its classes.

    Args:
        network: keras.Model from images (B, H, W, 3) in 0..255 to logits (B, C).
        classes: in the order of the logits.
        image_size: pixels a side.
        format: one of `FORMATS`.
        target: must not be there as a folder with files in it.
        representative: train images (N, H, W, 3) that ranges are read from; only `tflite-int8` needs them.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if format == "saved-model":
        from fer_audit.export.saved_model import write_saved_model

        write_saved_model(network, classes, image_size, target)
    elif format == "onnx":
        from fer_audit.export.onnx_model import write_onnx

        write_onnx(network, classes, image_size, target)
    else:
        from fer_audit.export.tflite_model import write_tflite

        if format == "tflite-int8" and (representative is None or not len(representative)):
            raise ValueError("expected representative images for tflite-int8, got none")
        write_tflite(network, classes, image_size, target, None if format == "tflite" else representative)
        (target.parent / LABELS).write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")
