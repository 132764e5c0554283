"""Image files as arrays."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from fer_audit.data.progress import tracked
from fer_audit.errors import DataError

_SHOWN = 10
_NAME = 300  #: letters of the name of a file that an error shows
_CHUNK = 256  #: images that a process takes at once
_WORTH_PROCESSES = 2000  #: images; starting processes takes as long as reading some of them

#: What Pillow raises where a file is damaged, or is none of what it says.
_UNREADABLE = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, EOFError),
    *(MemoryError, RecursionError, NotImplementedError, RuntimeError, struct.error, zlib.error),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)

#: File names that end so are taken for images.
SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})

#: What a file tells beside its pixels: (width, height) in pixels, bytes a pixel, 1 where it holds grey levels only, and
#: the mean of the first JPEG quantisation table (0 where it is no JPEG).
TRAITS = ("width", "height", "bytes a pixel", "grey file", "JPEG quantisation")

_ORIENTATION = 0x0112  #: EXIF tag

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
    """One line for each of `paths` that is no plain file; `places` say where each was named."""
    # `Path.is_file` raises where no file can have such a name.
    missing = [
        (place, str(path))
        for path, place in zip(paths, places, strict=True)
        if not os.path.isfile(path)  # noqa: PTH113
    ]
    return [f"{place}: no image {name[:_NAME]!r}{'...' if len(name) > _NAME else ''}" for place, name in missing]


@dataclass(frozen=True)
class ImageFiles:
    """What N image files hold; rows of unreadable files are undefined."""

    images: npt.NDArray[np.uint8]  #: (N, size, size, 3), RGB
    traits: npt.NDArray[np.float64]  #: (N, 5), see TRAITS
    problems: dict[int, str]  #: row -> why its file can't be read


def read_images(paths: Sequence[Path], size: int, boxes: Sequence[Box] | None = None) -> ImageFiles:
    """Images of files of any shape, in several processes; nothing is raised where a file can't be read.

    Images are turned as their EXIF data say, cut to their box where `boxes` (N,) are given, and stretched where they
    aren't square.
    """
    count = len(paths)
    images, traits = np.empty((count, size, size, 3), np.uint8), np.zeros((count, len(TRAITS)))
    problems: dict[int, str] = {}
    for start, part in tracked(_parts(paths, size, boxes), -(-count // _CHUNK), "reading images", 8):
        rows = slice(start, start + len(part.images))
        images[rows], traits[rows] = part.images, part.traits
        problems |= {start + row: text for row, text in part.problems.items()}
    if count >= _WORTH_PROCESSES:
        _end_processes()
    return ImageFiles(images, traits, problems)


def _end_processes() -> None:
    # They would wait for more work for minutes, and hold memory that trainings want.
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)


def _parts(paths: Sequence[Path], size: int, boxes: Sequence[Box] | None) -> Iterator[tuple[int, ImageFiles]]:
    """Chunks of the files and where each starts, in order."""
    from joblib import Parallel, delayed

    starts = range(0, len(paths), _CHUNK)
    # Small images are mostly Python's work, which threads can't share; processes pay once there are many images.
    many = len(paths) >= _WORTH_PROCESSES
    workers = Parallel(os.cpu_count() or 1 if many else 1, return_as="generator", backend="loky", verbose=0)
    ends = [slice(start, start + _CHUNK) for start in starts]
    parts = workers(delayed(_read_part)(paths[rows], size, None if boxes is None else boxes[rows]) for rows in ends)
    return zip(starts, parts, strict=True)


def _read_part(paths: Sequence[Path], size: int, boxes: Sequence[Box] | None) -> ImageFiles:
    images, traits = np.zeros((len(paths), size, size, 3), np.uint8), np.zeros((len(paths), len(TRAITS)))
    problems = {}
    with _strict_about_bombs():
        for row, path in enumerate(paths):
            try:
                images[row], traits[row] = _read(path, size, None if boxes is None else boxes[row])
            except _UNREADABLE as error:
                problems[row] = _unread(path, error)
    return ImageFiles(images, traits, problems)


class _strict_about_bombs:  # noqa: N801 - reads as a statement
    """Within it an image of more pixels than Pillow warns of is an error: a face doesn't have 90 million.

    Whatever else Pillow warns of, such as tags that are damaged, changes no pixel and is not told.
    """

    def __enter__(self) -> None:
        self._caught = warnings.catch_warnings()
        self._caught.__enter__()
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("error", Image.DecompressionBombWarning)

    def __exit__(self, *exception: Any) -> None:
        self._caught.__exit__(*exception)


def scaled_pixels(pixels: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """Grey images (N, h, w) as RGB images (N, size, size, 3)."""
    images = np.empty((len(pixels), size, size, 3), np.uint8)
    for row, grey in enumerate(tracked(pixels, len(pixels), "scaling images", 2000)):
        image = Image.fromarray(grey)
        if image.size != (size, size):
            image = image.resize((size, size), Image.Resampling.LANCZOS)
        images[row] = np.asarray(image)[:, :, None]
    return images


def read_whole(path: Path, box: Box | None = None) -> npt.NDArray[np.uint8]:
    """The image of a file in its own size (H, W, 3), turned as its EXIF data say; raises DataError."""
    try:
        with _strict_about_bombs(), Image.open(path) as opened:
            image = _rgb(_upright(opened))
        return np.asarray(image if box is None else image.crop(_inside(box, image.size)))
    except _UNREADABLE as error:
        raise DataError(_unread(path, error)) from None


def _unread(path: Path, error: Exception) -> str:
    said = " ".join(str(error).split()) or type(error).__name__
    return f"can't read {str(path)!r}: {said}"


def _read(path: Path, size: int, box: Box | None) -> tuple[npt.NDArray[np.uint8], list[float]]:
    with Image.open(path) as opened:
        traits = list(_traits(path, opened))
        if box is None:
            # A large JPEG is decoded at a half, a quarter, ... of its size, still well above the size that is wanted.
            opened.draft(None, (2 * size, 2 * size))
        image = _rgb(_upright(opened))
    if box is not None:
        image = image.crop(_inside(box, image.size))
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(image), traits


def _upright(opened: Any) -> Any:
    if opened.format == "EPS":
        raise ValueError("it is a program in PostScript and would have to be run")
    opened.load()
    # Parsing takes as long as scaling, and a JPEG says at once whether there is anything to parse. Pillow's function
    # copies every image that needs no turning.
    if opened.format == "JPEG" and "exif" not in opened.info:
        return opened
    return opened if opened.getexif().get(_ORIENTATION, 1) == 1 else ImageOps.exif_transpose(opened)


def _traits(path: Path, opened: Any) -> Iterator[float]:
    width, height = opened.size
    tables = getattr(opened, "quantization", None) or {}
    yield from (width, height, path.stat().st_size / max(1, width * height))
    yield float(opened.mode in ("1", "L", "LA", "I;16", "I;16B", "I;16L"))
    yield sum(table) / len(table) if (table := next(iter(tables.values()), None)) else 0.0


def _inside(box: Box, size: tuple[int, int]) -> Box:
    left, top, right, bottom = max(0, box[0]), max(0, box[1]), min(size[0], box[2]), min(size[1], box[3])
    if right - left < 1 or bottom - top < 1:
        raise ValueError(f"the box {box} (left, top, right, bottom) lies outside of {size[0]} x {size[1]} pixels")
    return left, top, right, bottom


def _rgb(image: Any) -> Any:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image  # converting would copy it
    if image.mode.startswith("I;16"):
        # Pillow's own conversion cuts off everything above 255.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"pixels of mode {image.mode!r}")
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return image.convert("RGB")
