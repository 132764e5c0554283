"""A picture that somebody gives, as an array: how large it may be, and what is said where it can't be read."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from fer_audit.data.images import read_whole
from fer_audit.errors import DataError

#: Bytes of a file.
LARGEST_FILE = 10 * 1024 * 1024
#: Pixels of a picture: four times those of a phone's ordinary photograph would take a gigabyte to find faces in.
LARGEST_PICTURE = 50_000_000
#: What browsers and phones make; Pillow's readers of rare formats are not shown what a stranger gives.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")

_EXPECTED = "expected a JPEG, PNG, WebP, GIF or BMP picture"


def read_picture(path: Path, largest: int = LARGEST_PICTURE) -> npt.NDArray[np.uint8]:
    """The picture (H, W, 3) of a file as datasets are read; raises DataError in one sentence without the path.

    Nothing is decoded before its format and its size, of `largest` pixels at most, are known.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as opened:
                width, height = opened.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(f"This picture has far more pixels than {_millions(largest)}; use a smaller one.") from None
    except (OSError, SyntaxError, ValueError):
        raise DataError(f"This file is no picture that can be read; {_EXPECTED}.") from None
    if width * height > largest:
        raise DataError(
            f"This picture has {width} x {height} pixels; at most {_millions(largest)} are read, use a smaller one."
        )
    try:
        return read_whole(path)
    except DataError:
        raise DataError(f"This picture is damaged and can't be read to its end; {_EXPECTED}.") from None


def _millions(pixels: int) -> str:
    return f"{pixels / 1e6:g} million"
