"""What every model file is once it is open, whatever its format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

#: The output that is meant where a model has several, such as probabilities beside them.
LOGITS = "logits"

Format = Literal["keras", "keras-h5", "saved-model", "onnx", "tflite", "callable", "weights"]

Inputs = npt.NDArray[np.float32]
Outputs = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Opened:
    """A model as its file has it: nothing is known yet of scaling, colour and classes."""

    format: Format
    sha256: str  #: of the file, or of all files of a folder
    bytes: int
    #: of an image as the model takes it, axes in the model's order; None for an axis that may be any; None: takes any
    input_shape: tuple[int | None, int | None, int | None] | None
    outputs: int | None  #: numbers that it answers with; None where only an answer tells
    #: float32 (B, ...) images, scaled and laid out as the model wants them, to float32 (B, outputs)
    ask: Callable[[Inputs], Outputs]
    network: Any = None  #: `keras.Model` from such images to outputs; None where the file holds none
    name: str = ""  #: what the user calls it
    output_step: float = 0.0  #: between neighbouring answers of a quantised model; 0 where they are floats


@dataclass(frozen=True)
class OutsideModel:
    """A model that is asked as one of ours: images in, logits of the dataset's classes out."""

    opened: Opened
    image_size: int  #: pixels a side of the images that it is asked about
    outputs: Literal["logits", "probabilities"]  #: what the file answers with
    #: uint8 (N, H, W, 3) RGB to float32 (N, C), in the dataset's order of classes; raises ModelFileError
    logits: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]
    #: the same in one batch of just these images, as speed is measured; several in a row should have one length
    once: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]
    #: `keras.Model` from images (B, H, W, 3) in 0..255, RGB, to logits (B, C); None where the file holds no Keras model
    network: Any = None
