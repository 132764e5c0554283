"""Image files as arrays."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from fer_audit.data.progress import tracked
from fer_audit.errors import DataError

_SHOWN = 10
_CHUNK = 64  #: images that a thread takes at once
_UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning)

#: File names that end so are taken for images.
SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})

#: What a file tells beside its pixels: (width, height) in pixels, bytes a pixel, 1 where it holds grey levels only, and
#: the mean of the first JPEG quantisation table (0 where it is no JPEG).
TRAITS = ("width", "height", "bytes a pixel", "grey file", "JPEG quantisation")

Box = tuple[int, int, int, int]  #: left, top, right, bottom in pixels


def refuse(source: str, problems: Sequence[str], expected: str, *, shown: int = _SHOWN) -> None:
    """Raises DataError where there are `problems` of `source`, with the first `shown` and what was `expected`."""
    if not problems:
        return
    lines = [f"  {problem}" for problem in problems[:shown]]
    if len(problems) > shown:
        lines.append(f"  ... and {len(problems) - shown} more")
    noun = "problem" if len(problems) == 1 else "problems"
    raise DataError("\n".join([f"{source} has {len(problems)} {noun}; expected {expected}:", *lines]))


def missing_images(paths: Sequence[Path], places: Sequence[str]) -> list[str]:
    """One line for each of `paths` that is no file; `places` say where each was named."""
    return [f"{place}: no image {str(path)!r}" for path, place in zip(paths, places, strict=True) if not path.is_file()]


@dataclass(frozen=True)
class ImageFiles:
    """What N image files hold; rows of unreadable files are undefined."""

    images: npt.NDArray[np.uint8]  #: (N, size, size, 3), RGB
    traits: npt.NDArray[np.float64]  #: (N, 5), see TRAITS
    problems: dict[int, str]  #: row -> why its file can't be read


def read_images(paths: Sequence[Path], size: int, boxes: Sequence[Box] | None = None) -> ImageFiles:
    """Images of files of any shape, in several threads; nothing is raised where a file can't be read.

    Images are turned as their EXIF data say, cut to their box where `boxes` (N,) are given, and stretched where they
    aren't square.
    """
    count = len(paths)
    images, traits = np.empty((count, size, size, 3), np.uint8), np.zeros((count, len(TRAITS)))

    def read(rows: range) -> dict[int, str]:
        problems = {}
        for row in rows:
            try:
                images[row], traits[row] = _read(paths[row], size, None if boxes is None else boxes[row])
            except _UNREADABLE as error:
                problems[row] = f"can't read {str(paths[row])!r}: {error}"
        return problems

    chunks = [range(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
    # Decoding and scaling release the interpreter lock.
    with _strict_about_bombs(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        found = list(tracked(pool.map(read, chunks), len(chunks) * _CHUNK, "reading images"))
    return ImageFiles(images, traits, {row: text for part in found for row, text in part.items()})


class _strict_about_bombs:  # noqa: N801 - reads as a statement
    """Within it an image of more pixels than Pillow warns of is an error: a face doesn't have 90 million."""

    def __enter__(self) -> None:
        self._caught = warnings.catch_warnings()
        self._caught.__enter__()
        warnings.simplefilter("error", Image.DecompressionBombWarning)

    def __exit__(self, *exception: Any) -> None:
        self._caught.__exit__(*exception)


def scaled_pixels(pixels: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """Grey images (N, h, w) as RGB images (N, size, size, 3)."""
    images = np.empty((len(pixels), size, size, 3), np.uint8)
    for row, grey in enumerate(tracked(pixels, len(pixels), "scaling images")):
        image = Image.fromarray(grey)
        if image.size != (size, size):
            image = image.resize((size, size), Image.Resampling.LANCZOS)
        images[row] = np.asarray(image)[:, :, None]
    return images


def read_whole(path: Path, box: Box | None = None) -> npt.NDArray[np.uint8]:
    """The image of a file in its own size (H, W, 3), turned as its EXIF data say; raises DataError."""
    try:
        with _strict_about_bombs(), Image.open(path) as opened:
            image = _rgb(ImageOps.exif_transpose(opened))
        return np.asarray(image if box is None else image.crop(_inside(box, image.size)))
    except _UNREADABLE as error:
        raise DataError(f"can't read {str(path)!r}: {error}") from None


def _read(path: Path, size: int, box: Box | None) -> tuple[npt.NDArray[np.uint8], list[float]]:
    with Image.open(path) as opened:
        traits = list(_traits(path, opened))
        if box is None:
            # A large JPEG is decoded at a half, a quarter, ... of its size, still well above the size that is wanted.
            opened.draft(None, (2 * size, 2 * size))
        image = _rgb(ImageOps.exif_transpose(opened))
    if box is not None:
        image = image.crop(_inside(box, image.size))
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(image), traits


def _traits(path: Path, opened: Any) -> Iterator[float]:
    width, height = opened.size
    tables = getattr(opened, "quantization", None) or {}
    yield from (width, height, path.stat().st_size / max(1, width * height))
    yield float(opened.mode in ("1", "L", "LA", "I;16", "I;16B", "I;16L"))
    yield float(np.mean(next(iter(tables.values())))) if tables else 0.0


def _inside(box: Box, size: tuple[int, int]) -> Box:
    left, top, right, bottom = max(0, box[0]), max(0, box[1]), min(size[0], box[2]), min(size[1], box[3])
    if right - left < 1 or bottom - top < 1:
        raise ValueError(f"the box {box} (left, top, right, bottom) lies outside of {size[0]} x {size[1]} pixels")
    return left, top, right, bottom


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
