"""Images as a model wants them: its size, its colours, its scale, its order of axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from fer_audit.audit_section import Preprocessing, Standardised
from fer_audit.errors import ModelFileError
from fer_audit.lazy import keras
from fer_audit.model_files.limits import CHANNELS, written
from fer_audit.model_files.opened import Inputs, Opened

Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

#: Of R, G and B in the luma of ITU-R BT.601.
LUMA = (0.299, 0.587, 0.114)

#: Mean and standard deviation of ImageNet's photographs in 0..1, of R, G and B, as in torchvision.
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True, eq=False)
class Preparation:
    """From RGB images in 0..255 to what a model takes: resized, then x @ matrix + bias for each pixel."""

    size: int  #: pixels a side
    matrix: Floats  #: (3, channels)
    bias: Floats  #: (channels,)
    channels_first: bool

    def __call__(self, images: Images) -> Inputs:
        """Float32 (B, size, size, channels), or channels first, of uint8 images (B, H, W, 3)."""
        pixels = resized(images, self.size)
        # As one product: NumPy would make one for each line of each image.
        flat = pixels.reshape(-1, 3) @ self.matrix + self.bias
        values = flat.reshape(*pixels.shape[:3], len(self.bias))
        return np.ascontiguousarray(np.moveaxis(values, -1, 1)) if self.channels_first else values

    def symbolic(self, images: Any) -> Any:
        """The same of Keras tensors, channels last, so that gradients pass."""
        if images.shape[1] != self.size:
            images = keras.ops.image.resize(images, (self.size, self.size), interpolation="bilinear", antialias=True)
        if np.array_equal(self.matrix, np.eye(3)) and not self.bias.any():
            return images
        return keras.ops.add(keras.ops.matmul(images, self.matrix), self.bias)


def resized(images: Images, size: int) -> Floats:
    """Float32 (B, size, size, 3) of uint8 images: bilinear, over all pixels that a smaller one covers.

    Nothing is rounded in between, so that the network that is differentiated sees the same.
    """
    if images.shape[1:3] == (size, size):
        return images.astype(np.float32)
    found = np.empty((len(images), size, size, 3), np.float32)
    for row, image in enumerate(images):
        for channel in range(3):
            plane = Image.fromarray(image[..., channel].astype(np.float32))
            found[row, ..., channel] = np.asarray(plane.resize((size, size), Image.Resampling.BILINEAR))
    return found


def preparation_for(opened: Opened, preprocessing: Preprocessing, image_size: int) -> Preparation:
    """What images of `image_size` pixels a side have to become; raises ModelFileError where file and user disagree."""
    first = channels_first(opened, preprocessing)
    channels = _channels(opened, preprocessing, first=first)
    matrix, bias = _colour_and_scale(preprocessing, channels)
    return Preparation(size_of(opened, preprocessing) or image_size, matrix, bias, first)


def size_of(opened: Opened, preprocessing: Preprocessing) -> int | None:
    """Pixels a side of the images that a model takes, by its file or its preprocessing; None where it takes any.

    Raises ModelFileError where both say something else, or where the images are not square.
    """
    if opened.input_shape is None:
        return preprocessing.size
    first = channels_first(opened, preprocessing)
    sides = opened.input_shape[1:] if first else opened.input_shape[:2]
    stated = {side for side in sides if side is not None}
    if len(stated) > 1:
        raise ModelFileError(
            f"model {opened.name!r} takes images of {written(sides)} pixels; expected square ones, as faces are here; "
            f"export it for square images"
        )
    size = stated.pop() if stated else None
    if size is not None and preprocessing.size not in (None, size):
        raise ModelFileError(
            f"model {opened.name!r} takes images of {size} pixels a side, but its preprocessing says size: "
            f"{preprocessing.size}; expected one size; leave `size` out"
        )
    return size or preprocessing.size


def channels_first(opened: Opened, preprocessing: Preprocessing) -> bool:
    """Whether an image is (channels, height, width); raises ModelFileError where nothing tells, or it is neither."""
    if opened.input_shape is None:
        return False
    fits_first, fits_last = (opened.input_shape[place] in (None, *CHANNELS) for place in (0, -1))
    asked = preprocessing.layout
    if not (fits_first or fits_last) or (asked == "channels-first" and not fits_first):
        raise _odd_channels(opened, preprocessing)
    if asked == "channels-last" and not fits_last:
        raise _odd_channels(opened, preprocessing)
    if asked != "auto":
        return asked == "channels-first"
    says_first, says_last = (opened.input_shape[place] in CHANNELS for place in (0, -1))
    if says_first == says_last and None in opened.input_shape:
        raise ModelFileError(
            f"model {opened.name!r} leaves open which axis of its images ({written(opened.input_shape)}) is the "
            f"colour; expected preprocessing that says so; set `layout` to channels-last or channels-first"
        )
    return says_first and not says_last


def _odd_channels(opened: Opened, preprocessing: Preprocessing) -> ModelFileError:
    asked = "" if preprocessing.layout == "auto" else f" with layout: {preprocessing.layout}"
    return ModelFileError(
        f"model {opened.name!r} takes images of shape {written(opened.input_shape)}{asked}; expected one or three "
        f"channels, first or last; export it for grey or coloured images, or correct `layout`"
    )


def _channels(opened: Opened, preprocessing: Preprocessing, *, first: bool) -> int:
    usual = 1 if preprocessing.colour == "grey" else 3
    stated = None if opened.input_shape is None else opened.input_shape[0 if first else -1]
    if stated == 1 and usual == 3:
        raise ModelFileError(
            f"model {opened.name!r} takes images of 1 channel, but its preprocessing says colour: "
            f"{preprocessing.colour}, which has 3; expected as many; set `colour: grey`"
        )
    return stated or usual


def _colour_and_scale(preprocessing: Preprocessing, channels: int) -> tuple[Floats, Floats]:
    """The matrix (3, channels) and bias (channels,) of colour and scaling together."""
    colour = np.eye(3) if preprocessing.colour != "grey" else np.repeat(np.array(LUMA)[:, None], channels, axis=1)
    if preprocessing.colour == "bgr":
        colour = colour[:, ::-1]
    scale, offset = _scaling(preprocessing, channels)
    return (colour * scale).astype(np.float32), np.broadcast_to(offset, channels).astype(np.float32)


def _scaling(preprocessing: Preprocessing, channels: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Of each channel: x * scale + offset."""
    scaling = preprocessing.scaling
    simple = {"0..255": (1.0, 0.0), "0..1": (1 / 255, 0.0), "-1..1": (2 / 255, -1.0)}
    if isinstance(scaling, str) and scaling in simple:
        scale, offset = simple[scaling]
        return np.array([scale]), np.array([offset])
    mean, std = _statistics(scaling, preprocessing.colour, channels)
    return 1 / (255 * std), -mean / std


def _statistics(scaling: Any, colour: str, channels: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and standard deviation of each channel that the model takes."""
    given = (scaling.mean, scaling.std) if isinstance(scaling, Standardised) else _IMAGENET
    mean, std = (np.array(values) for values in given)
    if not isinstance(scaling, Standardised):
        if colour == "bgr":
            mean, std = mean[::-1], std[::-1]
        if channels == 1:  # grey networks take the mean over the channels, in timm for one
            mean, std = mean.mean(keepdims=True), std.mean(keepdims=True)
    elif channels == 1:
        if len({*given[0]}) > 1 or len({*given[1]}) > 1:
            raise ModelFileError(
                f"scaling has mean {list(given[0])} and std {list(given[1])}, but the model takes one channel; "
                f"expected the same number three times; repeat that of the grey channel"
            )
        mean, std = mean[:1], std[:1]
    return mean, std
