"""Image files as arrays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from fer_audit.errors import DataError

_SHOWN = 10

#: File names that end so are taken for images.
SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})


def refuse(source: str, problems: Sequence[str], expected: str) -> None:
    """Raises DataError where there are `problems` of `source`, with the first ten of them and what was `expected`."""
    if not problems:
        return
    lines = [f"  {problem}" for problem in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"  ... and {len(problems) - _SHOWN} more")
    noun = "problem" if len(problems) == 1 else "problems"
    raise DataError("\n".join([f"{source} has {len(problems)} {noun}; expected {expected}:", *lines]))


def missing_images(paths: Sequence[Path], places: Sequence[str]) -> list[str]:
    """One line for each of `paths` that is no file; `places` say where each was named."""
    return [f"{place}: no image {str(path)!r}" for path, place in zip(paths, places, strict=True) if not path.is_file()]


def read_images(source: str, paths: Sequence[Path], places: Sequence[str], size: int) -> npt.NDArray[np.uint8]:
    """Images (N, size, size, 3), uint8 RGB, of files of any shape; raises DataError naming each unreadable one.

    Images are turned as their EXIF data say, and stretched where they aren't square.
    """
    images = np.empty((len(paths), size, size, 3), np.uint8)

    def read(index: int) -> str | None:
        try:
            images[index] = _read(paths[index], size)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            return f"{places[index]}: can't read {str(paths[index])!r}: {error}"
        return None

    # Decoding releases the interpreter lock.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        problems = [problem for problem in pool.map(read, range(len(paths))) if problem]
    refuse(source, problems, "images that Pillow reads, with 8 or 16 bits a channel")
    return images


def _read(path: Path, size: int) -> npt.NDArray[np.uint8]:
    with Image.open(path) as opened:
        # A large JPEG is decoded at a half, a quarter, ... of its size, still well above the size that is wanted.
        opened.draft(None, (2 * size, 2 * size))
        image = _rgb(ImageOps.exif_transpose(opened))
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(image)


def _rgb(image: Any) -> Image.Image:
    if image.mode.startswith("I;16"):
        # Pillow's own conversion cuts off everything above 255.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"pixels of mode {image.mode!r}")
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    converted: Image.Image = image.convert("RGB")
    return converted
